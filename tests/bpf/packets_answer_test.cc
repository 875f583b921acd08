// The front door's rows of what it answers itself: echo requests, and packets that are too long; both within
// one budget.
#include <sched.h>

#include <chrono>

#include "tests/bpf/front_door_rows.h"

namespace gatehouse::test {
namespace {

// ---- Echo ----

Build echo(Build ip_layer, bool is_reply, std::size_t length) {
  const bool is_v4 = ip_layer.build()[0] >> 4 == 4;
  const std::uint8_t type = is_v4 ? (is_reply ? 0 : 8) : (is_reply ? 129 : 128);
  return ip_layer.icmp(type, 0).rest(0x12340007).payload(length);
}
Build from_vip(const Flow& flow) {
  return flow.is_v4() ? Build().ipv4(flow.vip, flow.client()) : Build().ipv6(flow.vip, flow.client());
}

Rows echoes() {
  Rows rows;
  for (const auto& of : {v4, v6}) {
    const Flow flow{of(10)};
    for (const Tags& tags : {Tags{}, Tags{{5}}, Tags{{5, 0x88a8}, {6}}}) {
      for (const std::size_t length : {0, 1, 56, 57, 1400}) {
        const std::string name = "echo of " + std::to_string(length) + " bytes to " + flow.vip + ", tags " +
                                 std::to_string(tags.size());
        rows.push_back(answered(name, in_frame(echo(ip_of(flow), false, length), tags),
                                frame_back(tags).packet(echo(from_vip(flow), true, length).build()),
                                GH_VIP_ECHO));
      }
    }
    rows.push_back(padded(answered("echo to " + flow.vip, in_frame(echo(ip_of(flow), false, 3)),
                                   frame_back().packet(echo(from_vip(flow), true, 3).build()), GH_VIP_ECHO),
                          20));
    rows.push_back(answered(
        "echo with TTL 1 and DSCP", in_frame(echo(ip_of(flow).ttl(1).traffic_class(0xb8), false, 8)),
        frame_back().packet(echo(from_vip(flow).traffic_class(0xb8), true, 8).build()), GH_VIP_ECHO));
    rows.push_back(passed("echo to no VIP: " + of(99), echo(ip_of({of(99)}), false, 56), GH_NOT_VIP));
    rows.push_back(passed("echo reply to " + of(10), echo(ip_of(flow), true, 56), GH_VIP_NO_PORTS));
  }
  // RFC 1122 §3.2.2, RFC 4443 §2.4 (e): no answer to many or to nobody.
  for (const char* source : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "239.1.2.3", "255.255.255.255"}) {
    rows.push_back(dropped(std::string("echo from ") + source, echo(Build().ipv4(source, v4(10)), false, 8),
                           GH_VIP_ECHO_DROPPED));
  }
  for (const char* source : {"::", "::1", "ff02::1", "ff0e::1234"}) {
    rows.push_back(dropped(std::string("echo from ") + source, echo(Build().ipv6(source, v6(10)), false, 8),
                           GH_VIP_ECHO_DROPPED));
  }
  rows.push_back(passed("echo with options: a route back is the host's to follow",
                        echo(ip_of({v4(10)}).options(Bytes(4, 1)), false, 8), GH_VIP_NO_PORTS));
  rows.push_back(passed("echo behind an extension header",
                        ip_of({v6(10)}).extension(60, Bytes(7)).icmp(128, 0).payload(8), GH_VIP_NO_PORTS));
  rows.push_back(dropped("half an echo", ip_of({v4(10)}).next(1).payload(Bytes{8, 0, 0, 0}), GH_TRUNCATED));
  return rows;
}
GATEHOUSE_FRONT_DOOR_ROWS(EchoRequests, echoes);

// ---- Too big ----

constexpr std::size_t kQuoteV4 = 548, kQuoteV6 = 1216;

// The answer to the sender of `inner`: from the VIP, with the size that fits and no more of the packet than
// must be.
Build too_big(const Flow& flow, const Bytes& inner, std::uint32_t fits, const Tags& tags) {
  Build answer = frame_back(tags);
  if (flow.is_v4()) {
    return answer.ipv4(flow.vip, flow.client())
        .dont_fragment()
        .icmp(3, 4)
        .rest(fits)
        .payload(Bytes(inner.begin(), inner.begin() + kQuoteV4));
  }
  return answer.ipv6(flow.vip, flow.client())
      .icmp(2, 0)
      .rest(fits)
      .payload(Bytes(inner.begin(), inner.begin() + kQuoteV6));
}

Build of_length(Build packet, std::size_t length) { return packet.payload(length - packet.build().size()); }

// About what the VIP sent.
Build error_to(const Flow& flow) {
  const Bytes sent = from_vip(flow).tcp(flow.destination_port, flow.source_port).build();
  return flow.is_v4() ? Build().ipv4("192.0.2.200", flow.vip).icmp(3, 0).payload(sent)
                      : Build().ipv6("2001:db8:2::200", flow.vip).icmp(2, 0).payload(sent);
}

Rows lengths() {
  Rows rows;
  const struct {
    int vip;
    std::uint32_t outer;
    Way way;
  } vips[] = {{10, 40, {}},
              {12, 40, {.hops = {2, 3, 4}}},
              {13, 60, {.node = 6}},
              {14, 60, {.node = 6, .hops = {7, 8}}},
              {30, 32, {.encapsulation = GH_ENCAPSULATE_GUE}},
              {31, 52, {.node = 6, .encapsulation = GH_ENCAPSULATE_GUE}},
              {32, 20, {.encapsulation = GH_ENCAPSULATE_IPIP}},
              {33, 40, {.node = 6, .encapsulation = GH_ENCAPSULATE_IPIP}}};
  for (const auto& row : vips) {
    for (const auto& vip : {v4(row.vip), v6(row.vip)}) {
      const Flow flow{vip};
      const std::uint32_t fits = kRowMtu - row.outer;
      const std::string name = vip + " with " + std::to_string(row.outer) + " bytes outside";
      rows.push_back(forwarded(name + ": fits", of_length(packet_of(flow), fits), flow, row.way));
      for (const Tags& tags : {Tags{}, Tags{{5}}, Tags{{5, 0x88a8}, {6}}}) {
        const Build inner = of_length(packet_of(flow), fits + 1);
        rows.push_back(answered(name + ": one byte too many, tags " + std::to_string(tags.size()),
                                in_frame(inner, tags), too_big(flow, inner.build(), fits, tags),
                                GH_VIP_TOO_BIG));
      }
    }
  }
  for (const auto& of : {v4, v6}) {
    const Flow udp{of(10), 53, kUdp}, any{of(20), 7777};
    for (const Flow& flow : {udp, any}) {
      const Build inner = of_length(packet_of(flow), kRowMtu);
      rows.push_back(answered("too long to " + flow.vip, in_frame(inner),
                              too_big(flow, inner.build(), 1460, {}), GH_VIP_TOO_BIG));
    }
    const Build inner = of_length(packet_of(udp), 3000);
    rows.push_back(answered("much too long to " + udp.vip, in_frame(inner),
                            too_big(udp, inner.build(), 1460, {}), GH_VIP_TOO_BIG));
    rows.push_back(dropped("an error that is too long itself", of_length(error_to({of(10)}), kRowMtu),
                           GH_VIP_TOO_BIG_DROPPED));
    rows.push_back(passed("too long, to no VIP", of_length(packet_of({of(99)}), 3000), GH_NOT_VIP));
  }
  const Flow pieces{v4(50), 53, kUdp};
  const Build first_piece = of_length(ip_of(pieces).fragment(0, true).udp(40000, 53), kRowMtu);
  rows.push_back(answered("a first piece that is too long", in_frame(first_piece),
                          too_big(pieces, first_piece.build(), 1460, {}), GH_VIP_TOO_BIG));
  rows.push_back(dropped("a later piece that is too long",
                         of_length(ip_of(pieces).fragment(1480, true).next(kUdp), kRowMtu),
                         GH_VIP_TOO_BIG_DROPPED));
  rows.push_back(dropped("too long, from many",
                         of_length(Build().ipv4("224.0.0.5", v4(10)).tcp(40000, 443), kRowMtu),
                         GH_VIP_TOO_BIG_DROPPED));
  rows.push_back(dropped("too long, from nobody",
                         of_length(Build().ipv6("::", v6(10)).tcp(40000, 443), kRowMtu),
                         GH_VIP_TOO_BIG_DROPPED));
  return rows;
}
GATEHOUSE_FRONT_DOOR_ROWS(LongPackets, lengths);

// ---- The budget ----

class IcmpBudget : public FrontDoorRows {
 protected:
  static constexpr std::uint32_t kPerSecond = 50;
  static constexpr int kAsked = 2000;

