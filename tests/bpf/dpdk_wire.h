// A wire in memory for the DPDK data plane's burst loop: two ports made of rings (net_ring), one for packets and one that leads
// to the host. Needs neither a device nor huge pages.
#pragma once

#include "l4/data_plane.h"
#include "tests/support/packet_builder.h"

namespace gatehouse::test {

// Lets one packet through the loop, in place, as the other adapters do. Returns what became of it as an XDP action; -1 when it
// came out somewhere it should not.
int run_over_dpdk(l4::Tables& tables, Bytes& packet);

// How many of `count` copies of `packet`, put on the wire at once, come out transmitted.
int send_burst_over_dpdk(l4::Tables& tables, const Bytes& packet, int count);

// Packets that belong to nobody any more but are not back in the pool: leaks.
int packets_missing_over_dpdk();

}  // namespace gatehouse::test
