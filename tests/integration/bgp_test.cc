// What is announced and when it is not, by real BGP daemons: routes moved by drains, deaths and silence under
// a steady load of 200 keep-alive TLS connections and 50 new ones a second. Times are printed, not judged:
// the machine may be slow.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/integration/bgp_site.h"
#include "tests/integration/load.h"
#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class BgpTest : public SiteTest {
 protected:
  void SetUp() override {
    if (const std::string reason = why_not("bird"); !reason.empty()) GTEST_SKIP() << reason;
    SiteTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    bgp_.emplace(*site_);
    const Status up = bgp_->up();
    ASSERT_TRUE(up) << up.error().message;
  }
  std::string config() override { return bgp_config(); }

  // The load's steady time before, between and after events: measurement, not synchronisation.
  static void let_pass(milliseconds time) { std::this_thread::sleep_for(time); }

  static void expect_nothing_broken(const Json& report) {
    EXPECT_GT(report.value("ok", 0), 1000) << report.dump();
    EXPECT_EQ(report.value("failed", -1), 0) << report["failures"].dump();
    EXPECT_EQ(report.value("connections_broken", -1), 0) << report.dump();
    std::printf("    load: %d ok, %d failed, %d of 200 established connections broken\n",
                report.value("ok", 0), report.value("failed", -1), report.value("connections_broken", -1));
  }
  void print_moved(const char* what, double since, const std::string& hops) {
    const auto moved = bgp_->moved_after(since, hops);
    std::printf("    %s: route %s\n", what,
                moved ? ("moved after " + std::to_string(*moved) + " ms").c_str() : "did not move");
  }
  bool wait_for_state(const std::string& host, const std::string& state, seconds limit = seconds(20)) {
    return lab::wait_until([&] { return bgp_->announcement(host).value("state", "") == state; }, limit,
                           milliseconds(20));
  }
  bool wait_for_reason(const std::string& host, const std::string& reason) {
    const auto is_said = [&] { return bgp_->announcement(host).value("reason", "") == reason; };
    return lab::wait_until(is_said, seconds(20), milliseconds(20));
  }

  std::optional<BgpSite> bgp_;
};

TEST_F(BgpTest, AnnouncesBothFamiliesAndMakesNoAddressTheHosts) {
  for (const char* vip : {"198.51.100.10", "2001:db8:100::10"}) {
    const std::string route = bgp_->ask_bird("router", {"show", "route", "for", vip, "all"});
    EXPECT_NE(route.find("BGP.community: (65010,100)"), route.npos) << route;
    EXPECT_NE(route.find("BGP.as_path: 65010"), route.npos) << route;
    for (const char* host : {"l4a", "l4b"}) {
      const Json row = bgp_->announcement(host, vip);
      EXPECT_EQ(row.value("state", ""), "announced") << row.dump();
      EXPECT_EQ(row.value("interface", ""), "gh-vip0");
      EXPECT_EQ(row.value("healthy", 0), 3);
      const auto is_local = [&] {
        return site_->lab().run(host, {"ip", "route", "get", vip}).text.find("local") != std::string::npos;
      };
      EXPECT_TRUE(lab::wait_until([&] { return !is_local(); }, seconds(10)))
          << host << " would answer for " << vip;
    }
  }
  const lab::Output table = site_->cli("l4a", {"status"});
  EXPECT_NE(table.text.find("ANNOUNCED ADDRESS"), table.text.npos) << table.text;
  for (const bool is_v6 : {false, true}) {
    const lab::Output answer =
        site_->curl({"-o", "/dev/null", "-w", "%{http_code}", "https://shop.example/healthz"}, is_v6);
    EXPECT_EQ(answer.text, "200") << answer.errors;
  }
  // A ping is answered by XDP; a port that is no VIP's by nobody.
  const lab::Output ping = site_->lab().run("client", {"ping", "-c", "1", "-W", "5", "198.51.100.10"});
  EXPECT_EQ(ping.exit_code, 0) << ping.text;
}

TEST_F(BgpTest, DrainOfAHostCostsNothingAndOutlivesItsDaemon) {
  Load load(*site_, {.new_rate = 50});
  let_pass(seconds(1));
  const double drained_at = unix_seconds_now();
  const lab::Output drained = site_->cli("l4a", {"drain", "l4a"});
  ASSERT_EQ(drained.exit_code, 0) << drained.errors;
  ASSERT_TRUE(bgp_->wait_for_hops("l4b"));
  print_moved("drain", drained_at, "l4b");
  const Json row = bgp_->announcement("l4a");
  EXPECT_EQ(row.value("state", ""), "withdrawn");
  EXPECT_EQ(row.value("reason", ""), "this host is drained");
  let_pass(seconds(1));
  ASSERT_TRUE(site_->lab().kill("l4a"));
  ASSERT_TRUE(site_->lab().restart("l4a"));
  EXPECT_TRUE(wait_for_reason("l4a", "this host is drained"));
  EXPECT_EQ(bgp_->hops(), "l4b");
  const double undrained_at = unix_seconds_now();
  ASSERT_EQ(site_->cli("l4a", {"undrain", "l4a"}).exit_code, 0);
  ASSERT_TRUE(bgp_->wait_for_hops("l4a l4b"));
  print_moved("undrain", undrained_at, "l4a l4b");
  let_pass(seconds(1));
  expect_nothing_broken(load.stop());
  EXPECT_NE(site_->cli("l4a", {"drain", "l4b"}).exit_code, 0) << "another host is asked on that host";
}

