// Sums of header lengths.
#include "common/config/tunnel.h"

#include <algorithm>

namespace gatehouse::config {

std::uint32_t outer_length(const Vip& vip, bool is_v4_node) {
  constexpr std::uint32_t kIpv4 = 20, kIpv6 = 40, kUdp = 8, kGue = 4, kHopList = 8;
  const std::uint32_t ip = is_v4_node ? kIpv4 : kIpv6;
  if (vip.encapsulation == "ipip") return ip;
  return ip + kUdp + kGue + (vip.encapsulation == "gue" ? kHopList : 0);
}

std::uint32_t outer_length(const Vip& vip, const Config& config) {
  const bool has_v6_node = std::any_of(config.nodes.begin(), config.nodes.end(), [](const Node& node) { return !node.address.is_v4(); });
  return outer_length(vip, !has_v6_node);
}

}  // namespace gatehouse::config
