// Services in both builds of the packet core: random packets go through the kernel's and the user-space one,
// over the same tables but for what each writes itself, counters and the flow cache. Output, verdicts,
// counters and memory must be equal.
#include <random>
#include <thread>

#include "tests/bpf/service_site.h"

namespace gatehouse::test {
namespace {

constexpr std::uint64_t kSeed = 20260601;
constexpr int kPackets = 60'000;

class ServiceGenerator {
 public:
  Bytes packet() {
    PacketBuilder frame;
    frame.ethernet();
    if (one_in(8)) frame.vlan(static_cast<std::uint16_t>(random_()));
    Bytes bytes = frame.packet(inner()).build();
    switch (below(6)) {
      case 0:
        bytes.resize(14 + below(static_cast<std::uint32_t>(bytes.size() - 13)));
        break;
      case 1:
        for (std::uint32_t count = 1 + below(3); count > 0; --count) {
          bytes[below(static_cast<std::uint32_t>(bytes.size()))] = static_cast<std::uint8_t>(random_());
        }
        break;
      case 2:
        bytes.resize(bytes.size() + below(40));
        break;
      default:
        break;
    }
    return bytes;
  }

 private:
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
  bool one_in(std::uint32_t count) { return below(count) == 0; }
  Bytes bytes(std::size_t length) {
    Bytes result(length);
    for (std::uint8_t& byte : result) byte = static_cast<std::uint8_t>(random_());
    return result;
  }
  std::uint16_t client_port() { return static_cast<std::uint16_t>(40000 + below(12)); }
  std::uint8_t flags() {
    constexpr std::uint8_t kFlags[] = {kAck, kAck, kAck, kSyn, kFin | kAck, kReset, kSyn | kAck};
    return kFlags[below(std::size(kFlags))];
  }
  std::string client(bool is_v6) {
    return (is_v6 ? "2001:db8:c::" : "203.0.113.") + std::to_string(1 + below(3));
  }

  Bytes inner() {
    const bool is_v6 = one_in(3);
    PacketBuilder builder;
    const auto ip = [&](const std::string& source, const std::string& destination) {
      is_v6 ? builder.ipv6(source, destination) : builder.ipv4(source, destination);
      if (!is_v6 && one_in(8)) builder.options({1, 1, 1, 0});
    };
    const Bytes text = bytes(below(40));
    switch (below(4)) {
      case 0:
        ip(client(is_v6), is_v6 ? "2001:db8:5::20" : "198.51.100.20");
        return one_in(2) ? builder.tcp(client_port(), 5432, flags()).payload(text).build()
                         : builder.udp(client_port(), 53).payload(text).build();
      case 1:
        ip(client(is_v6), is_v6 ? "2001:db8:5::21" : "198.51.100.21");
        return one_in(2) ? builder.tcp(client_port(), 80, flags()).payload(text).build()
                         : builder.udp(client_port(), 80).payload(text).build();
      case 2:
        ip((is_v6 ? "fd00:1::1" : "10.0.1.1") + std::to_string(is_v6 ? 3 + below(2) : 1 + below(2)),
           one_in(16) ? (is_v6 ? "2001:db8:2::1" : "192.0.2.3") : client(is_v6));
        return one_in(2) ? builder.tcp(one_in(8) ? 22 : 8080, client_port(), flags()).payload(text).build()
                         : builder.udp(8080, client_port()).payload(text).build();
      default:
        return PacketBuilder()
            .ipv4(client(false), "198.51.100.22")
            .udp(client_port(), 443)
            .payload(quic())
            .build();
    }
  }

