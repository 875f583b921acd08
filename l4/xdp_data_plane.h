// The XDP data plane: bpf/xdp.bpf.c on an interface, its maps pinned and mapped into this process. Everything outlives the
// process by its pins; the next one adopts them. Also attaches the probe program to the interface's egress.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "l4/data_plane.h"

namespace gatehouse::l4 {

class XdpDataPlane final : public DataPlane {
 public:
  struct Options {
    std::string pin_folder;
    std::string interface;
    std::uint32_t ring_slots = 65537;
    GuardSizes guard;
  };
  // Rings that may be live at once, and one more to write the next into.
  static constexpr std::uint32_t kRingAreas = 8;

  // Opens, adopts or makes the maps, loads. Nothing is attached yet: fill the tables, then attach().
  static Result<std::unique_ptr<XdpDataPlane>> open(const Options& options);
  ~XdpDataPlane() override;

  // Native XDP, generic with a warning; replaces the program of an earlier process atomically.
  Status attach();
  // Takes the programs off the interface and removes the pins.
  static void detach(const Options& options);

  const Tables& tables() override { return tables_; }
  void wait_for_readers() override;
  bool was_adopted() const override { return was_adopted_; }

  // For tests and benchmarks: BPF_PROG_TEST_RUN of balance() once. Returns the XDP action; `packet` becomes the output.
  Result<int> test_run(std::vector<std::uint8_t>& packet);
  int program_fd() const;

 private:
  struct Programs;
  explicit XdpDataPlane(Options options);
  Status map_tables();
  Status map_guard();

  Options options_;
  std::unique_ptr<Programs> programs_;
  Tables tables_;
  bool was_adopted_ = false;
};

}  // namespace gatehouse::l4
