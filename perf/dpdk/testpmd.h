// DPDK's own forwarding program, the peer of the burst loop.
#pragma once

#include <string>

#include "common/result.h"

namespace gatehouse::perf {

// Packets per second of `dpdk-testpmd` with one forwarding lcore between two net_null ports of 64-byte frames, in the forwarding
// mode (macswap, io, ...): the median of the whole seconds that it reports, the first one left out.
Result<double> measure_testpmd(const std::string& mode, int seconds);

}  // namespace gatehouse::perf
