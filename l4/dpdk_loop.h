// The DPDK burst loop over the packet core: takes packets from a queue, forwards those of VIPs by the port that they came from,
// hands those that are the host's to an exception port. No state of its own but the counters' region that it writes.
#pragma once

#include <cstdint>

#include "l4/data_plane.h"

namespace gatehouse::l4 {

struct DpdkQueue {
  static constexpr std::uint16_t kNone = 0xffff;
  std::uint16_t port = 0;
  std::uint16_t queue = 0;
  std::uint16_t exception = kNone;  // port that leads to the host's kernel; none: the kernel has its own copy (af_packet)
  std::uint32_t cpu = 0;            // region of the counters: one per thread
};

// One burst. Returns how many packets it took.
std::uint32_t forward_burst(Tables& tables, const DpdkQueue& queue);
// What the kernel sends: from the exception port to the wire. Returns how many.
std::uint32_t return_burst(const DpdkQueue& queue);

}  // namespace gatehouse::l4