  void SetUp() override {
    // Budgets are per CPU.
    sched_getaffinity(0, sizeof all_, &all_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
  }
  void TearDown() override {
    sched_setaffinity(0, sizeof all_, &all_);
    FrontDoorRows::TearDown();
  }
  void open_with(std::uint32_t answers) {
    Site site = row_site();
    site.icmp_answers = answers;
    open(site);
  }
  int answers_to(const Bytes& input) {
    int answered = 0;
    for (int i = 0; i < kAsked; ++i) {
      Bytes packet = input;
      answered += run(packet) == XDP_TX;
    }
    return answered;
  }

  cpu_set_t all_;
};
GATEHOUSE_BOTH_ADAPTERS(IcmpBudget);

TEST_P(IcmpBudget, BoundsAnswersOfAllKindsTogether) {
  open_with(kPerSecond);
  if (IsSkipped()) return;
  const auto start = std::chrono::steady_clock::now();
  int answered = answers_to(in_frame(echo(ip_of({v4(10)}), false, 8)).build());
  EXPECT_GE(answered, static_cast<int>(kPerSecond)) << "what a second allows may come at once";
  answered += answers_to(in_frame(of_length(packet_of({v6(10)}), kRowMtu)).build());
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_LE(answered, kPerSecond * (1 + seconds) + 2);
  const l4::VerdictCounts counts = l4::verdict_counts(tables());
  EXPECT_EQ(counts[GH_VIP_ECHO] + counts[GH_VIP_ECHO_DROPPED], static_cast<unsigned>(kAsked));
  EXPECT_EQ(counts[GH_VIP_TOO_BIG] + counts[GH_VIP_TOO_BIG_DROPPED], static_cast<unsigned>(kAsked));
  EXPECT_EQ(counts[GH_VIP_ECHO] + counts[GH_VIP_TOO_BIG], static_cast<unsigned>(answered));
}

TEST_P(IcmpBudget, OfNothingAnswersNothingAndForwardsAllElse) {
  open_with(0);
  if (IsSkipped()) return;
  EXPECT_EQ(answers_to(in_frame(echo(ip_of({v4(10)}), false, 8)).build()), 0);
  EXPECT_EQ(answers_to(in_frame(of_length(packet_of({v4(10)}), kRowMtu)).build()), 0);
  EXPECT_EQ(answers_to(in_frame(segment_of({v4(10)})).build()), kAsked);
}

// Every identifier, so every checksum, also those where one's complement has two zeros.
TEST(EchoReplies, HaveARightChecksumWhateverIsInThem) {
  l4::MemoryPlane plane(kRowSlots, kRowGroups);
  fill_front_door(plane, row_site());
  l4::Tables tables = plane.tables();
  for (std::uint32_t id = 0; id < 0x10000; id += 3) {
    const Flow flow = id % 2 ? Flow{v4(10)} : Flow{v6(10)};
    const auto with_id = [&](Build ip_layer, std::uint8_t type) {
      return ip_layer.icmp(type, 0).rest(id << 16);
    };
    Bytes packet = in_frame(with_id(ip_of(flow), flow.is_v4() ? 8 : 128)).build();
    ASSERT_EQ(run_here(l4::balance, tables, packet), GH_VIP_ECHO);
    const Bytes wanted = frame_back().packet(with_id(from_vip(flow), flow.is_v4() ? 0 : 129).build()).build();
    ASSERT_EQ(to_hex(packet), to_hex(wanted));
  }
}

}  // namespace
}  // namespace gatehouse::test
