// The announcements as other BGP daemons hear and make them: FRR and GoBGP as the router, FRR on an L4 host.
// A drained host is a last resort here, by MED.
#include <gtest/gtest.h>

#include <thread>

#include "tests/integration/bgp_site.h"
#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class BgpPeersTest : public SiteTest {
 protected:
  // Skips where one of them is missing.
  void need(const std::vector<std::string>& daemons) {
    for (const std::string& daemon : daemons) {
      if (const std::string reason = why_not(daemon); !reason.empty()) GTEST_SKIP() << reason;
    }
    SiteTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    bgp_.emplace(*site_, "s3cret");
    ASSERT_TRUE(bgp_->begin());
  }
  void SetUp() override {}  // need() is
  std::string config() override {
    return bgp_config("drain = \"med\"\n", ", password_file = \"bgp.password\"");
  }

  void start_birds(const std::vector<std::string>& hosts) {
    for (const std::string& host : hosts) ASSERT_TRUE(bgp_->start_bird(host));
  }
  void change_drain(const std::string& host, const char* command) {
    const lab::Output output = site_->cli(host, {command, host});
    ASSERT_EQ(output.exit_code, 0) << output.errors;
  }
  static void expect_in(const std::string& text, const std::vector<std::string>& words) {
    for (const std::string& word : words) EXPECT_NE(text.find(word), text.npos) << word << " in:\n" << text;
  }
  void print_moved(const char* what, double since, const std::string& hops) {
    const auto moved = bgp_->moved_after(since, hops);
    std::printf("    %s: route %s\n", what,
                moved ? ("moved after " + std::to_string(*moved) + " ms").c_str() : "did not move");
  }
  // Never without a next hop meanwhile.
  void expect_no_gap(double since) {
    for (const RouteEvent& event : bgp_->events_since(since)) {
      const bool is_v4 = event.text.find("198.51.100.10") != event.text.npos;
      EXPECT_FALSE(is_v4 && event.text.find("Deleted") != event.text.npos) << event.text;
    }
  }

  std::optional<BgpSite> bgp_;
};

TEST_F(BgpPeersTest, FrrAsTheRouterPrefersHostsThatDoNotDrain) {
  ASSERT_NO_FATAL_FAILURE(need({"bird", "frr"}));
  if (IsSkipped()) return;
  const Status started = bgp_->start_frr("router");
  ASSERT_TRUE(started) << started.error().message;
  ASSERT_NO_FATAL_FAILURE(start_birds({"l4a", "l4b"}));
  ASSERT_TRUE(bgp_->wait_for_hops("l4a l4b")) << bgp_->ask_frr("router", "show bgp summary");
  expect_in(bgp_->ask_frr("router", "show bgp ipv4 unicast 198.51.100.10/32"), {"65010:100", "multipath"});

  const double drained_at = unix_seconds_now();
  change_drain("l4a", "drain");
  ASSERT_TRUE(bgp_->wait_for_hops("l4b"))
      << bgp_->ask_frr("router", "show bgp ipv4 unicast 198.51.100.10/32");
  print_moved("FRR is the router, drain by MED", drained_at, "l4b");
  expect_in(bgp_->ask_frr("router", "show bgp ipv6 unicast 2001:db8:100::10/128"),
            {"metric 1000", "graceful-shutdown"});
  EXPECT_EQ(bgp_->announcement("l4a").value("state", ""), "last resort");
  EXPECT_EQ(bgp_->announcement("l4a").value("interface", ""), "gh-vip0-d");

  ASSERT_TRUE(site_->lab().kill("bird-l4b"));
  ASSERT_TRUE(bgp_->wait_for_hops("l4a")) << "the last resort";
  ASSERT_TRUE(site_->lab().restart("bird-l4b"));
  ASSERT_TRUE(bgp_->wait_for_hops("l4b"));
  const double undrained_at = unix_seconds_now();
  change_drain("l4a", "undrain");
  ASSERT_TRUE(bgp_->wait_for_hops("l4a l4b"));
  expect_no_gap(undrained_at);

  const double cut_at = unix_seconds_now();
  ASSERT_TRUE(site_->lab().cut("l4a"));
  ASSERT_TRUE(bgp_->wait_for_hops("l4b"));
  print_moved("FRR is the router, silence of a host, BFD 50 ms x 3", cut_at, "l4b");
}

