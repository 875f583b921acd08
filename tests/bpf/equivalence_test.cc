// The packet core is one source and two builds. Random packets go through both, over the very same tables:
// the user-space build reads those of the kernel, and only its counters are its own. Output, verdict and
// traffic must be equal.
#include <functional>
#include <random>

#include "tests/bpf/builds.h"

namespace gatehouse::test {
namespace {

constexpr std::uint64_t kSeed = 20260501;
constexpr int kFrontDoorPackets = 250'000;
constexpr int kNodePackets = 80'000;
constexpr std::uint32_t kSlots = 251;
constexpr std::uint32_t kMtu = 1300;  // the smallest whose answers to IPv6 quote as much as they may

// ---- Packets ----

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
  bool one_in(std::uint32_t count) { return below(count) == 0; }
  template <typename T, std::size_t N>
  T pick(const T (&choices)[N]) {
    return choices[below(N)];
  }

  // What a front door may see: mostly packets to a VIP, most of them damaged.
  Bytes front_door_packet() { return one_in(8) ? noise() : damaged(link().packet(client_packet()).build()); }

  // What a node may see: mostly tunnel packets, half of them damaged.
  Bytes node_packet() {
    if (one_in(8)) return front_door_packet();
    PacketBuilder frame = link();
    if (one_in(2)) {
      frame.ipv4(pick({"192.0.2.1", "192.0.2.1", "10.0.0.2", "192.0.2.66", "10.99.7.200"}), "10.0.0.1");
      if (one_in(16)) frame.options({1, 1, 1, 0});
    } else {
      frame.ipv6(pick({"2001:db8:2::1", "2001:db8:2::1", "fd00::6", "2001:db8:2::66", "::ffff:192.0.2.1", "2001:db8:99::5:6"}),
                 "fd00::1");
    }
    frame.traffic_class(byte());
    switch (below(4)) {
      case 0:
        break;  // IPIP and its mixes
      case 1:
        frame.udp(port(), 6080).plain_gue();
        break;
      default:
        frame.udp(port(), one_in(16) ? port() : 6080).gue(static_cast<std::uint16_t>(below(65536)), hops());
    }
    const Bytes packet = frame.packet(client_packet()).build();
    return one_in(2) ? packet : damaged(packet);
  }

 private:
  std::uint8_t byte() { return static_cast<std::uint8_t>(random_()); }
  std::uint16_t port() { return static_cast<std::uint16_t>(random_()); }

  Bytes bytes(std::size_t length) {
    Bytes result(length);
    for (std::uint8_t& value : result) value = byte();
    return result;
  }

  PacketBuilder link() {
    PacketBuilder builder;
    builder.ethernet();
    if (one_in(4)) builder.vlan(port(), pick<std::uint16_t>({0x8100, 0x88a8}));
    if (one_in(8)) builder.vlan(port());
    if (one_in(64)) builder.vlan(port());
    return builder;
  }

  std::vector<std::uint16_t> hops() {
    std::vector<std::uint16_t> hops;
    for (std::uint32_t count = below(4); count > 0; --count) hops.push_back(pick<std::uint16_t>({2, 3, 6, 7, 9, 5000}));
    return hops;
  }

  std::string vip_v4() {
    return pick({"198.51.100.10", "198.51.100.10", "198.51.100.11", "198.51.100.12", "198.51.100.13", "198.51.100.14", "198.51.100.15",
                 "198.51.100.99"});
  }
  std::string vip_v6() { return pick({"2001:db8:5::10", "2001:db8:5::10", "2001:db8:5::14", "2001:db8:5::99", "::ffff:198.51.100.10"}); }

  Bytes client_packet() {
    PacketBuilder builder;
    if (one_in(2)) {
      const std::string client = one_in(16) ? "224.0.0.9" : "203.0.113." + std::to_string(below(256));
      const std::string vip = vip_v4();
      builder.ipv4(client, vip);
      if (one_in(8)) return error_v4(builder, client, vip);
      if (one_in(8)) builder.options(Bytes(4 * (1 + below(10)), 1));
      if (one_in(16)) builder.fragment(static_cast<std::uint16_t>(8 * below(100)), one_in(2));
    } else {
      const std::string client = "2001:db8:c::" + std::to_string(1 + below(999));
      const std::string vip = vip_v6();
      builder.ipv6(client, vip);
      if (one_in(8)) return error_v6(builder, client, vip);
      for (int i = 0; i < 8 && one_in(4); ++i) {
        builder.extension(pick<std::uint8_t>({0, 43, 44, 60, 60, 51, 135, 139}), one_in(2) ? Bytes(7) : bytes(7));
      }
    }
    return with_length(finish(builder));
  }

