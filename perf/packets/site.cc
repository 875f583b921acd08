#include "perf/packets/site.h"

#include <cstring>

#include "bpf/wire.h"
#include "l4/ring_compiler.h"
#include "l4/table_writer.h"
#include "l4/user_tables.h"

namespace gatehouse::perf {
namespace {

constexpr std::uint64_t kKey[4] = {0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0,
                                   0x082efa98ec4e6c89};
constexpr std::uint32_t kMtu = 1600;
constexpr std::size_t kPayload = 10;

IpAddress address(const std::string& text) {
  const auto parsed = IpAddress::parse(text);
  GH_CHECK(parsed);
  return *parsed;
}

Endpoint vip_of(Family family) {
  return {family == Family::kIpv4 ? address("198.51.100.10") : address("2001:db8:100::10"), 443};
}

std::uint16_t first_node(Family family) { return family == Family::kIpv4 ? 1 : kNodes + 1; }

IpAddress node_address(Family family, std::uint16_t number) {
  return address((family == Family::kIpv4 ? "10.20.0." : "fd00:20::") + std::to_string(number));
}

template <typename T>
T* append(std::vector<std::uint8_t>& frame) {
  frame.resize(frame.size() + sizeof(T));
  return reinterpret_cast<T*>(frame.data() + frame.size() - sizeof(T));
}

void append_ipv4(std::vector<std::uint8_t>& frame, const IpAddress& destination) {
  auto* ip = append<gh_ipv4>(frame);
  ip->version_length = 0x45;
  ip->total_length = gh_be16(sizeof(gh_ipv4) + sizeof(gh_tcp) + kPayload);
  ip->ttl = 60;
  ip->protocol = GH_PROTOCOL_TCP;
  ip->source[0] = 10;
  std::memcpy(ip->destination, destination.bytes.data() + 12, 4);
}

void append_ipv6(std::vector<std::uint8_t>& frame, const IpAddress& destination) {
  auto* ip = append<gh_ipv6>(frame);
  ip->version_class_flow[0] = gh_be16(0x6000);
  ip->payload_length = gh_be16(sizeof(gh_tcp) + kPayload);
  ip->next_header = GH_PROTOCOL_TCP;
  ip->hop_limit = 60;
  std::memcpy(ip->source, address("2001:db8:200::").bytes.data(), 16);
  std::memcpy(ip->destination, destination.bytes.data(), 16);
}

template <typename Outer, typename Ip>
Status check_layers(l4::Tables& tables, Family family, std::span<const std::uint8_t> frame,
                    const Outer& outer, const Ip& inner) {
  const auto* tcp = reinterpret_cast<const gh_tcp*>(&inner + 1);
  const bool is_v4 = family == Family::kIpv4;
  if (frame.size() != sizeof(gh_ethernet) + sizeof outer + sizeof inner + sizeof *tcp + kPayload ||
      outer.udp.destination_port != gh_be16(GH_TUNNEL_PORT) ||
      outer.gue.protocol != (is_v4 ? GH_PROTOCOL_IPIP : GH_PROTOCOL_IPV6)) {
    return Error{"what came out is not a tunnelled packet"};
  }
  Endpoint source;
  if constexpr (sizeof inner.source == 4) {
    std::uint8_t octets[4];
    std::memcpy(octets, inner.source, 4);
    source.address = IpAddress::from_v4(octets);
  } else {
    std::memcpy(source.address.bytes.data(), inner.source, 16);
  }
  source.port = gh_from_be16(tcp->source_port);
  const auto explanation = l4::explain_packet(tables, source, vip_of(family), GH_PROTOCOL_TCP);
  if (!explanation || explanation->hops.empty())
    return Error{"the tables name no node for " + to_string(source)};
  const auto number = static_cast<std::uint16_t>(explanation->hops[0] - first_node(family) + 1);
  const std::size_t length = sizeof outer.ip.destination;
  const IpAddress expected = node_address(family, number);
  if (std::memcmp(outer.ip.destination, expected.bytes.data() + 16 - length, length) != 0) {
    return Error{"the packet of " + to_string(source) + " did not go to " + to_string(expected)};
  }
  return {};
}

}  // namespace

std::string_view to_string(Family family) { return family == Family::kIpv4 ? "IPv4" : "IPv6"; }

Status fill_tables(l4::DataPlane& plane) {
  l4::TableWriter writer(plane);
  writer.set_identity(address("10.20.1.1"), address("fd00:20:1::1"), kKey, kMtu);
  std::vector<l4::VipEntry> vips;
  for (const Family family : kFamilies) {
    l4::Generation generation{1, 0, {}};
    for (std::uint16_t number = 1; number <= kNodes; ++number) {
      const auto id = static_cast<std::uint16_t>(first_node(family) + number - 1);
      writer.set_node(id, node_address(family, number));
      generation.members.push_back({id, 100});
    }
    const auto group = static_cast<std::uint16_t>(family);
    const auto ring = l4::compile_ring(std::span(&generation, 1), kRingSlots);
    if (const Status set = writer.set_ring(group, ring, 1); !set) return set;
    vips.push_back({vip_of(family).address, vip_of(family).port, GH_PROTOCOL_TCP, group, group});
  }
  return writer.set_vips(vips);
}

std::vector<std::uint8_t> make_frame(Family family, bool is_to_vip) {
  const bool is_v4 = family == Family::kIpv4;
  const IpAddress other = address(is_v4 ? "198.51.100.99" : "2001:db8:100::99");
  const IpAddress destination = is_to_vip ? vip_of(family).address : other;
  std::vector<std::uint8_t> frame;
  append<gh_ethernet>(frame)->type = gh_be16(is_v4 ? GH_ETHERTYPE_IPV4 : GH_ETHERTYPE_IPV6);
  is_v4 ? append_ipv4(frame, destination) : append_ipv6(frame, destination);
  auto* tcp = append<gh_tcp>(frame);
  tcp->destination_port = gh_be16(443);
  tcp->offset = 5 << 4;
  tcp->flags = GH_TCP_ACK;
  frame.resize(frame.size() + kPayload);
  return frame;
}

Status check_forwarded(l4::Tables& tables, Family family, std::span<const std::uint8_t> frame) {
  if (frame.size() < sizeof(gh_ethernet) + sizeof(gh_outer_v4) + sizeof(gh_ipv4))
    return Error{"a short packet came out"};
  const std::uint8_t* start = frame.data() + sizeof(gh_ethernet);
  if (family == Family::kIpv4) {
    const auto& outer = *reinterpret_cast<const gh_outer_v4*>(start);
    return check_layers(tables, family, frame, outer,
                        *reinterpret_cast<const gh_ipv4*>(start + sizeof outer));
  }
  const auto& outer = *reinterpret_cast<const gh_outer_v6*>(start);
  return check_layers(tables, family, frame, outer, *reinterpret_cast<const gh_ipv6*>(start + sizeof outer));
}

std::vector<std::uint64_t> node_packets(const l4::Tables& tables, Family family) {
  std::vector<std::uint64_t> packets(kNodes);
  for (std::size_t base = 0; base < tables.node_traffic.size(); base += GH_MAX_NODES) {
    for (std::uint16_t number = 0; number < kNodes; ++number) {
      packets[number] += tables.node_traffic[base + first_node(family) + number].packets;
    }
  }
  return packets;
}

}  // namespace gatehouse::perf
