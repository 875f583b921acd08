// A site of a thousand nodes and five hundred VIPs in front of a real director: tables in memory or in the
// kernel, and probes over loopback that are answered or not. Owns everything; needs root and a network
// namespace of its own.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "l4/director.h"
#include "l4/xdp_data_plane.h"
#include "tests/support/probe_target.h"

namespace gatehouse::perf {

inline constexpr std::uint32_t kSlots = 65537;
inline constexpr std::uint16_t kNodes = 1'000;
inline constexpr std::uint16_t kVips = 500;

using Seconds = std::chrono::duration<double>;

class Site {
 public:
  // VIPs stand before `rosters` different sets of nodes, each of nine tenths of them; 1: all VIPs before all
  // nodes. `folder`: an existing one.
  Site(std::string folder, std::uint16_t rosters);
  ~Site();

  // Fills tables that are empty from a log of one generation in which every node is active.
  struct Rebuild {
    Seconds time;
    std::uint64_t memory;  // bytes: the most that the process had of its own, and all tables
  };
  Result<Rebuild> rebuild();
  // `deaths` nodes stop to answer, at unlike times: from the verdict of each one's probe to the last slot
  // that was written.
  Result<std::vector<Seconds>> kill(int deaths);
  std::size_t rings() { return director_->rings().ring_count(); }
  std::uint64_t changed_slots() { return director_->rings().changed_slots(); }

 private:
  std::string folder_;
  config::Config config_;
  EventLoop loop_;
  l4::ProbeTarget target_;
  std::unique_ptr<l4::XdpDataPlane> plane_;
  std::unique_ptr<l4::Director> director_;
};

}  // namespace gatehouse::perf
