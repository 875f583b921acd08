// Frames at a front door that has services: what is translated keeps its length and the validity of its
// checksums, and comes back as it went; what a connection id says leads to a server of the service;
// everything gets one counted verdict.
#include <netinet/in.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "bpf/flow_cache.h"
#include "bpf/wire.h"
#include "common/check.h"
#include "l4/counters.h"
#include "l4/service_writer.h"
#include "l4/table_writer.h"
#include "l4/user_tables.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::l4;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kSlots = 7;
constexpr std::uint16_t kTunnelled = 1, kTranslated = 2, kQuic = 3;

IpAddress address(const char* text) { return *IpAddress::parse(text); }

std::uint16_t group_of(std::uint16_t service) {
  return static_cast<std::uint16_t>(GH_SERVICE_GROUPS + service);
}

VipEntry vip(const char* text, std::uint16_t port, std::uint8_t protocol, std::uint16_t number,
             std::uint16_t service) {
  VipEntry entry{address(text), port, protocol, number, group_of(service)};
  entry.flags = static_cast<std::uint16_t>(GH_VIP_SERVICE | (service == kQuic ? GH_VIP_QUIC : 0));
  entry.encapsulation = service == kTranslated ? GH_ENCAPSULATE_NAT : GH_ENCAPSULATE_GUE_HOPS;
  entry.service = service;
  return entry;
}

ServiceSet service_set() {
  const QuicLb::Key key = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  ServiceSet set;
  for (const std::uint16_t number : {kTunnelled, kTranslated, kQuic})
    set.services.push_back({number, true, 900, 60, {}});
  set.services[2].quic = {{0, 1, 4, std::nullopt}, {1, 1, 15, key}, {2, 1, 6, key}, {3, 1, 18, key}};
  set.quic_servers = {{{0}, 7, kQuic}, {{1}, 8, kQuic}};
  for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP}) {
    const std::uint16_t number = protocol == IPPROTO_UDP;
    set.backs.push_back({address("192.0.2.41"), 8080, protocol, static_cast<std::uint16_t>(2 + number),
                         kTranslated, address("198.51.100.21"), 80});
    set.backs.push_back({address("2001:db8::41"), 8080, protocol, static_cast<std::uint16_t>(4 + number),
                         kTranslated, address("2001:db8:100::21"), 80});
  }
  return set;
}

MemoryPlane& front_door() {
  static MemoryPlane plane(kSlots, 4, 2);
  static const bool is_set = [] {
    TableWriter writer(plane);
    ServiceWriter services(plane);
    writer.set_identity({.source_v4 = address("192.0.2.11"), .source_v6 = address("2001:db8::11"), .key = {1, 2, 3, 4}, .mtu = 1500,
                         .ipip_v4 = {}, .ipip_v6 = {}, .icmp_answers = 0});
    const struct {
      std::uint16_t id, service;
      const char* address;
    } servers[] = {{4, kTunnelled, "192.0.2.31"},
                   {5, kTranslated, "192.0.2.41"},
                   {6, kTranslated, "2001:db8::41"},
                   {7, kQuic, "192.0.2.51"},
                   {8, kQuic, "2001:db8::52"}};
    for (const auto& server : servers) {
      writer.set_node(server.id, address(server.address));
      services.set_server(server.id, server.service, server.service == kTranslated ? 8080 : 0, 0, true);
    }
    bool is_good = services.set(service_set()).has_value();
    // Half of the translated flows meet a server of the other family, which nobody can translate to.
    const std::uint16_t owners[][2] = {{4, 4}, {5, 6}, {7, 8}};
    for (std::uint16_t service = 1; service <= 3; ++service) {
      std::vector<std::uint64_t> ring;
      for (std::uint32_t slot = 0; slot < kSlots; ++slot)
        ring.push_back(gh_slot(owners[service - 1][slot % 2], 0, 0, 0));
      is_good = is_good && writer.set_ring(group_of(service), ring, 1).has_value();
    }
    const VipEntry vips[] = {vip("198.51.100.20", 53, IPPROTO_UDP, 0, kTunnelled),
                             vip("2001:db8:100::20", 5432, IPPROTO_TCP, 1, kTunnelled),
                             vip("198.51.100.21", 80, IPPROTO_TCP, 2, kTranslated),
                             vip("198.51.100.21", 80, IPPROTO_UDP, 3, kTranslated),
                             vip("2001:db8:100::21", 80, IPPROTO_TCP, 4, kTranslated),
                             vip("2001:db8:100::21", 80, IPPROTO_UDP, 5, kTranslated),
                             vip("198.51.100.22", 443, IPPROTO_UDP, 6, kQuic)};
    return is_good && writer.set_vips(vips).has_value();
  }();
  GH_CHECK(is_set);
  return plane;
}

std::uint32_t word(const Bytes& bytes, std::size_t at) {
  GH_CHECK(at + 2 <= bytes.size());
  return static_cast<std::uint32_t>(bytes[at] << 8 | bytes[at + 1]);
}

std::uint32_t sum_of(const Bytes& bytes, std::size_t from, std::size_t to) {
  std::uint32_t sum = 0;
  for (std::size_t i = from; i < to; i += 2)
    sum += i + 1 < to ? word(bytes, i) : static_cast<std::uint32_t>(bytes[i] << 8);
  return sum;
}

