// What dies, and what it may cost: real processes killed and real links cut under a steady load of 200
// keep-alive TLS connections. The budgets are those that the README promises.
#include <gtest/gtest.h>
#include <signal.h>

#include <set>
#include <thread>

#include "tests/integration/load.h"
#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FailureTest : public SiteTest {
 protected:
  // The load's steady time before, between and after events: measurement, not synchronisation.
  static void let_pass(milliseconds time) { std::this_thread::sleep_for(time); }

  static void expect_nothing_failed(const Json& report) {
    EXPECT_GT(report.value("ok", 0), 1000) << report.dump();
    EXPECT_EQ(report.value("failed", -1), 0) << report["failures"].dump();
  }
  static void expect_nothing_broken(const Json& report) {
    expect_nothing_failed(report);
    EXPECT_EQ(report.value("connections_broken", -1), 0) << report.dump();
  }

  std::set<int> worker_pids(const std::string& node) {
    std::set<int> pids;
    for (const Json& worker : site_->workers(node)) pids.insert(worker.value("pid", 0));
    return pids;
  }
  // The nodes that answer `count` new connections.
  std::set<std::string> nodes_of_new_connections(int count) {
    std::set<std::string> nodes;
    for (int i = 0; i < count; ++i) {
      const lab::Output output = site_->curl({"-D-", "-o", "/dev/null", "https://shop.example/healthz"});
      const std::string node = node_of(output.text);
      nodes.insert(node.empty() ? "none: " + output.errors : node);
    }
    return nodes;
  }
  bool wait_for_state(const std::string& node, const std::string& state) {
    return lab::wait_until(
        [&] {
          return site_->node("l4a", node).value("state", "") == state &&
                 site_->node("l4b", node).value("state", "") == state;
        },
        seconds(5), milliseconds(20));
  }
};

TEST_F(FailureTest, SigkillOfAWorkerCostsItsOwnRequestsInFlight) {
  Load load(*site_, {.new_rate = 50});
  let_pass(seconds(1));
  const Json worker = site_->workers("n1").at(0);
  const int pid = worker.value("pid", 0);
  const int connections = worker.value("connections", 0);
  ASSERT_GT(connections, 0) << worker.dump();
  const std::uint64_t killed_at = load.now_ms();
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  let_pass(seconds(3));
  const Json report = load.stop();
  EXPECT_GT(report.value("ok", 0), 1000);
  // One request at most is in flight on a connection; none fails that began later.
  EXPECT_LE(report.value("failed", 0), connections + 2) << report["failures"].dump();
  EXPECT_EQ(count_failures(report,
                           [&](const Json& failure) { return failure.value("at_ms", 0u) > killed_at + 200; }),
            0)
      << report["failures"].dump();
  EXPECT_EQ(count_failures(report,
                           [](const Json& failure) {
                             return failure.value("via", "n1") != "n1" && failure.value("via", "") != "";
                           }),
            0)
      << report["failures"].dump();
  EXPECT_LE(report.value("connections_broken", 0), connections + 2);
  EXPECT_TRUE(lab::wait_until(
      [&] {
        return worker_pids("n1").size() == 2 && !worker_pids("n1").contains(pid) &&
               !worker_pids("n1").contains(0);
      },
      seconds(5)));
}

TEST_F(FailureTest, SigkillAndRestartOfASupervisorCostNothing) {
  const auto workers = worker_pids("n1");
  Load load(*site_, {.new_rate = 50});
  let_pass(seconds(1));
  ASSERT_TRUE(site_->lab().kill("n1"));
  let_pass(seconds(2));
  ASSERT_TRUE(site_->lab().restart("n1"));
  EXPECT_TRUE(site_->wait_until_ready()) << site_->why_not_ready();
  let_pass(seconds(1));
  expect_nothing_broken(load.stop());
  EXPECT_EQ(worker_pids("n1"), workers);
}

