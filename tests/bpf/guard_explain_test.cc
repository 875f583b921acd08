// What `explain --packet` says of protection is what protection does.
#include "tests/bpf/guarded_site.h"

namespace gatehouse::test {
namespace {

using ExplainedGuard = GuardedPackets;

TEST_F(ExplainedGuard, SaysWhatBecomesOfAPacketOfTheSource) {
  const char* const kSources[] = {
      "192.0.2.1",     "192.0.2.65",    "192.0.2.81",      "192.0.2.129",       "198.18.1.1",
      "198.18.1.2",    "203.0.113.66",  "203.0.113.99",    "203.0.113.7",       "127.0.0.1",
      "240.0.0.1",     "2001:db8:c::7", "2001:db8:bad::1", "2001:db8:bad:1::1", "2001:db8:bad:2::1",
      "2001:db8:f::1", "2001:db8:e::e", "2001:db8:e::f",   "2a00::1",           "2a00:1::1",
      "ff02::1",       "::1",           "2c00:1:8000::1",  "2c00:1::1"};
  int denied = 0, passed = 0;
  for (const char* source : kSources) {
    for (const std::uint16_t port : {kRules, kUnguarded, kOtherRules}) {
      const IpAddress from = *IpAddress::parse(source);
      const Endpoint vip{ip(from.is_v4() ? kVip : kVipV6), port};
      const auto explained = l4::explain_packet(tables_, {from, 40000}, vip, kTcp);
      ASSERT_TRUE(explained) << source;
      const gh_verdict verdict = send(segment(source, port));
      EXPECT_EQ(explained->guard == GH_UNDECIDED ? GH_FORWARDED : explained->guard, verdict)
          << source << " port " << port;
      EXPECT_FALSE(explained->is_limited);
      ++(explained->guard == GH_UNDECIDED ? passed : denied);
    }
  }
  EXPECT_GT(denied, 15);
  EXPECT_GT(passed, 15);
}

TEST_F(ExplainedGuard, SaysWhoIsLimitedAndChargesNobody) {
  const Endpoint vip{ip(kVip), kLimited};
  for (int i = 0; i < 100; ++i) {
    const auto explained = l4::explain_packet(tables_, {ip("203.0.113.7"), 40000}, vip, kTcp);
    ASSERT_TRUE(explained);
    EXPECT_EQ(explained->guard, GH_UNDECIDED);
    EXPECT_TRUE(explained->is_limited);
  }
  EXPECT_EQ(send(segment("203.0.113.7", kLimited)), GH_FORWARDED);
  const auto exempt = l4::explain_packet(tables_, {ip("203.0.113.99"), 40000}, vip, kTcp);
  EXPECT_FALSE(exempt->is_limited);
}

}  // namespace
}  // namespace gatehouse::test