bool is_right(std::uint32_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

// Where things are in a frame that the core has parsed: Ethernet, tags, IP, TCP or UDP, nothing between.
struct Layout {
  explicit Layout(const Bytes& frame) {
    while (word(frame, ip - 2) == GH_ETHERTYPE_VLAN || word(frame, ip - 2) == GH_ETHERTYPE_QINQ) ip += 4;
    is_v4 = word(frame, ip - 2) == GH_ETHERTYPE_IPV4;
    transport = ip + (is_v4 ? (frame[ip] & 15u) * 4 : 40u);
    end = ip + (is_v4 ? word(frame, ip + 2) : word(frame, ip + 4) + 40);
    protocol = frame[ip + (is_v4 ? 9 : 6)];
    addresses = ip + (is_v4 ? 12 : 8);
  }
  bool is_plain() const { return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP; }
  std::size_t checksum() const { return transport + (protocol == IPPROTO_TCP ? 16 : 6); }
  std::size_t ip = 14, transport = 0, end = 0, addresses = 0;
  std::uint8_t protocol = 0;
  bool is_v4 = false;
};

bool has_right_checksum(const Bytes& frame, const Layout& at) {
  const std::uint32_t pseudo = sum_of(frame, at.addresses, at.ip + (at.is_v4 ? 20 : 40)) + at.protocol +
                               static_cast<std::uint32_t>(at.end - at.transport);
  return is_right(pseudo + sum_of(frame, at.transport, at.end));
}

// All but what translation writes: addresses, ports, checksums.
Bytes without_what_changes(Bytes frame, const Layout& at) {
  const auto clear = [&frame](std::size_t from, std::size_t length) {
    std::fill_n(frame.begin() + static_cast<std::ptrdiff_t>(from), length, 0);
  };
  clear(0, 12);
  clear(at.addresses, at.is_v4 ? 8 : 32);
  if (at.is_v4) clear(at.ip + 10, 2);
  clear(at.transport, 4);
  clear(at.checksum(), 2);
  return frame;
}

void check_translated(const Bytes& before, const Bytes& after) {
  GH_CHECK(before.size() == after.size());
  const Layout at(before);
  if (!at.is_plain()) return;  // behind extension headers
  GH_CHECK(at.end <= before.size());
  GH_CHECK(without_what_changes(before, at) == without_what_changes(after, at));
  if (at.is_v4) {
    GH_CHECK(is_right(sum_of(before, at.ip, at.transport)) == is_right(sum_of(after, at.ip, at.transport)));
  }
  const std::uint32_t sum = word(before, at.checksum());
  if (at.protocol == IPPROTO_UDP && sum == 0) {
    GH_CHECK(word(after, at.checksum()) == 0);
  } else if (has_right_checksum(before, at)) {
    GH_CHECK(has_right_checksum(after, at));
  }
}

struct Handled {
  gh_verdict verdict{};
  Bytes frame;
};

Handled handle(const Bytes& frame, std::size_t headroom) {
  Tables tables = front_door().tables();
  const auto total = [&tables] {
    const VerdictCounts counts = verdict_counts(tables);
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  };
  Bytes memory(headroom, 0xee);
  memory.insert(memory.end(), frame.begin(), frame.end());
  memory.shrink_to_fit();
  PacketBuffer packet{memory, headroom, frame.size()};
  const std::uint64_t before = total();
  const gh_verdict verdict = balance(tables, packet);
  GH_CHECK(total() == before + 1);
  const auto start = memory.begin() + static_cast<std::ptrdiff_t>(packet.start);
  return {verdict, Bytes(start, start + static_cast<std::ptrdiff_t>(packet.length))};
}

// What the server would answer if it sent the packet straight back.
Bytes answer_to(Bytes frame) {
  const Layout at(frame);
  const auto place = frame.begin() + static_cast<std::ptrdiff_t>(at.addresses);
  const std::ptrdiff_t length = at.is_v4 ? 4 : 16;
  std::swap_ranges(place, place + length, place + length);
  const auto ports = frame.begin() + static_cast<std::ptrdiff_t>(at.transport);
  std::swap_ranges(ports, ports + 2, ports + 2);
  return frame;
}

void check_flows() {
  for (const gh_flow_line& line : front_door().tables().services.flow_lines) {
    for (const __u64 way : line.way)
      GH_CHECK(way == 0 || ((way & GH_FLOW_SERVER) >= 4 && (way & GH_FLOW_SERVER) <= 8));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;  // no driver hands that over
  const Bytes frame(data, data + size);
  const Handled handled = handle(frame, 256);
  check_flows();
  if (handled.verdict == GH_TRANSLATED_BACK) check_translated(frame, handled.frame);
  if (handled.verdict != GH_FORWARDED || handled.frame.size() != frame.size()) return 0;
  check_translated(frame, handled.frame);
  if (!Layout(frame).is_plain()) return 0;
  const Handled back = handle(answer_to(handled.frame), 0);
  GH_CHECK(back.verdict == GH_TRANSLATED_BACK);
  // The answer's way is the packet's, but for the ends of the line: so are its checksums.
  Bytes expected = answer_to(frame), returned = back.frame;
  std::fill_n(expected.begin(), 12, 0), std::fill_n(returned.begin(), 12, 0);
  const Layout at(expected);
  const bool is_zero = word(expected, at.checksum()) == 0xffff || word(expected, at.checksum()) == 0;
  if (!is_zero && (!at.is_v4 || word(expected, at.ip + 10) % 0xffff != 0)) GH_CHECK(expected == returned);
  return 0;
}