  // About what the VIP sent; often cut.
  Bytes error_v4(PacketBuilder& builder, const std::string& client, const std::string& vip) {
    PacketBuilder quoted;
    quoted.ipv4(vip, client);
    if (one_in(4)) quoted.options(Bytes(4 * (1 + below(10)), 1));
    if (one_in(8)) quoted.fragment(static_cast<std::uint16_t>(8 * below(2)), one_in(2));
    return builder.icmp(pick<std::uint8_t>({3, 11, 12, 5}), 4).payload(cut(quoted)).build();
  }
  Bytes error_v6(PacketBuilder& builder, const std::string& client, const std::string& vip) {
    PacketBuilder quoted;
    quoted.ipv6(vip, client);
    for (int i = 0; i < 8 && one_in(4); ++i) quoted.extension(pick<std::uint8_t>({0, 43, 44, 60, 51}), one_in(2) ? Bytes(7) : bytes(7));
    return builder.icmp(pick<std::uint8_t>({1, 2, 3, 4, 5}), 0).payload(cut(quoted)).build();
  }
  Bytes cut(PacketBuilder& quoted) {
    Bytes bytes = finish_with_ports(quoted, pick<std::uint16_t>({443, 53, 80}), port()).build();
    bytes.resize(below(static_cast<std::uint32_t>(bytes.size()) + 1));
    return bytes;
  }
  PacketBuilder& finish_with_ports(PacketBuilder& builder, std::uint16_t source, std::uint16_t destination) {
    return one_in(3) ? builder.udp(source, destination) : builder.tcp(source, destination);
  }

  // One in sixteen ends earlier, or much later, than the frame does.
  Bytes with_length(Bytes packet) {
    if (one_in(16))
      packet[packet[0] >> 4 == 4 ? 3 : 5] = static_cast<std::uint8_t>(below(one_in(8) ? 256 : 64));
    return packet;
  }

  Bytes finish(PacketBuilder& builder) {
    switch (below(8)) {
      case 0:
        builder.icmp(one_in(2) ? byte() : pick<std::uint8_t>({8, 128}), 0);
        break;
      case 1:
        builder.next(byte());
        break;
      case 2:
      case 3:
        builder.udp(port(), pick<std::uint16_t>({53, 53, 443, 1}));
        break;
      default:
        builder.tcp(port(), pick<std::uint16_t>({443, 443, 80, 53}),
                    pick<std::uint8_t>({kAck, kSyn, kSyn | kAck, 0xff}));
    }
    return builder.payload(bytes(one_in(8) ? 1100 + below(400) : below(one_in(4) ? 300 : 24))).build();
  }

  Bytes damaged(Bytes packet) {
    switch (below(4)) {
      case 0:
        break;
      case 1:
        packet.resize(14 + below(static_cast<std::uint32_t>(packet.size() - 13)));
        break;
      case 2:
        packet.resize(packet.size() + 1 + below(40));
        break;
      default:
        for (std::uint32_t count = 1 + below(4); count > 0; --count) {
          packet[below(static_cast<std::uint32_t>(std::min<std::size_t>(packet.size(), 200)))] = byte();
        }
    }
    return packet;
  }

  // Random bytes; half of them with a link header that leads on.
  Bytes noise() {
    Bytes packet = bytes(14 + below(120));
    if (one_in(2)) return packet;
    const bool is_v4 = one_in(2);
    packet[12] = is_v4 ? 0x08 : 0x86;
    packet[13] = is_v4 ? 0x00 : 0xdd;
    if (packet.size() > 14) packet[14] = is_v4 ? 0x45 : 0x60;
    return packet;
  }

