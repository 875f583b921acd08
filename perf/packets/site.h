// The site that packets are measured in: a VIP of each family, each with a ring of 65537 slots over 100 nodes
// of its own family, and the frames that go there. Also the judge of what came out.
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

inline constexpr std::uint32_t kRingSlots = 65537;
inline constexpr std::uint16_t kNodes = 100;  // of each family
inline constexpr Family kFamilies[] = {Family::kIpv4, Family::kIpv6};
inline constexpr std::uint32_t kFlows[] = {1, 1u << 10, 1u << 17, 1u << 20};

Status fill_tables(l4::DataPlane& plane);

// A TCP ACK with ten bytes of payload to port 443 of the VIP, or of an address that is no VIP.
std::vector<std::uint8_t> make_frame(Family family, bool is_to_vip);

// `frame` as forwarded: says what is wrong when it is not the tunnelled packet, to the node that the tables
// name.
Status check_forwarded(l4::Tables& tables, Family family, std::span<const std::uint8_t> frame);

// Packets that each node of `family` got, as counted by the data plane, all CPUs together.
std::vector<std::uint64_t> node_packets(const l4::Tables& tables, Family family);

}  // namespace gatehouse::perf