TEST_F(BgpTest, AKilledBirdCostsNothing) {
  Load load(*site_, {.new_rate = 50});
  let_pass(seconds(1));
  const double killed_at = unix_seconds_now();
  ASSERT_TRUE(site_->lab().kill("bird-l4a"));
  ASSERT_TRUE(bgp_->wait_for_hops("l4b"));
  print_moved("SIGKILL of BIRD", killed_at, "l4b");
  let_pass(seconds(1));
  const double restarted_at = unix_seconds_now();
  ASSERT_TRUE(site_->lab().restart("bird-l4a"));
  ASSERT_TRUE(bgp_->wait_for_hops("l4a l4b"));
  print_moved("start of BIRD", restarted_at, "l4a l4b");
  let_pass(seconds(1));
  expect_nothing_broken(load.stop());
}

TEST_F(BgpTest, AHostThatFallsSilentBreaksNoEstablishedConnection) {
  Load load(*site_, {.new_rate = 50});
  let_pass(seconds(1));
  const double cut_at = unix_seconds_now();
  ASSERT_TRUE(site_->lab().cut("l4a"));
  ASSERT_TRUE(bgp_->wait_for_hops("l4b"));
  print_moved("silence, BFD 50 ms x 3", cut_at, "l4b");
  let_pass(seconds(2));
  ASSERT_TRUE(site_->lab().mend("l4a"));
  ASSERT_TRUE(bgp_->wait_for_hops("l4a l4b"));
  let_pass(seconds(1));
  expect_nothing_broken(load.stop());
}

TEST_F(BgpTest, IsWithdrawnWhenAllNodesAreDeadAndBackWhenTwoAre) {
  const double killed_at = unix_seconds_now();
  for (const char* node : {"n1", "n2", "n3"}) site_->lab().kill_all(node);
  ASSERT_TRUE(bgp_->wait_for_hops(""));
  print_moved("all nodes dead (probes: 200 ms, 2 in a row)", killed_at, "");
  EXPECT_TRUE(wait_for_reason("l4a", "0 of 3 answer, min_healthy is 50 %"));
  // One of three is less than half.
  ASSERT_TRUE(site_->lab().restart("n1"));
  ASSERT_TRUE(lab::wait_until([&] { return bgp_->announcement("l4a").value("healthy", 0) == 1; }, seconds(30),
                              milliseconds(20)));
  EXPECT_EQ(bgp_->announcement("l4a").value("state", ""), "withdrawn");
  EXPECT_EQ(bgp_->hops(), "");
  const double restarted_at = unix_seconds_now();
  ASSERT_TRUE(site_->lab().restart("n2"));
  ASSERT_TRUE(bgp_->wait_for_hops("l4a l4b", seconds(60)));
  print_moved("two of three are back (announce_after: 1 s)", restarted_at, "l4a l4b");
  EXPECT_TRUE(lab::wait_until(
      [&] {
        return site_->curl({"-o", "/dev/null", "-w", "%{http_code}", "https://shop.example/healthz"}).text ==
               "200";
      },
      seconds(30), milliseconds(100)));
}

// The daemon hands its interfaces on to the program that it becomes.
TEST_F(BgpTest, AnUpgradeOfTheDaemonMovesNoRoute) {
  Load load(*site_, {.new_rate = 50});
  const double upgraded_at = unix_seconds_now();
  for (const char* host : {"l4a", "l4a", "l4b"}) {
    const lab::Output output = site_->cli(host, {"upgrade"});
    ASSERT_EQ(output.exit_code, 0) << output.errors;
  }
  ASSERT_TRUE(wait_for_state("l4a", "announced"));
  // Longer than an address lives that nobody keeps.
  let_pass(seconds(6));
  for (const RouteEvent& event : bgp_->events_since(upgraded_at)) ADD_FAILURE() << "the route flapped: " << event.text;
  expect_nothing_broken(load.stop());
}

class BgpPrependTest : public BgpTest {
 protected:
  std::string config() override { return bgp_config("drain = \"prepend\"\n"); }
};

