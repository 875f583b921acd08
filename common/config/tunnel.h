// What the tunnel between the tiers takes from a packet's room, by a VIP's encapsulation: for the MSS that nodes advertise and
// for warnings. The headers themselves are bpf/encap.h's, and a test compares.
#pragma once

#include "common/config/model.h"

namespace gatehouse::config {

// Bytes of the outer header of a packet of `vip` to a node of that family.
std::uint32_t outer_length(const Vip& vip, bool is_v4_node);
// The largest that any node of the site needs.
std::uint32_t outer_length(const Vip& vip, const Config& config);

}  // namespace gatehouse::config
