// Addresses, which harness.bpf.c knows too: VIPs 198.18.0.0/16 and 2001:db8:100::/112, nodes 10.20.0.0/16 and fd00:20::/112, clients 10.0.0.0/8 and
// 2001:db8:200::/96.
#include "perf/packets/site.h"

#include <array>
#include <cstring>

#include "bpf/wire.h"
#include "common/check.h"
#include "l4/counters.h"
#include "l4/ring_compiler.h"
#include "l4/service_writer.h"
#include "l4/table_writer.h"
#include "l4/user_tables.h"

namespace gatehouse::perf {
namespace {

constexpr std::array<std::uint64_t, 4> kKey = {0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89};
constexpr std::uint32_t kMtu = 1600;
constexpr std::size_t kPayload = 10;
constexpr std::uint16_t kPort = 443;

IpAddress address(const std::string& text) {
  const auto parsed = IpAddress::parse(text);
  GH_CHECK(parsed);
  return *parsed;
}

// `base` with its last sixteen bits set to `number`.
IpAddress numbered(const char* base, std::uint16_t number) {
  IpAddress result = address(base);
  result.bytes[14] = static_cast<std::uint8_t>(number >> 8);
  result.bytes[15] = static_cast<std::uint8_t>(number);
  return result;
}

IpAddress vip_address(Family family, std::uint16_t number) {
  return numbered(family == Family::kIpv4 ? "198.18.0.0" : "2001:db8:100::", number);
}
IpAddress node_address(Family family, std::uint16_t number) {
  return numbered(family == Family::kIpv4 ? "10.20.0.0" : "fd00:20::", number);
}
std::uint16_t node_id(Family family, std::uint16_t number, const Shape& shape) {
  return static_cast<std::uint16_t>(number + (family == Family::kIpv4 ? 0 : shape.nodes));
}
std::uint16_t service_of(Family family) { return family == Family::kIpv4 ? 1 : 2; }
std::uint16_t group_of(Family family, Tunnel tunnel) {
  if (tunnel == Tunnel::kService) return static_cast<std::uint16_t>(GH_SERVICE_GROUPS + service_of(family));
  return static_cast<std::uint16_t>((family == Family::kIpv4 ? 0 : 1) + (tunnel == Tunnel::kGueTransition ? 2 : 0));
}

bool is_ipip(Tunnel tunnel) { return tunnel == Tunnel::kIpip || tunnel == Tunnel::kService; }

std::uint8_t encapsulation_of(Tunnel tunnel) {
  if (is_ipip(tunnel)) return GH_ENCAPSULATE_IPIP;
  return tunnel == Tunnel::kGue ? GH_ENCAPSULATE_GUE : GH_ENCAPSULATE_GUE_HOPS;
}

std::size_t shim_length(Tunnel tunnel) {
  if (is_ipip(tunnel)) return 0;
  return sizeof(gh_udp) + (tunnel == Tunnel::kGue ? 4 : sizeof(gh_gue));
}

// Every slot gets three earlier owners.
std::vector<std::uint64_t> in_transition(std::vector<std::uint64_t> ring, Family family, const Shape& shape) {
  for (std::uint64_t& slot : ring) {
    const int owner = gh_slot_hop(slot, 0) - node_id(family, 1, shape);
    const auto other = [&](int step) {
      return node_id(family, static_cast<std::uint16_t>(1 + (owner + step) % shape.nodes), shape);
    };
    slot = gh_slot(gh_slot_hop(slot, 0), other(1), other(2), other(3));
  }
  return ring;
}

Status fill_rings(l4::TableWriter& writer, Family family, const Shape& shape) {
  l4::Generation generation{1, 0, {}};
  for (std::uint16_t number = 1; number <= shape.nodes; ++number) {
    writer.set_node(node_id(family, number, shape), node_address(family, number));
    generation.members.push_back({node_id(family, number, shape), 100});
  }
  const auto ring = l4::compile_ring(std::span(&generation, 1), kRingSlots);
  if (const Status set = writer.set_ring(group_of(family, Tunnel::kGueHops), ring, 1); !set) return set;
  if (!shape.has_all_tunnels) return {};
  if (const Status set = writer.set_ring(group_of(family, Tunnel::kService), ring, 1); !set) return set;
  return writer.set_ring(group_of(family, Tunnel::kGueTransition), in_transition(ring, family, shape), 1);
}

// All nodes of a family are servers of its service, too.
Status fill_services(l4::DataPlane& plane, const Shape& shape) {
  l4::ServiceWriter writer(plane);
  l4::ServiceSet set;
  for (const Family family : kFamilies) {
    set.services.push_back({service_of(family), true, 900, 60, {}});
    for (std::uint16_t number = 1; number <= shape.nodes; ++number) {
      writer.set_server(node_id(family, number, shape), service_of(family), 0, GH_ENCAPSULATE_IPIP, true);
    }
  }
  return writer.set(set);
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

std::vector<std::uint8_t> make_frame_to(Family family, const IpAddress& destination) {
  const bool is_v4 = family == Family::kIpv4;
  std::vector<std::uint8_t> frame;
  append<gh_ethernet>(frame)->type = gh_be16(is_v4 ? GH_ETHERTYPE_IPV4 : GH_ETHERTYPE_IPV6);
  is_v4 ? append_ipv4(frame, destination) : append_ipv6(frame, destination);
  auto* tcp = append<gh_tcp>(frame);
  tcp->source_port = gh_be16(40000);
  tcp->destination_port = gh_be16(kPort);
  tcp->offset = 0x50;
  tcp->flags = GH_TCP_ACK;
  frame.resize(frame.size() + kPayload);
  return frame;
}

IpAddress read_address(const std::uint8_t* from, Family family) {
  IpAddress read;
  if (family == Family::kIpv4) {
    std::uint8_t octets[4];
    std::memcpy(octets, from, 4);
    return IpAddress::from_v4(octets);
  }
  std::memcpy(read.bytes.data(), from, 16);
  return read;
}

}  // namespace

std::string_view to_string(Family family) { return family == Family::kIpv4 ? "IPv4" : "IPv6"; }

std::string_view to_string(Tunnel tunnel) {
  switch (tunnel) {
    case Tunnel::kIpip: return "IPIP";
    case Tunnel::kGue: return "GUE";
    case Tunnel::kGueHops: return "GUE, hop list empty";
    case Tunnel::kGueTransition: return "GUE, hop list";
    case Tunnel::kService: return "service, IPIP";
  }
  return "";
}

std::uint16_t first_vip(Tunnel tunnel) { return static_cast<std::uint16_t>(1024 * (1 + static_cast<int>(tunnel))); }

Status fill_tables(l4::DataPlane& plane, const Shape& shape) {
  l4::TableWriter writer(plane);
  writer.set_identity({address("10.20.255.1"), address("fd00:20:1::1"), kKey, kMtu, *IpPrefix::parse("10.21.0.0/24"),
                       *IpPrefix::parse("fd00:21::/64"), 0});
  std::vector<l4::VipEntry> vips;
  for (const Family family : kFamilies) {
    if (const Status filled = fill_rings(writer, family, shape); !filled) return filled;
    for (const Tunnel tunnel : kTunnels) {
      if (!shape.has_all_tunnels && (tunnel != Tunnel::kGueHops || family != Family::kIpv4)) continue;
      for (std::uint32_t i = 0; i < shape.vips; ++i) {
        const IpAddress vip = vip_address(family, static_cast<std::uint16_t>(first_vip(tunnel) + i));
        const auto number = static_cast<std::uint16_t>(vips.size());
        vips.push_back({vip, kPort, GH_PROTOCOL_TCP, number, group_of(family, tunnel), 0, encapsulation_of(tunnel)});
        if (tunnel != Tunnel::kService) continue;
        vips.back().flags = GH_VIP_SERVICE;
        vips.back().service = service_of(family);
      }
    }
  }
  if (!shape.has_all_tunnels) return writer.set_vips(vips);
  const Status filled = fill_services(plane, shape);
  return filled ? writer.set_vips(vips) : filled;
}

std::vector<std::uint8_t> make_frame(Family family, Tunnel tunnel) {
  return make_frame_to(family, vip_address(family, first_vip(tunnel)));
}
std::vector<std::uint8_t> make_other_frame(Family family) { return make_frame_to(family, vip_address(family, 99)); }

Status check_forwarded(const l4::Tables& tables, Family family, Tunnel tunnel, std::span<const std::uint8_t> frame) {
  const bool is_v4 = family == Family::kIpv4;
  const std::size_t ip = is_v4 ? sizeof(gh_ipv4) : sizeof(gh_ipv6), outer = ip + shim_length(tunnel);
  if (frame.size() != sizeof(gh_ethernet) + outer + ip + sizeof(gh_tcp) + kPayload) return Error{"it has the wrong length"};
  const std::uint8_t* outer_ip = frame.data() + sizeof(gh_ethernet);
  const std::uint8_t* inner_ip = outer_ip + outer;
  const std::uint8_t expected = !is_ipip(tunnel) ? GH_PROTOCOL_UDP : is_v4 ? GH_PROTOCOL_IPIP : GH_PROTOCOL_IPV6;
  if (outer_ip[is_v4 ? 9 : 6] != expected) return Error{"it has the wrong outer header"};
  const std::size_t length = is_v4 ? 4 : 16, source_at = is_v4 ? 12 : 8;
  const Endpoint source{read_address(inner_ip + source_at, family),
                        gh_from_be16(reinterpret_cast<const gh_tcp*>(inner_ip + ip)->source_port)};
  const Endpoint vip{read_address(inner_ip + source_at + length, family), kPort};
  l4::Tables copy = tables;
  const auto explanation = l4::explain_packet(copy, source, vip, GH_PROTOCOL_TCP);
  if (!explanation || explanation->hops.empty()) return Error{"the tables name no node for " + to_string(source)};
  const gh_node& node = tables.nodes[explanation->hops[0]];
  const IpAddress wanted = l4::from_table_address(node.destinations[node.live].address);
  if (read_address(outer_ip + source_at + length, family) != wanted) {
    return Error{"the packet of " + to_string(source) + " did not go to " + to_string(wanted)};
  }
  return {};
}

std::vector<std::uint64_t> node_packets(const l4::Tables& tables, Family family, const Shape& shape) {
  std::vector<std::uint64_t> packets;
  for (std::uint16_t number = 1; number <= shape.nodes; ++number) {
    packets.push_back(l4::node_traffic(tables, node_id(family, number, shape)).packets);
  }
  return packets;
}

}  // namespace gatehouse::perf
