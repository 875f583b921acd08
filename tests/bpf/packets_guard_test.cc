// What protection makes of packets to guarded VIPs, run against the user-space build and against the loaded
// BPF object. What is dropped must be named, and be as it came.
#include "tests/bpf/guarded_site.h"

namespace gatehouse::test {
namespace {

struct Sent {
  std::string description;
  Build packet;  // without Ethernet
  gh_verdict verdict;
};
using Table = std::vector<Sent>;

void add_rules(Table& table) {
  const struct {
    const char* source;
    gh_verdict verdict;
  } rows[] = {{kClient, GH_FORWARDED},
              {"192.0.2.1", GH_GUARD_DENIED},
              {"192.0.2.127", GH_FORWARDED},  // allowed: a longer prefix
              {"192.0.2.128", GH_GUARD_DENIED},
              {"192.0.2.81", GH_FORWARDED},  // exempt: the longest
              {"192.0.3.0", GH_FORWARDED},
              {"192.0.1.255", GH_FORWARDED},
              {"198.17.255.255", GH_FORWARDED},
              {"198.18.0.0", GH_GUARD_DENIED},
              {"198.19.255.255", GH_GUARD_DENIED},
              {"198.20.0.0", GH_FORWARDED},
              {"198.18.1.1", GH_FORWARDED},
              {"203.0.113.66", GH_GUARD_DENIED},  // denied and allowed: deny comes first
              {kClientV6, GH_FORWARDED},
              {"2001:db8:bad::1", GH_GUARD_DENIED},
              {"2001:db8:bad:1::1", GH_FORWARDED},
              {"2001:db8:bad:2::1", GH_FORWARDED},
              {"2001:db8:bae::1", GH_FORWARDED},
              {"2001:db8:f::ffff:ffff:ffff:ffff", GH_GUARD_DENIED},
              {"2001:db8:f:1::", GH_FORWARDED},
              {"2001:db8:e::e", GH_GUARD_DENIED},
              {"2001:db8:e::f", GH_FORWARDED},
              {"2a00:ffff::1", GH_GUARD_DENIED},
              {"2a00:1::1", GH_FORWARDED},
              {"2a01::1", GH_FORWARDED},
              {"2c00:1:7fff::1", GH_GUARD_DENIED},
              {"2c00:1:8000::1", GH_FORWARDED}};
  for (const auto& row : rows) {
    table.push_back({std::string("segment from ") + row.source, segment(row.source), row.verdict});
    table.push_back({std::string("datagram from ") + row.source, datagram(row.source), row.verdict});
    table.push_back({std::string("to a VIP without rules from ") + row.source,
                     segment(row.source, kUnguarded), GH_FORWARDED});
  }
  table.push_back({"denied by another VIP's list", segment(kClient, kOtherRules), GH_GUARD_DENIED});
  table.push_back({"denied by another VIP's list, IPv6", segment(kClientV6, kOtherRules), GH_GUARD_DENIED});
  table.push_back({"not denied by this VIP's list", segment("192.0.2.1", kOtherRules), GH_FORWARDED});
}

void add_flags(Table& table) {
  const std::uint8_t good[] = {kSyn, kAck, kReset, kReset | kAck, kFin | kAck};
  for (int flags = 0; flags < 256; ++flags) {
    const int plain = flags & (kSyn | kAck | kReset | kFin);
    const bool has_urgent = flags & kUrgent;
    bool is_good = std::find(std::begin(good), std::end(good), plain) != std::end(good);
    if ((plain & kReset) && has_urgent) is_good = false;
    const gh_verdict bad =
        (plain & (kSyn | kAck | kReset | kFin)) == (kSyn | kAck) ? GH_GUARD_REFLECTED : GH_GUARD_FLAGS;
    for (const char* source : {kClient, kClientV6}) {
      table.push_back({"TCP flags " + std::to_string(flags),
                       segment(source, kRules, static_cast<std::uint8_t>(flags)),
                       is_good ? GH_FORWARDED : bad});
    }
  }
  table.push_back({"no flags, to a VIP that is not guarded", segment(kClient, kUnguarded, 0), GH_FORWARDED});
  table.push_back(
      {"all flags, to a VIP that is not guarded", segment(kClient, kUnguarded, 0xff), GH_FORWARDED});
}

void add_sources(Table& table) {
  for (const char* source :
       {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "224.0.0.1", "239.1.2.3", "240.0.0.1",
        "255.255.255.255", "::", "::1", "ff02::1", "ffff::1", "::ffff:203.0.113.7"}) {
    table.push_back({std::string("segment from ") + source, segment(source), GH_GUARD_SOURCE});
    table.push_back({std::string("datagram from ") + source, datagram(source), GH_GUARD_SOURCE});
  }
  for (const char* source :
       {"1.0.0.1", "126.255.255.255", "128.0.0.1", "223.255.255.255", "::2", "::1:0:0:1", "1::", "feff::1"}) {
    table.push_back({std::string("segment from ") + source, segment(source), GH_FORWARDED});
  }
  table.push_back({"land", segment(kVip), GH_GUARD_LAND});
  table.push_back({"land, IPv6", segment(kVipV6, kRules, kSyn), GH_GUARD_LAND});
  table.push_back({"land, UDP", datagram(kVip), GH_GUARD_LAND});
  table.push_back({"port 0", Build().ipv4(kClient, kVip).tcp(0, kRules), GH_GUARD_PORT});
  table.push_back({"port 0, UDP over IPv6", Build().ipv6(kClientV6, kVipV6).udp(0, 53), GH_GUARD_PORT});
}

// A datagram whose UDP header says `length`, a segment whose header is `words` long.
Build with_udp_length(Build ip_header, std::uint16_t length) {
  return ip_header.next(kUdp).payload(Bytes{0x9c, 0x40, 0, 53, static_cast<std::uint8_t>(length >> 8),
                                            static_cast<std::uint8_t>(length), 0, 0, 1, 2, 3, 4});
}
Build with_tcp_words(Build ip_header, std::uint8_t words, std::size_t more) {
  Bytes segment = {0x9c,
                   0x40,
                   kRules >> 8,
                   kRules & 0xff,
                   0,
                   0,
                   0,
                   1,
                   0,
                   0,
                   0,
                   2,
                   static_cast<std::uint8_t>(words << 4),
                   kAck,
                   1,
                   0,
                   0,
                   0,
                   0,
                   0};
  segment.resize(segment.size() + more);
  return ip_header.next(kTcp).payload(segment);
}

void add_lengths(Table& table) {
  for (const bool is_v4 : {true, false}) {
    const auto header = [is_v4] {
      return is_v4 ? Build().ipv4(kClient, kVip) : Build().ipv6(kClientV6, kVipV6);
    };
    for (const std::uint16_t length : {0, 1, 7, 13, 14, 65535}) {
      table.push_back({"UDP length " + std::to_string(length) + " of 12", with_udp_length(header(), length),
                       GH_GUARD_LENGTH});
    }
    for (const std::uint16_t length : {8, 9, 12}) {
      table.push_back({"UDP length " + std::to_string(length) + " of 12", with_udp_length(header(), length),
                       GH_FORWARDED});
    }
    for (const std::uint8_t words : {0, 1, 4, 7, 15}) {
      table.push_back({"TCP header of " + std::to_string(words) + " words in 24 bytes",
                       with_tcp_words(header(), words, 4), GH_GUARD_LENGTH});
    }
    for (const std::uint8_t words : {5, 6}) {
      table.push_back({"TCP header of " + std::to_string(words) + " words in 24 bytes",
                       with_tcp_words(header(), words, 4), GH_FORWARDED});
    }
    table.push_back({"TCP header of 15 words", with_tcp_words(header(), 15, 40), GH_FORWARDED});
  }
}

// What the long way alone takes: fragments, ICMP, ports that no other VIP has.
void add_odd_forms(Table& table) {
  const struct {
    bool is_v4;
    const char *good, *bad;
  } families[] = {{true, kClient, "192.0.2.1"}, {false, kClientV6, "2001:db8:bad::1"}};
  for (const auto& [is_v4, good, bad] : families) {
    const auto from = [is_v4 = is_v4](const char* source, const char* v4, const char* v6) {
      return is_v4 ? Build().ipv4(source, v4) : Build().ipv6(source, v6);
    };
    for (const char* source : {good, bad}) {
      const bool is_good = source == good;
      const gh_verdict verdict = is_good ? GH_FORWARDED : GH_GUARD_DENIED;
      const auto add = [&](std::string what, const Build& packet, gh_verdict wanted) {
        table.push_back({what + " from " + source, packet, wanted});
      };
      if (is_v4) {
        add("first fragment",
            from(source, kVipOfFragments, "").fragment(0, true).udp(40000, 53).payload(64).length(84),
            verdict);
        add("later fragment", from(source, kVipOfFragments, "").fragment(64, false).next(kUdp).payload(40),
            verdict);
      } else {
        add("later fragment",
            from(source, "", kVipOfFragmentsV6)
                .extension(44, from_hex("000041 00000001"))
                .next(kUdp)
                .payload(40),
            verdict);
      }
      add("echo", from(source, kVip, kVipV6).icmp(is_v4 ? 8 : 128, 0).payload(20),
          is_good ? GH_VIP_ECHO : GH_GUARD_DENIED);
      const Build answer =
          (is_v4 ? Build().ipv4(kVip, source) : Build().ipv6(kVipV6, source)).tcp(kRules, 40000).payload(8);
      const char* router = is_v4 ? "203.0.113.254" : "2001:db8:c::fe";
      add("error about a flow", from(router, kVip, kVipV6).icmp(is_v4 ? 3 : 1, 1).payload(answer.build()),
          verdict);
      add("to any port", from(source, kVip, kVipV6).udp(40000, 7777),
          is_good ? GH_GUARD_DENIED : GH_FORWARDED);  // kOther's rules
    }
    table.push_back({"echo, nobody's source",
                     from(is_v4 ? "127.0.0.1" : "::1", kVip, kVipV6).icmp(is_v4 ? 8 : 128, 0).payload(20),
                     GH_GUARD_SOURCE});
  }
  table.push_back({"echo to an address without rules",
                   Build().ipv4("192.0.2.1", kVipUnguarded).icmp(8, 0).payload(20), GH_VIP_ECHO});
  table.push_back({"echo, land", Build().ipv4(kVip, kVip).icmp(8, 0).payload(20), GH_GUARD_LAND});
  table.push_back({"options before the ports",
                   Build().ipv4("192.0.2.1", kVip).options(from_hex("01010101")).tcp(40000, kRules),
                   GH_GUARD_DENIED});
  table.push_back(
      {"extension before the ports",
       Build().ipv6("2001:db8:bad::1", kVipV6).extension(60, from_hex("00010400000000")).tcp(40000, kRules),
       GH_GUARD_DENIED});
  table.push_back(
      {"extension before no flags",
       Build().ipv6(kClientV6, kVipV6).extension(60, from_hex("00010400000000")).tcp(40000, kRules, 0),
       GH_GUARD_FLAGS});
}

// Ends within its TCP or UDP header, at every length.
void add_truncated(Table& table) {
  for (const bool is_v4 : {true, false}) {
    const auto header = [is_v4] {
      return is_v4 ? Build().ipv4(kClient, kVip) : Build().ipv6(kClientV6, kVipV6);
    };
    for (std::size_t length = 0; length < 20; ++length) {
      table.push_back({"TCP header of " + std::to_string(length) + " bytes",
                       header().next(kTcp).payload(length), GH_TRUNCATED});
      if (length < 8)
        table.push_back({"UDP header of " + std::to_string(length) + " bytes",
                         header().next(kUdp).payload(length), GH_TRUNCATED});
    }
  }
}

// In order: buckets remember.
void add_limits(Table& table) {
  const auto send = [&table](const char* source, std::uint16_t port, std::uint8_t flags, gh_verdict verdict) {
    table.push_back({"packet " + std::to_string(table.size()) + " from " + source,
                     segment(source, port, flags), verdict});
  };
  for (const char* source : {"100.64.0.1", "2001:db8:a::1"}) {
    send(source, kLimited, kSyn, GH_FORWARDED);
    send(source, kLimited, kSyn, GH_FORWARDED);
    send(source, kLimited, kSyn, GH_GUARD_SYN_RATE);  // of two SYNs
    send(source, kLimited, kAck,
         GH_FORWARDED);  // the fourth packet: one that was too much has counted as a packet
    send(source, kLimited, kAck, GH_GUARD_PACKET_RATE);
    send(source, kLimited, kSyn, GH_GUARD_PACKET_RATE);
    send(source, kRules, kAck, GH_FORWARDED);  // another VIP, which has no limit
  }
  send("100.64.0.2", kLimited, kSyn, GH_FORWARDED);                // another source
  send("2001:db8:a::ffff", kLimited, kAck, GH_GUARD_PACKET_RATE);  // the same /64
  send("2001:db8:a:1::1", kLimited, kAck, GH_FORWARDED);
  for (const char* source : {"100.65.1.1", "100.65.1.2", "100.65.1.255"})
    send(source, kWide, kSyn, GH_FORWARDED);
  send("100.65.1.77", kWide, kSyn, GH_GUARD_PACKET_RATE);
  send("100.65.2.77", kWide, kSyn, GH_FORWARDED);
  for (const char* source : {"2001:db8:b::", "2001:db8:b:1::", "2001:db8:b:ffff::9"})
    send(source, kWide, kAck, GH_FORWARDED);
  send("2001:db8:b:2::", kWide, kAck, GH_GUARD_PACKET_RATE);
  for (int i = 0; i < 9; ++i) send("203.0.113.99", kLimited, kSyn, GH_FORWARDED);  // exempt
  for (int i = 0; i < 9; ++i)
    send("192.0.2.1", kLimited, kSyn, GH_GUARD_DENIED);  // what is denied is not charged
}

Table all_rows() {
  Table table;
  for (const auto add :
       {add_rules, add_flags, add_sources, add_lengths, add_truncated, add_odd_forms, add_limits})
    add(table);
  return table;
}

// The beaten path takes plain frames, the long way those with tags.
const std::pair<const char*, Build> kLinks[] = {{"plain", Build().ethernet()},
                                                {"tagged", Build().ethernet().vlan(7)},
                                                {"tagged twice", Build().ethernet().vlan(7, 0x88a8).vlan(8)}};

int action_of(gh_verdict verdict) {
  return verdict == GH_FORWARDED || verdict == GH_VIP_ECHO ? XDP_TX : XDP_DROP;
}

template <typename Run>
void expect_all(const l4::Tables& tables, Build link, const Table& rows, Run run) {
  for (const Sent& row : rows) {
    SCOPED_TRACE(row.description);
    l4::VerdictCounts expected = l4::verdict_counts(tables);
    ++expected[row.verdict];
    const Bytes input = Build(link).packet(row.packet.build()).build();
    Bytes packet = input;
    EXPECT_EQ(run(packet), action_of(row.verdict));
    EXPECT_EQ(l4::verdict_counts(tables), expected) << "wanted verdict " << row.verdict;
    if (action_of(row.verdict) == XDP_DROP) {
      EXPECT_EQ(to_hex(packet), to_hex(input));
    }
  }
}

// Every kind of link has buckets of its own.
void forget_buckets(const l4::Tables& tables) {
  std::fill(tables.guard.bucket_lines.begin(), tables.guard.bucket_lines.end(), gh_bucket_line{});
}

TEST_F(GuardedPackets, AreTreatedAsTheTableSays) {
  for (const auto& [name, link] : kLinks) {
    SCOPED_TRACE(name);
    expect_all(tables_, link, all_rows(),
               [&](Bytes& packet) { return action_of(run_here(l4::balance, tables_, packet)); });
    forget_buckets(tables_);
  }
}

TEST_F(GuardedPacketsInTheKernel, AreTreatedAsTheTableSays) {
  for (const auto& [name, link] : kLinks) {
    SCOPED_TRACE(name);
    expect_all(plane_->tables(), link, all_rows(), [&](Bytes& packet) { return run(packet); });
    forget_buckets(plane_->tables());
  }
}

}  // namespace
}  // namespace gatehouse::test
