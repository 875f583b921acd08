// Frames at the front door and at a node: every one gets one counted verdict; what is not ours is not
// touched; what is forwarded carries the packet whole behind a correct outer header, and comes out of the
// tunnel as it went in.
#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "bpf/wire.h"
#include "common/check.h"
#include "l4/counters.h"
#include "l4/table_writer.h"
#include "l4/user_tables.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::l4;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kSlots = 7;
constexpr std::uint32_t kMtu = 1500;
constexpr std::size_t kLinkAddresses = 12;

IpAddress address(const char* text) { return *IpAddress::parse(text); }

Identity identity(const char* v4, const char* v6) {
  return {.source_v4 = address(v4),
          .source_v6 = address(v6),
          .key = {1, 2, 3, 4},
          .mtu = kMtu,
          .ipip_v4 = IpPrefix::parse("10.99.7.0/24"),
          .ipip_v6 = IpPrefix::parse("2001:db8:99::/64"),
          .icmp_answers = 1'000'000'000};
}

void set_nodes(TableWriter& writer) {
  writer.set_node(1, address("192.0.2.21"));
  writer.set_node(2, address("2001:db8::22"));
  writer.set_node(3, address("192.0.2.23"));
}

// The L4 host: VIPs of every kind in both families, one ring over two nodes, some slots with earlier owners.
MemoryPlane& front_door() {
  static MemoryPlane plane(kSlots, 2);
  static const bool is_set = [] {
    TableWriter writer(plane);
    writer.set_identity(identity("192.0.2.11", "2001:db8::11"));
    set_nodes(writer);
    std::vector<VipEntry> vips;
    for (const bool is_v4 : {true, false}) {
      const auto add = [&](int host, std::uint16_t port, std::uint8_t protocol, std::uint16_t flags,
                           std::uint8_t encapsulation, std::uint8_t fields) {
        const std::string text = (is_v4 ? "198.51.100." : "2001:db8:100::") + std::to_string(host);
        vips.push_back({address(text.c_str()), port, protocol, static_cast<std::uint16_t>(vips.size()), 0,
                        flags, encapsulation, fields});
      };
      add(10, 443, IPPROTO_TCP, 0, GH_ENCAPSULATE_GUE_HOPS, GH_HASH_FLOW);
      add(10, 443, IPPROTO_UDP, 0, GH_ENCAPSULATE_GUE, GH_HASH_FLOW);
      add(10, 53, IPPROTO_UDP, GH_VIP_FRAGMENTS, GH_ENCAPSULATE_GUE_HOPS, GH_HASH_ADDRESSES);
      add(10, 0, IPPROTO_TCP, 0, GH_ENCAPSULATE_IPIP, GH_HASH_FLOW);
    }
    const std::uint64_t ring[kSlots] = {gh_slot(1, 0, 0, 0),
                                        gh_slot(2, 0, 0, 0),
                                        gh_slot(1, 3, 0, 0),
                                        gh_slot(3, 1, 2, 0),
                                        gh_slot(2, 1, 3, 4),
                                        gh_slot(9, 1, 0, 0),
                                        0};
    return writer.set_vips(vips).has_value() && writer.set_ring(0, ring, 5).has_value();
  }();
  GH_CHECK(is_set);
  return plane;
}

// Nodes 1 and 2 in one: its address table holds those who may send through the tunnel.
MemoryPlane& node() {
  static MemoryPlane plane(kSlots, 2);
  static const bool is_set = [] {
    TableWriter writer(plane);
    writer.set_identity(identity("192.0.2.21", "2001:db8::22"));
    set_nodes(writer);
    const VipEntry senders[] = {{address("192.0.2.11"), 1, IPPROTO_TCP, 0, 0},
                                {address("2001:db8::11"), 1, IPPROTO_TCP, 0, 0},
                                {address("192.0.2.23"), 1, IPPROTO_TCP, 0, 0}};
    return writer.set_vips(senders).has_value();
  }();
  GH_CHECK(is_set);
  return plane;
}

std::uint16_t word(std::span<const std::uint8_t> bytes, std::size_t at) {
  GH_CHECK(at + 2 <= bytes.size());
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

struct Handled {
  gh_verdict verdict{};
  Bytes frame;
};

std::uint64_t total(const VerdictCounts& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

using Handler = gh_verdict (*)(Tables&, PacketBuffer&);

// Runs `frame` with `headroom` bytes before it and none behind it.
Handled handle(Handler handler, MemoryPlane& plane, const Bytes& frame, std::size_t headroom) {
  Bytes memory(headroom, 0xee);
  memory.insert(memory.end(), frame.begin(), frame.end());
  Tables tables = plane.tables();
  PacketBuffer packet{memory, headroom, frame.size()};
  const VerdictCounts before = verdict_counts(tables);
  const gh_verdict verdict = handler(tables, packet);
  const VerdictCounts after = verdict_counts(tables);
  GH_CHECK(verdict < GH_VERDICT_COUNT);
  GH_CHECK(total(after) == total(before) + 1 && after[verdict] == before[verdict] + 1);
  GH_CHECK(packet.start + packet.length <= memory.size());
  GH_CHECK(packet.start + packet.length == memory.size() || verdict == GH_VIP_TOO_BIG);
  const auto start = memory.begin() + static_cast<std::ptrdiff_t>(packet.start);
  return {verdict, Bytes(start, start + static_cast<std::ptrdiff_t>(packet.length))};
}

// Ethernet and up to two tags; the frame has at least that many bytes.
std::size_t link_length(const Bytes& frame) {
  std::size_t length = sizeof(gh_ethernet);
  for (int tags = 0; tags < 2; ++tags) {
    const std::uint16_t type = word(frame, length - 2);
    if (type == GH_ETHERTYPE_VLAN || type == GH_ETHERTYPE_QINQ) length += sizeof(gh_vlan);
  }
  return length;
}

bool has_good_checksum(std::span<const std::uint8_t> header) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < sizeof(gh_ipv4); i += 2) sum += word(header, i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

std::size_t ip_length(std::span<const std::uint8_t> ip) {
  return ip[0] >> 4 == 4 ? word(ip, 2) : word(ip, 4) + sizeof(gh_ipv6);
}

// The outer header of a frame from us: lengths, ports, checksum.
void check_outer(const Bytes& frame, std::size_t inner_length) {
  const std::size_t link = link_length(frame);
  const std::span<const std::uint8_t> outer = std::span(frame).subspan(link);
  const bool is_v4 = word(frame, link - 2) == GH_ETHERTYPE_IPV4;
  GH_CHECK(is_v4 || word(frame, link - 2) == GH_ETHERTYPE_IPV6);
  const std::size_t header = is_v4 ? sizeof(gh_ipv4) : sizeof(gh_ipv6);
  if (is_v4) GH_CHECK(has_good_checksum(outer));
  const std::uint8_t protocol = outer[is_v4 ? 9 : 6];
  GH_CHECK(outer[is_v4 ? 8 : 7] == 64 && outer[0] >> 4 == (is_v4 ? 4 : 6));
  GH_CHECK(protocol == IPPROTO_UDP || protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6);
  if (inner_length == 0) return;  // sent on: the rest is as another wrote it
  GH_CHECK(ip_length(outer) <= kMtu);
  if (protocol != IPPROTO_UDP) {
    GH_CHECK(ip_length(outer) == header + inner_length);
    return;
  }
  const std::size_t gue = (outer[header + sizeof(gh_udp)] + 1u) * 4;
  GH_CHECK((gue == 4 || gue == sizeof(gh_gue)) && word(outer, header + 2) == GH_TUNNEL_PORT);
  GH_CHECK(ip_length(outer) == header + sizeof(gh_udp) + gue + inner_length);
  GH_CHECK(word(outer, header) >= 49152 && word(outer, header + 4) == sizeof(gh_udp) + gue + inner_length);
  GH_CHECK(word(outer, header + sizeof(gh_udp) + 2) == 0);
}

void swap_link_addresses(Bytes& frame) {
  std::swap_ranges(frame.begin(), frame.begin() + 6, frame.begin() + 6);
}

int congestion_mark(std::span<const std::uint8_t> ip, std::uint16_t type) {
  return type == GH_ETHERTYPE_IPV4 ? ip[1] & 3 : ip[1] >> 4 & 3;
}

// What comes out of the tunnel is what went in, but for the mark of congestion and the checksum over it.
void check_inner(Bytes before, Bytes after, int outer_mark, std::uint16_t type) {
  GH_CHECK(before.size() == after.size());
  if (outer_mark % 2 != 0) {
    GH_CHECK(before.size() >= sizeof(gh_ipv4));
    const bool is_v4 = type == GH_ETHERTYPE_IPV4;
    if (is_v4) GH_CHECK(has_good_checksum(before) == has_good_checksum(after));
    for (Bytes* packet : {&before, &after}) {
      (*packet)[1] &= is_v4 ? 0xfc : 0xcf;
      if (is_v4) (*packet)[10] = (*packet)[11] = 0;
    }
  }
  GH_CHECK(before == after);
}

// IPIP, GUE and GUE with hop list, over IPv4 and IPv6.
bool is_outer_length(std::size_t length) {
  return length == 20 || length == 32 || length == 40 || length == 52 || length == 60;
}

void check_decapsulation(const Bytes& frame, Bytes* result);

void check_forwarded(const Bytes& frame, const Bytes& tunnelled) {
  const std::size_t link = link_length(frame), added = tunnelled.size() - frame.size();
  GH_CHECK(is_outer_length(added) && link_length(tunnelled) == link);
  check_outer(tunnelled, ip_length(std::span(frame).subspan(link)));
  Bytes expected = frame;
  swap_link_addresses(expected);
  GH_CHECK(std::equal(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(link) - 2,
                      tunnelled.begin()));
  GH_CHECK(std::equal(frame.begin() + static_cast<std::ptrdiff_t>(link), frame.end(),
                      tunnelled.begin() + static_cast<std::ptrdiff_t>(link + added)));
  Bytes taken_off;
  check_decapsulation(tunnelled, &taken_off);
  if (!taken_off.empty()) GH_CHECK(taken_off == expected);
}

// The header of an answer from us; what its checksums cover is whole.
void check_answer(const Bytes& frame, const Handled& handled) {
  const std::size_t link = link_length(handled.frame);
  GH_CHECK(link == link_length(frame));
  const std::span<const std::uint8_t> ip = std::span(handled.frame).subspan(link);
  const bool is_v4 = word(handled.frame, link - 2) == GH_ETHERTYPE_IPV4;
  GH_CHECK(ip[is_v4 ? 8 : 7] == 64 && ip[is_v4 ? 9 : 6] == (is_v4 ? +IPPROTO_ICMP : +IPPROTO_ICMPV6));
  if (is_v4) GH_CHECK(has_good_checksum(ip));
  if (handled.verdict == GH_VIP_ECHO) {
    GH_CHECK(handled.frame.size() == frame.size());
  } else {
    GH_CHECK(ip_length(ip) == ip.size() && ip.size() == (is_v4 ? 576 : 1264));
  }
}

void check_balance(const Bytes& frame, std::size_t headroom) {
  const Handled handled = handle(balance, front_door(), frame, headroom);
  GH_CHECK(handled.verdict < GH_NODE_NOT_TUNNEL);
  if (handled.verdict == GH_VIP_ECHO || handled.verdict == GH_VIP_TOO_BIG) {
    check_answer(frame, handled);
  } else if (handled.verdict == GH_FORWARDED) {
    check_forwarded(frame, handled.frame);
  } else {
    GH_CHECK(handled.frame == frame);
  }
}

// `result` gets what was taken out of the tunnel, if it was.
void check_decapsulation(const Bytes& frame, Bytes* result) {
  const Handled handled = handle(decapsulate, node(), frame, 0);
  GH_CHECK(handled.verdict >= GH_NODE_NOT_TUNNEL);
  switch (handled.verdict) {
    case GH_NODE_NOT_TUNNEL:
    case GH_NODE_STRANGER:
    case GH_NODE_CONGESTED:
      GH_CHECK(handled.frame == frame);
      break;
    case GH_NODE_SENT_ON:
      GH_CHECK(handled.frame.size() == frame.size() && handled.frame != frame);
      check_outer(handled.frame, 0);
      break;
    case GH_NODE_DELIVERED:
    case GH_NODE_OWNED:
    case GH_NODE_HOP_UNKNOWN: {
      const std::size_t link = link_length(frame), removed = frame.size() - handled.frame.size();
      GH_CHECK(is_outer_length(removed));
      check_inner(Bytes(frame.begin() + static_cast<std::ptrdiff_t>(link + removed), frame.end()),
                  Bytes(handled.frame.begin() + static_cast<std::ptrdiff_t>(link), handled.frame.end()),
                  congestion_mark(std::span(frame).subspan(link), word(frame, link - 2)),
                  word(handled.frame, link - 2));
      if (result) *result = handled.frame;
      break;
    }
    default:
      GH_CHECK(handled.verdict == GH_NODE_BAD_TUNNEL);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;  // no driver hands that over
  const Bytes frame(data, data + size);
  for (const std::size_t headroom : {0u, 40u, 60u, 256u}) check_balance(frame, headroom);
  check_decapsulation(frame, nullptr);
  return 0;
}
