// A data plane: the tables that forward, wherever they live (BPF maps for XDP, plain memory for DPDK and tests).
// Whoever owns the plane owns the memory; writers go through TableWriter, readers may read at any time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/abi.h"
#include "common/config/model.h"
#include "common/result.h"
#include "l4/guard_tables.h"
#include "l4/service_tables.h"

namespace gatehouse::l4 {

struct Tables {
  gh_state* state = nullptr;       // and what is in it, as spans:
  std::span<gh_vip_line> vip_lines;  // two halves of GH_VIP_LINES
  std::span<gh_group> groups;        // GH_MAX_GROUPS
  std::span<gh_node> nodes;          // GH_MAX_NODES
  std::span<std::uint64_t> slots;    // ring areas of state->slots each
  std::span<gh_cpu> cpus;            // what each has counted: l4/counters.h adds them up

  void set_state(gh_state* memory) {
    state = memory;
    vip_lines = memory->vip_lines;
    groups = memory->groups;
    nodes = memory->nodes;
  }
  ServiceTables services;
  GuardTables guard;
};

// Where packets come in.
struct Port {
  std::string name;
  std::string mode;  // how packets are taken there: "native", "generic"; empty: not at all at the moment
};

class DataPlane {
 public:
  virtual ~DataPlane() = default;
  virtual const Tables& tables() = 0;
  // Returns when no packet that started before the call is still being processed.
  virtual void wait_for_readers() = 0;
  // What gh_get_ticks() says to the packet core, and how many seconds that is, times 2^32.
  virtual std::uint64_t ticks() = 0;
  virtual std::uint32_t tick_multiplier() const = 0;
  // True when the tables were found in use (pinned by an earlier process) and forward already.
  virtual bool was_adopted() const = 0;
  // Begins to take packets; fill the tables before.
  virtual Status attach() { return {}; }
  // One interface, once more: it was taken away and is back. Does nothing when it is attached, or none of ours.
  virtual Status attach_again(const std::string&) { return {}; }
  virtual std::vector<Port> ports() const { return {}; }
  // Whether packets are forwarded on when this process has ended.
  virtual bool outlives_process() const { return false; }
  // From now on packets that `filter` names are also written to a BPF ring buffer of struct gh_captured, whose descriptor is
  // returned and stays the plane's. Forwarding never stops.
  virtual Result<int> start_capture(const gh_capture_filter&) { return Error{"this data plane cannot capture"}; }
  virtual void stop_capture() {}
};

// The data plane that this program was linked with: open_xdp.cc or open_dpdk.cc.
Result<std::unique_ptr<DataPlane>> open_data_plane(const config::L4Host& host, const config::Config& config,
                                                   const std::string& pin_folder);
// Takes away what open() and attach() left on the host: forwarding stops.
void remove_data_plane(const config::L4Host& host, const std::string& pin_folder);

}  // namespace gatehouse::l4