  // Half of them name a server; some of those are cut, some have a bit wrong.
  Bytes quic() {
    const l4::QuicLb& config = kQuicConfigs[below(static_cast<std::uint32_t>(kQuicConfigs.size()))];
    Bytes id = one_in(2)
                   ? bytes(below(21))
                   : l4::make_connection_id(config, quic_server_id(static_cast<std::uint16_t>(20 + below(5))),
                                            bytes(config.nonce_length));
    if (!id.empty() && one_in(6))
      id[below(static_cast<std::uint32_t>(id.size()))] ^= static_cast<std::uint8_t>(1 << below(8));
    Bytes payload = {static_cast<std::uint8_t>(random_() & 0x7f)};
    if (one_in(2))
      payload = {static_cast<std::uint8_t>(random_() | 0x80),
                 0,
                 0,
                 0,
                 1,
                 static_cast<std::uint8_t>(one_in(8) ? random_() : id.size())};
    payload.insert(payload.end(), id.begin(), id.end());
    const Bytes rest = bytes(below(30));
    payload.insert(payload.end(), rest.begin(), rest.end());
    return payload;
  }

  std::mt19937_64 random_{kSeed};
};

class ServiceBuilds : public FrontDoorInTheKernel {
 protected:
  void SetUp() override {
    open(kServiceSlots, {});
    if (plane_) fill_services(*plane_);
  }
  // Flows are aged by the second: both builds are to see the same one.
  std::uint64_t ticks_well_before_a_second() {
    for (;;) {
      const std::uint64_t ticks = plane_->ticks();
      if (static_cast<std::uint32_t>(ticks * plane_->tick_multiplier()) < 0xe000'0000u) return ticks;
      std::this_thread::yield();
    }
  }
};

TEST_F(ServiceBuilds, AgreeOnRandomPackets) {
  const auto cpu = std::make_unique<gh_cpu>();
  std::vector<gh_service_counts> counts(GH_MAX_SERVICES);
  std::vector<gh_flow_line> flow_lines(plane_->tables().services.flow_lines.size());
  const l4::Tables& kernel = plane_->tables();
  l4::Tables user = kernel;
  user.cpus = {cpu.get(), 1};
  user.services.counts = counts, user.services.flow_lines = flow_lines;
  ServiceGenerator generator;
  for (int i = 0; i < kPackets; ++i) {
    const Bytes input = generator.packet();
    user.services.ticks = ticks_well_before_a_second();
    Bytes from_kernel = input, from_user = input;
    ASSERT_GE(run(from_kernel), 0) << to_hex(input);
    run_here(l4::balance, user, from_user);
    ASSERT_EQ(to_hex(from_kernel), to_hex(from_user))
        << "seed " << kSeed << ", packet " << i << ", input " << to_hex(input);
    ASSERT_EQ(l4::verdict_counts(kernel), l4::verdict_counts(user)) << "packet " << i << ", input " << to_hex(input);
  }
  for (const std::uint16_t service : {kDatabases, kWeb, kQuic, kWeb6}) {
    for (int count = 0; count < GH_SERVICE_COUNT_COUNT; ++count) {
      const auto which = static_cast<gh_service_count>(count);
      EXPECT_EQ(service_count(kernel, service, which), service_count(user, service, which))
          << service << ", " << count;
    }
  }
  for (std::size_t line = 0; line < flow_lines.size(); ++line) {
    for (int way = 0; way < GH_FLOW_WAYS; ++way) {
      // The clock may have advanced between the two.
      EXPECT_EQ(kernel.services.flow_lines[line].way[way] & ~0xffff0000ull,
                flow_lines[line].way[way] & ~0xffff0000ull);
    }
  }
  for (const gh_verdict verdict : {GH_FORWARDED, GH_TRANSLATED_BACK, GH_NOT_VIP})
    EXPECT_GT(l4::verdict_counts(user)[verdict], 1000u) << verdict;
  for (const auto count : {GH_COUNT_QUIC_ROUTED, GH_COUNT_QUIC_FIRST, GH_COUNT_QUIC_UNKNOWN}) {
    EXPECT_GT(service_count(user, kQuic, count), 1000u) << count;
  }
  EXPECT_GT(service_count(user, kDatabases, GH_COUNT_REMEMBERED), 1000u);
}

}  // namespace
}  // namespace gatehouse::test