  std::mt19937_64 random_;
};

// ---- Both builds, side by side ----

// The counters of all VIPs and nodes, all CPUs together.
std::vector<std::uint64_t> traffic_of(const l4::Tables& tables) {
  std::vector<std::uint64_t> numbers;
  const auto add = [&numbers](const gh_traffic& traffic) {
    numbers.insert(numbers.end(), {traffic.packets, traffic.bytes, traffic.opened, traffic.errors});
  };
  for (std::uint16_t vip = 0; vip < GH_MAX_VIPS; ++vip) add(l4::vip_traffic(tables, vip));
  for (std::uint16_t node = 0; node < GH_MAX_NODES; ++node) add(l4::node_traffic(tables, node));
  return numbers;
}

// The kernel's tables with counters of our own.
l4::Tables beside(const l4::Tables& kernel, gh_cpu& counters) {
  l4::Tables tables = kernel;
  tables.cpus = {&counters, 1};
  return tables;
}

struct Comparison {
  int packets = 0;
  UserBuild user_build = nullptr;
  std::function<Bytes(Generator&)> generate;
  std::function<int(Bytes&)> kernel_build;  // in place; -1: the kernel refused to run it
};

template <typename Counted>
void compare(const Comparison& comparison, const Counted& kernel, l4::Tables& user) {
  Generator generator(kSeed);
  for (int i = 0; i < comparison.packets; ++i) {
    const Bytes input = comparison.generate(generator);
    Bytes from_kernel = input;
    ASSERT_GE(comparison.kernel_build(from_kernel), 0) << to_hex(input);
    Bytes from_user = input;
    run_here(comparison.user_build, user, from_user);
    if (from_kernel == from_user && l4::verdict_counts(kernel) == l4::verdict_counts(user)) continue;
    EXPECT_EQ(l4::verdict_counts(kernel), l4::verdict_counts(user));
    FAIL() << "seed " << kSeed << ", packet " << i << "\n input  " << to_hex(input) << "\n kernel "
           << to_hex(from_kernel) << "\n user   " << to_hex(from_user);
  }
}

// A comparison that never reached a verdict says nothing about it.
void expect_reached(const l4::Tables& tables, std::initializer_list<gh_verdict> verdicts) {
  for (const gh_verdict verdict : verdicts) EXPECT_GE(l4::verdict_counts(tables)[verdict], 20u) << "verdict " << verdict;
}

// ---- The front door ----

Site random_site() {
  Site site{kMtu, {}, {}, 1000};
  site.vips = {
      {ip("198.51.100.10"), 443, 6, 0, 0},  {ip("198.51.100.10"), 53, 17, 1, 1},
      {ip("198.51.100.11"), 443, 6, 2, 2},  {ip("198.51.100.12"), 443, 6, 3, 3},  // group 3 has no ring
      {ip("2001:db8:5::10"), 443, 6, 4, 0}, {ip("2001:db8:5::10"), 53, 17, 5, 1},
      // Any port; GUE without hops; IPIP; pieces.
      {ip("198.51.100.13"), 0, 6, 6, 0},    {ip("198.51.100.13"), 53, 17, 7, 1, 0, GH_ENCAPSULATE_GUE},
      {ip("198.51.100.14"), 443, 6, 8, 2, 0, GH_ENCAPSULATE_IPIP}, {ip("2001:db8:5::14"), 0, 17, 9, 1, 0, GH_ENCAPSULATE_IPIP},
      {ip("2001:db8:5::14"), 443, 6, 10, 0, 0, GH_ENCAPSULATE_GUE, GH_HASH_SOURCE},
      {ip("198.51.100.15"), 53, 17, 11, 1, GH_VIP_FRAGMENTS, GH_ENCAPSULATE_GUE_HOPS, GH_HASH_ADDRESSES},
  };
  Generator generator(kSeed);
  // Up to eight nodes, and some that nobody knows: 0, 9 and those beyond the table.
  const auto node = [&generator] {
    return generator.pick<std::uint16_t>({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 4096, 0xffff});
  };
  site.rings.assign(3, std::vector<std::uint64_t>(kSlots));
  for (auto& ring : site.rings) {
    for (std::uint64_t& slot : ring) slot = gh_slot(node(), node(), node(), node());
  }
  return site;
}

class FrontDoorBuilds : public FrontDoorInTheKernel {
 protected:
  void SetUp() override { open(kSlots, random_site()); }
};

TEST_F(FrontDoorBuilds, AgreeOnRandomPackets) {
  const l4::Tables& kernel = plane_->tables();
  const auto counters = std::make_unique<gh_cpu>();
  l4::Tables user = beside(kernel, *counters);
  compare({kFrontDoorPackets, l4::balance, [](Generator& generator) { return generator.front_door_packet(); },
           [this](Bytes& packet) { return run(packet); }},
          kernel, user);
  EXPECT_EQ(traffic_of(kernel), traffic_of(user));
  expect_reached(user, {GH_NOT_VIP, GH_FORWARDED, GH_TRUNCATED, GH_VIP_NO_PORTS, GH_VIP_FRAGMENT,
                        GH_VIP_EXTENSION, GH_VIP_NO_RING, GH_VIP_TOO_BIG, GH_VIP_TOO_BIG_DROPPED, GH_VIP_ECHO});
}

// ---- The node ----

using NodeBuilds = NodeInTheKernel;

// No socket of this machine knows the clients of the documentation's networks: both builds see unknown flows.
TEST_F(NodeBuilds, AgreeOnRandomPackets) {
  const auto counters = std::make_unique<gh_cpu>();
  l4::Tables user = beside(tables_, *counters);
  compare({kNodePackets, l4::decapsulate, [](Generator& generator) { return generator.node_packet(); },
           [this](Bytes& packet) { return run(packet); }},
          counts_, user);
  expect_reached(user, {GH_NODE_NOT_TUNNEL, GH_NODE_STRANGER, GH_NODE_BAD_TUNNEL, GH_NODE_DELIVERED,
                        GH_NODE_OWNED, GH_NODE_SENT_ON, GH_NODE_HOP_UNKNOWN, GH_NODE_CONGESTED});
}

}  // namespace
}  // namespace gatehouse::test
