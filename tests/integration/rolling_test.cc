// The promise of the front door on real connections: two thousand of them, long-lived, that say something now
// and then, while every node is drained, restarted and brought back, one after another, and an L4 daemon is
// killed in between.
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "tests/integration/load.h"
#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kConnections = 2'100;
constexpr int kRate = 600;  // every connection is asked every three and a half seconds
const char* const kNodes[] = {"n1", "n2", "n3"};

class RollingTest : public SiteTest {
 protected:
  static LoadShape shape() {
    return {.connections = kConnections, .rate = kRate, .paths = {"/bytes/100", "/bytes/3000"}};
  }
  void wait_for_state(const std::string& node, const std::string& state) {
    const bool is_there = lab::wait_until(
        [&] {
          return site_->node("l4a", node).value("state", "") == state &&
                 site_->node("l4b", node).value("state", "") == state;
        },
        seconds(20), milliseconds(50));
    ASSERT_TRUE(is_there) << node << " should be " << state << ": " << site_->node("l4a", node).dump();
  }
  void drain(const std::string& node) {
    const lab::Output output = site_->cli("l4a", {"drain", node});
    ASSERT_EQ(output.exit_code, 0) << output.errors;
    wait_for_state(node, "draining");
  }
  // By its own socket: its link to an L4 host may not be back yet.
  void undrain(const std::string& node) {
    const bool is_told = lab::wait_until(
        [&] {
          return site_->cli(node, {"undrain", node}).exit_code == 0;
        },
        seconds(20), milliseconds(50));
    ASSERT_TRUE(is_told) << site_->log(node);
    wait_for_state(node, "active");
  }
  void restart_l4_daemon() {
    ASSERT_TRUE(site_->lab().kill("l4a"));
    ASSERT_TRUE(site_->lab().restart("l4a"));
    EXPECT_TRUE(site_->wait_until_ready()) << site_->why_not_ready();
  }
  std::uint64_t connections_of(const std::string& node) {
    return site_->node(node, node).value("connections", std::uint64_t{0});
  }
  // Every connection speaks once more, wherever it is: one that has gone astray is reset then.
  static void let_all_speak() { std::this_thread::sleep_for(seconds(kConnections / kRate + 2)); }
};

// What a node runs is replaced under its connections: its workers serve on while their supervisor is killed
// and started anew.
TEST_F(RollingTest, RestartOfEveryNodeUnderItsConnectionsBreaksNone) {
  Load load(*site_, shape());
  for (const char* node : kNodes) EXPECT_GT(connections_of(node), 300u) << node;
  for (const char* node : kNodes) {
    drain(node);
    if (HasFatalFailure()) return;
    let_all_speak();
    ASSERT_TRUE(site_->lab().kill(node));
    ASSERT_TRUE(site_->lab().restart(node));
    undrain(node);
    if (HasFatalFailure()) return;
    if (node == kNodes[1]) restart_l4_daemon();
    let_all_speak();
  }
  const Json report = load.stop();
  std::printf("%d connections, %llu requests: %d failed, %d connections broken\n", kConnections,
              static_cast<unsigned long long>(report.value("ok", std::uint64_t{0})),
              report.value("failed", -1), report.value("connections_broken", -1));
  EXPECT_GT(report.value("ok", 0), kConnections * 5);
  EXPECT_EQ(report.value("failed", -1), 0) << report["failures"].dump();
  EXPECT_EQ(report.value("connections_broken", -1), 0) << report.dump();
  EXPECT_EQ(report.value("connections_opened", -1), kConnections) << "all of them are those of the beginning";
}

// A node that ends ends its connections: in order, and nobody else's. HTTP leaves one gap: a request that
// crosses the close of an idle connection on its way is the client's to repeat (RFC 9112 §9.3.1); this client
// does not, so those few are counted.
TEST_F(RollingTest, StopAndStartOfEveryNodeEndsItsConnectionsInOrderAndNoOthers) {
  Load load(*site_, shape());
  std::string stopped;
  for (const char* node : kNodes) {
    drain(node);
    if (HasFatalFailure()) return;
    ASSERT_TRUE(site_->lab().signal(node, SIGTERM));
    ASSERT_TRUE(lab::wait_until([&] { return !site_->lab().find(node); }, seconds(60), milliseconds(50)))
        << site_->log(node);
    ASSERT_TRUE(site_->lab().restart(node));
    undrain(node);
    if (HasFatalFailure()) return;
    if (node == kNodes[1]) restart_l4_daemon();
    let_all_speak();
  }
  const Json report = load.stop();
  const int crossed = count_failures(report, [](const Json& failure) {
    return failure.value("detail", "").find(" before the answer, 0 bytes") != std::string::npos &&
           failure.value("connection_requests", 0) > 0;
  });
  std::printf("%llu requests: %d failed, of which %d crossed the end of their connection\n",
              static_cast<unsigned long long>(report.value("ok", std::uint64_t{0})),
              report.value("failed", -1), crossed);
  EXPECT_EQ(report.value("failed", -1), crossed) << report["failures"].dump();
  EXPECT_LE(crossed, kConnections * 3 / 100);
  const int in_disorder = report.value("connections_broken", -1) - report.value("connections_broken_idle", 0);
  EXPECT_EQ(in_disorder, crossed) << report.dump();
}

}  // namespace
}  // namespace gatehouse::test