TEST_F(BgpPeersTest, GobgpAsTheRouterHearsBothHostsAndADrain) {
  ASSERT_NO_FATAL_FAILURE(need({"bird", "gobgp"}));
  if (IsSkipped()) return;
  ASSERT_TRUE(bgp_->start_router_gobgp());
  ASSERT_NO_FATAL_FAILURE(start_birds({"l4a", "l4b"}));
  std::string v4, v6;
  const auto hears = [&](const std::vector<std::string>& words) {
    v4 = bgp_->ask_gobgp({"global", "rib", "198.51.100.10/32"});
    v6 = bgp_->ask_gobgp({"global", "rib", "-a", "ipv6", "2001:db8:100::10/128"});
    for (const std::string& word : words) {
      if ((v4 + v6).find(word) == v4.npos) return false;
    }
    return true;
  };
  const auto will_hear = [&](const std::vector<std::string>& words) {
    return lab::wait_until([&] { return hears(words); }, seconds(40), milliseconds(50));
  };
  EXPECT_TRUE(will_hear({"192.0.2.11", "192.0.2.13", "2001:db8:2::11", "2001:db8:2::13", "65010:100"}))
      << v4 << v6;
  change_drain("l4b", "drain");
  EXPECT_TRUE(will_hear({"{Med: 1000}", "planned-shut", "192.0.2.13"})) << v4 << v6;
  change_drain("l4b", "undrain");
  EXPECT_TRUE(lab::wait_until([&] { return hears({"192.0.2.13"}) && !hears({"planned-shut"}); }, seconds(20),
                              milliseconds(50)))
      << v4 << v6;
  ASSERT_TRUE(site_->lab().kill("bird-l4b"));
  EXPECT_TRUE(lab::wait_until([&] { return hears({"192.0.2.11"}) && !hears({"192.0.2.13"}); }, seconds(40),
                              milliseconds(50)))
      << v4 << v6;
}

TEST_F(BgpPeersTest, FrrOnAnL4HostAnnouncesAsBirdDoes) {
  ASSERT_NO_FATAL_FAILURE(need({"bird", "frr"}));
  if (IsSkipped()) return;
  ASSERT_TRUE(bgp_->start_router_bird());
  ASSERT_NO_FATAL_FAILURE(start_birds({"l4a"}));
  const Status started = bgp_->start_frr("l4b");
  ASSERT_TRUE(started) << started.error().message;
  ASSERT_TRUE(bgp_->wait_for_hops("l4a l4b"))
      << bgp_->ask_frr("l4b", "show bgp summary") + bgp_->ask_frr("l4b", "show bgp ipv4");
  expect_in(bgp_->ask_bird("router", {"show", "route", "protocol", "l4b_4", "all"}),
            {"(65010,100)", "198.51.100.10/32"});
  // Addresses are renewed twice a second: FRR must not take that for news.
  const double steady_since = unix_seconds_now();
  std::this_thread::sleep_for(seconds(3));
  for (const RouteEvent& event : bgp_->events_since(steady_since))
    ADD_FAILURE() << "the route flapped: " << event.text;

  const double drained_at = unix_seconds_now();
  change_drain("l4b", "drain");
  ASSERT_TRUE(bgp_->wait_for_hops("l4a"));
  print_moved("FRR announces, drain by MED", drained_at, "l4a");
  expect_in(bgp_->ask_bird("router", {"show", "route", "protocol", "l4b_6", "all"}),
            {"BGP.med: 1000", "(65535,0)"});
  change_drain("l4b", "undrain");
  ASSERT_TRUE(bgp_->wait_for_hops("l4a l4b"));
  expect_no_gap(drained_at);

  // Nobody keeps its descriptors here.
  const double killed_at = unix_seconds_now();
  ASSERT_TRUE(site_->lab().kill("l4b"));
  ASSERT_TRUE(bgp_->wait_for_hops("l4a"));
  print_moved("FRR announces, SIGKILL of gatehouse-l4 without a service manager", killed_at, "l4a");
  ASSERT_TRUE(site_->lab().restart("l4b"));
  ASSERT_TRUE(bgp_->wait_for_hops("l4a l4b"));

  // By its defaults a router would keep the routes for minutes.
  const double bgpd_killed_at = unix_seconds_now();
  ASSERT_TRUE(site_->lab().kill("bgpd-l4b"));
  ASSERT_TRUE(bgp_->wait_for_hops("l4a"));
  print_moved("SIGKILL of FRR's bgpd", bgpd_killed_at, "l4a");
}

}  // namespace
}  // namespace gatehouse::test