TEST_F(BgpPrependTest, HostsThatAllDrainAreStillTheLastResort) {
  Load load(*site_, {.new_rate = 50});
  let_pass(seconds(1));
  const double first_at = unix_seconds_now();
  ASSERT_EQ(site_->cli("l4a", {"drain", "l4a"}).exit_code, 0);
  ASSERT_TRUE(bgp_->wait_for_hops("l4b"));
  print_moved("drain by prepending", first_at, "l4b");
  const std::string routes = bgp_->ask_bird("router", {"show", "route", "protocol", "l4a_6", "all"});
  EXPECT_NE(routes.find("BGP.as_path: 65010 65010 65010 65010\n"), routes.npos) << routes;
  EXPECT_NE(routes.find("(65535,0)"), routes.npos) << routes;
  ASSERT_EQ(site_->cli("l4b", {"drain", "l4b"}).exit_code, 0);
  ASSERT_TRUE(bgp_->wait_for_hops("l4a l4b"));
  let_pass(seconds(1));
  for (const char* host : {"l4a", "l4b"}) ASSERT_EQ(site_->cli(host, {"undrain", host}).exit_code, 0);
  let_pass(seconds(1));
  EXPECT_TRUE(bgp_->wait_for_hops("l4a l4b"));
  expect_nothing_broken(load.stop());
}

// l4a's daemon runs below a service manager that keeps its descriptors.
class BgpRestartTest : public BgpTest {
 protected:
  void SetUp() override {
    BgpTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(site_->lab().kill("l4a"));
    const std::string folder = site_->lab().host_folder("l4a");
    hold_ = folder + "/hold";
    pid_file_ = folder + "/l4.pid";
    ASSERT_TRUE(site_->lab().start(
        "l4a", "keeper-l4a",
        {binary("gatehouse-keeper"), "--restart-after", "1500", "--hold", hold_, "--pid-file", pid_file_,
         "--", binary("gatehouse-l4"), "--config", site_->config_file("l4a"), "--host", "l4a", "--state-dir",
         folder + "/state", "--bpf-dir", site_->lab().bpf_folder("l4a")}));
    ASSERT_TRUE(wait_for_state("l4a", "announced"));
    ASSERT_TRUE(bgp_->wait_for_hops("l4a l4b"));
  }

  int daemon_pid() const {
    int pid = 0;
    std::ifstream(pid_file_) >> pid;
    return pid;
  }
  double kill_daemon() {
    const double now = unix_seconds_now();
    EXPECT_EQ(::kill(daemon_pid(), SIGKILL), 0);
    return now;
  }

  std::string hold_, pid_file_;
};

TEST_F(BgpRestartTest, AKilledDaemonThatIsRestartedMovesNoRoute) {
  Load load(*site_, {.new_rate = 50});
  let_pass(seconds(1));
  const int pid = daemon_pid();
  const double killed_at = kill_daemon();
  ASSERT_TRUE(lab::wait_until([&] { return daemon_pid() != pid; }, seconds(20)));
  const double restarted_at = unix_seconds_now();
  ASSERT_TRUE(wait_for_state("l4a", "announced"));
  std::printf("    SIGKILL of gatehouse-l4: started again after %.0f ms, announces after %.0f ms\n",
              (restarted_at - killed_at) * 1000, (unix_seconds_now() - killed_at) * 1000);
  // Longer than an address lives that nobody keeps.
  let_pass(seconds(6));
  for (const RouteEvent& event : bgp_->events_since(killed_at))
    ADD_FAILURE() << "the route flapped: " << event.text;
  expect_nothing_broken(load.stop());
}

TEST_F(BgpRestartTest, ADaemonThatHangsIsWithdrawnUntilItGoesOn) {
  const double stopped_at = unix_seconds_now();
  ASSERT_EQ(::kill(daemon_pid(), SIGSTOP), 0);
  ASSERT_TRUE(bgp_->wait_for_hops("l4b"));
  print_moved("SIGSTOP of gatehouse-l4", stopped_at, "l4b");
  const double continued_at = unix_seconds_now();
  ASSERT_EQ(::kill(daemon_pid(), SIGCONT), 0);
  ASSERT_TRUE(bgp_->wait_for_hops("l4a l4b"));
  print_moved("SIGCONT", continued_at, "l4a l4b");
}

TEST_F(BgpRestartTest, ADaemonThatIsKeptAwayIsWithdrawnThoughSomebodyHoldsItsInterface) {
  Load load(*site_, {.new_rate = 50});
  let_pass(seconds(1));
  std::ofstream(hold_).flush();
  const double killed_at = kill_daemon();
  ASSERT_TRUE(bgp_->wait_for_hops("l4b"));
  print_moved("SIGKILL of gatehouse-l4, kept away", killed_at, "l4b");
  const lab::Output link = site_->lab().run("l4a", {"ip", "link", "show", "gh-vip0"});
  EXPECT_EQ(link.exit_code, 0) << "its descriptor is held, so it must be there: " << link.errors;
  std::filesystem::remove(hold_);
  ASSERT_TRUE(bgp_->wait_for_hops("l4a l4b"));
  let_pass(seconds(1));
  expect_nothing_broken(load.stop());
}

}  // namespace
}  // namespace gatehouse::test