TEST_F(FailureTest, DrainAndUndrainOfANodeCostNothing) {
  Load load(*site_, {});
  let_pass(seconds(1));
  ASSERT_EQ(site_->cli("l4a", {"drain", "n1"}).exit_code, 0);
  ASSERT_TRUE(wait_for_state("n1", "draining"));
  EXPECT_FALSE(nodes_of_new_connections(30).contains("n1"));
  // Established connections finish where they are: the node still answers on them.
  const auto requests_of_n1 = [&] {
    std::uint64_t sum = 0;
    for (const Json& worker : site_->workers("n1")) sum += worker.value("requests", 0u);
    return sum;
  };
  const std::uint64_t before = requests_of_n1();
  let_pass(seconds(1));
  EXPECT_GT(requests_of_n1(), before + 100);
  ASSERT_EQ(site_->cli("l4a", {"undrain", "n1"}).exit_code, 0);
  ASSERT_TRUE(wait_for_state("n1", "active"));
  EXPECT_EQ(nodes_of_new_connections(40), (std::set<std::string>{"n1", "n2", "n3"}));
  let_pass(milliseconds(500));
  expect_nothing_broken(load.stop());
}

TEST_F(FailureTest, RemovalAndAdditionOfANodeBreakNoDownloadOfTheOthers) {
  Load steady(*site_, {.rate = 500});
  // About eight seconds each, so that all of them see both changes.
  Load downloads(
      *site_,
      {.connections = 100, .rate = 0, .read_rate = 250'000, .requests = 100, .paths = {"/bytes/2000000"}});
  let_pass(seconds(1));
  const std::string all = quickstart_config();
  const std::string third = "[[node]]\nid = 3\nname = \"n3\"\naddress = \"192.0.2.25\"\ninterface = \"e0\"\n";
  const auto switch_to = [&](const std::string& config) {
    for (const char* host : {"l4a", "l4b"}) {
      site_->write_config(config, host);
      const lab::Output output = site_->cli(host, {"reload"});
      EXPECT_EQ(output.exit_code, 0) << output.text << output.errors;
    }
  };
  switch_to(replaced(all, third, ""));
  const std::uint64_t removed_at = steady.now_ms();
  EXPECT_FALSE(nodes_of_new_connections(20).contains("n3"));
  let_pass(seconds(1));
  switch_to(all);
  EXPECT_TRUE(site_->wait_until_ready()) << site_->why_not_ready();
  EXPECT_TRUE(nodes_of_new_connections(40).contains("n3"));
  ASSERT_TRUE(downloads.wait_until_done(seconds(40)));
  // One that was opened to n3 by way of the L4 host that reloads last has not been answered by anybody yet.
  const auto of_others = [&](const Json& failure) {
    const std::string via = failure.value("via", "");
    return via != "n3" && !(via.empty() && failure.value("at_ms", 0u) < removed_at + 1000);
  };
  for (Load* load : {&downloads, &steady}) {
    const Json report = load->stop();
    EXPECT_EQ(count_failures(report, of_others), 0) << report["failures"].dump();
    EXPECT_GT(report.value("ok", 0), 50) << report.dump();
  }
}

TEST_F(FailureTest, SigkillOfAnL4DaemonFiveSecondsWithoutAndARestartCostNothing) {
  Load load(*site_, {.new_rate = 50});
  let_pass(seconds(1));
  ASSERT_TRUE(site_->lab().kill("l4a"));
  let_pass(seconds(5));
  ASSERT_TRUE(site_->lab().restart("l4a"));
  EXPECT_TRUE(site_->wait_until_ready()) << site_->why_not_ready();
  let_pass(seconds(1));
  expect_nothing_broken(load.stop());
}

TEST_F(FailureTest, AnL4HostCutOffBreaksNoEstablishedConnection) {
  Load load(*site_, {});
  let_pass(seconds(1));
  ASSERT_TRUE(site_->lab().cut("l4a"));
  let_pass(milliseconds(150));  // what BFD takes to notice
  ASSERT_TRUE(site_->lab().route_vips({"l4b"}));
  let_pass(seconds(2));
  ASSERT_TRUE(site_->lab().mend("l4a"));
  EXPECT_TRUE(site_->wait_until_ready()) << site_->why_not_ready();
  ASSERT_TRUE(site_->lab().route_vips({"l4a", "l4b"}));
  let_pass(seconds(1));
  expect_nothing_broken(load.stop());
}

TEST_F(FailureTest, TwentyReloadsAndAnInvalidOneCostNothing) {
  Load load(*site_, {.new_rate = 50});
  const std::string valid = quickstart_config();
  const std::string other =
      valid + "\n[[route]]\nname = \"more\"\nhosts = [\"more.example\"]\npool = \"shop\"\n";
  for (int i = 0; i < 20; ++i) {
    site_->write_config(i % 2 == 0 ? other : valid);
    for (const char* host : {"l4a", "l4b"}) {
      const lab::Output output = site_->cli(host, {"reload"});
      EXPECT_EQ(output.exit_code, 0) << output.text << output.errors;
    }
  }
  site_->write_config(valid + "\n[[route]]\nname = \"bad\"\npool = \"nowhere\"\n");
  const lab::Output refused = site_->cli("l4a", {"reload"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_NE((refused.text + refused.errors).find("nowhere"), std::string::npos)
      << refused.text << refused.errors;
  let_pass(seconds(1));
  expect_nothing_broken(load.stop());
}

TEST_F(FailureTest, AKilledBackendCostsItsRequestsInFlightAndLeavesTheRotation) {
  Load load(*site_, {.paths = {"/bytes/1000"}});
  let_pass(seconds(1));
  const auto report_of = [&](const std::string& node) {
    const Json report = site_->status(node);
    for (const Json& pool : report.value("pools", Json::array())) {
      for (const Json& backend : pool["backends"]) {
        if (backend.value("address", "") == "203.0.113.129:9001") return backend;
      }
    }
    return Json::object();
  };
  const std::uint64_t killed_at = load.now_ms();
  ASSERT_TRUE(site_->lab().kill("b1-9001"));
  const auto is_out = [&] {
    for (const char* node : {"n1", "n2", "n3"}) {
      if (report_of(node).value("is_healthy", true)) return false;
    }
    return true;
  };
  // interval 500 ms, fall 2, and what a loaded machine of two cores takes to say so
  EXPECT_TRUE(lab::wait_until(is_out, milliseconds(2000), milliseconds(20)));
  const std::uint64_t out_at = load.now_ms();
  let_pass(seconds(2));
  const Json report = load.stop();
  EXPECT_GT(report.value("ok", 0), 1000);
  // 1000 requests a second that take about a millisecond: few are in flight on one of three backends at any
  // time.
  EXPECT_LE(report.value("failed", 0), 20) << report["failures"].dump();
  EXPECT_EQ(count_failures(report, [&](const Json& f) { return f.value("at_ms", 0u) > killed_at + 200; }), 0)
      << "out of rotation after " << out_at - killed_at << " ms: " << report["failures"].dump();
  EXPECT_EQ(report.value("connections_broken", -1), 0);
}

TEST_F(FailureTest, ANodeThatDiesIsReplacedByTheOthersWithinItsProbes) {
  Load load(*site_, {.new_rate = 50});
  let_pass(seconds(1));
  const std::uint64_t killed_at = load.now_ms();
  site_->lab().kill_all("n2");
  ASSERT_TRUE(wait_for_state("n2", "down"));
  let_pass(seconds(2));
  const Json report = load.stop();
  EXPECT_EQ(count_failures(
                report, [&](const Json& failure) { return failure.value("at_ms", 0u) > killed_at + 2000; }),
            0)
      << report["failures"].dump();
  EXPECT_FALSE(nodes_of_new_connections(20).contains("n2"));
}

}  // namespace
}  // namespace gatehouse::test
