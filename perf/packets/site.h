// The site that packets are measured in: VIPs of each family in every form of the tunnel, rings of 65537 slots over nodes of the
// VIP's family, and the frames that go there. Also the judge of what came out.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/result.h"
#include "l4/data_plane.h"

namespace gatehouse::perf {

enum class Family { kIpv4, kIpv6 };
std::string_view to_string(Family family);

// How a VIP's packets are tunnelled. With hop list: none left to ask, three left to ask. A service's flows are remembered; IPIP.
enum class Tunnel { kIpip, kGue, kGueHops, kGueTransition, kService };
inline constexpr Tunnel kTunnels[] = {Tunnel::kIpip, Tunnel::kGue, Tunnel::kGueHops, Tunnel::kGueTransition, Tunnel::kService};
std::string_view to_string(Tunnel tunnel);

inline constexpr std::uint32_t kRingSlots = 65537;
inline constexpr Family kFamilies[] = {Family::kIpv4, Family::kIpv6};
inline constexpr std::uint32_t kFlows[] = {1, 1u << 10, 1u << 17, 1u << 20};

struct Shape {
  std::uint32_t vips;   // of each family and form; a power of two
  std::uint16_t nodes;  // of each family
  bool has_all_tunnels; // else kGueHops alone
};
inline constexpr Shape kUsualShape = {1, 100, true};

// The plane has room for eight rings, and if it has all tunnels for twice the flows that are drawn.
inline constexpr std::uint32_t kFlowLines = 1u << 18;
Status fill_tables(l4::DataPlane& plane, const Shape& shape);

// The last sixteen bits of the address of the first VIP of that form.
std::uint16_t first_vip(Tunnel tunnel);

// A TCP ACK with ten bytes of payload to port 443 of the first of these VIPs, or of an address that is no VIP.
std::vector<std::uint8_t> make_frame(Family family, Tunnel tunnel);
std::vector<std::uint8_t> make_other_frame(Family family);

// `frame` as forwarded: says what is wrong when it is not the tunnelled packet, to the node that the tables name.
Status check_forwarded(const l4::Tables& tables, Family family, Tunnel tunnel, std::span<const std::uint8_t> frame);

// How many nodes of `family` had packets, as counted by the data plane.
std::vector<std::uint64_t> node_packets(const l4::Tables& tables, Family family, const Shape& shape);

}  // namespace gatehouse::perf
