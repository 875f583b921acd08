// A flood of SYNs from forged sources, as fast as this machine can make them, through the whole site: the
// router, the L4 hosts, the nodes, and the answers back. Meanwhile clients that mean it open TLS connections,
// and others have theirs already.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>

#include "tests/integration/load.h"
#include "tests/integration/site_test.h"
#include "tests/lab/network.h"

namespace gatehouse::test {
namespace {

using std::chrono::seconds;

class FloodTest : public SiteTest {
 protected:
  // What the flood needs of the network: a veth's other end must take frames from XDP, and answers to nobody
  // must end somewhere.
  void prepare() {
    if (access("/proc/sys/net/ipv4/tcp_syncookies", F_OK) != 0)
      GTEST_SKIP() << "This kernel is built without SYN cookies.";
    lab::Lab& lab = site_->lab();
    ASSERT_TRUE(lab::set_uplink(lab.name(), lab.topology(), "client", lab::Uplink::kPassProgram));
    ASSERT_EQ(lab.run("router", {"ip", "route", "add", "blackhole", "198.18.0.0/15"}).exit_code, 0);
    const lab::Output link = lab.run("router", {"ip", "-o", "link", "show", "dev", "client"});
    const std::size_t at = link.text.find("link/ether ");
    ASSERT_NE(at, std::string::npos) << link.text;
    router_mac_ = link.text.substr(at + 11, 17);
  }
  void start_flood(const std::string& duration) {
    ASSERT_TRUE(site_->lab().start("client", "flood",
                                   {binary("gatehouse-flood"), "--interface", "e0", "--router", router_mac_,
                                    "--to", "198.51.100.10:443", "--duration", duration}));
  }
  unsigned long long sum_of_nodes(const char* verdict) {
    unsigned long long sum = 0;
    for (const char* node : {"n1", "n2", "n3"}) sum += site_->status(node)["verdicts"].value(verdict, 0ull);
    return sum;
  }
  // Connections that nodes' kernels made from a cookie: a counter of /proc/net/netstat, whose names stand on
  // the line before.
  unsigned long long cookies_received() {
    unsigned long long sum = 0;
    for (const char* node : {"n1", "n2", "n3"}) {
      const std::string script =
          "awk '/^TcpExt/ { if (n) print $c; else for (c = 1; $c != \"SyncookiesRecv\"; ++c); n = 1 }' "
          "/proc/net/netstat";
      sum += std::strtoull(site_->lab().run(node, {"sh", "-c", script}).text.c_str(), nullptr, 10);
    }
    return sum;
  }

  std::string router_mac_;
};

void print(const char* what, const Json& report) {
  std::printf(
      "%s: %d requests, %d failed, %d connections broken; latency ms: median %.1f, 99%% %.1f, longest %.1f\n",
      what, report.value("ok", 0) + report.value("failed", 0), report.value("failed", 0),
      report.value("connections_broken", 0), report["latency_us"].value("p50", 0.0) / 1000,
      report["latency_us"].value("p99", 0.0) / 1000, report["latency_us"].value("max", 0.0) / 1000);
}

TEST_F(FloodTest, KeepsNobodyOutAndBreaksNothing) {
  prepare();
  if (IsSkipped()) return;
  Load established(*site_, {.connections = 50, .rate = 100, .paths = {"/bytes/2000"}});
  start_flood("8s");
  // The flood is on when nodes answer it from XDP.
  ASSERT_TRUE(lab::wait_until([&] { return sum_of_nodes("node_cookie_sent") > 10'000; }, seconds(20),
                              std::chrono::milliseconds(100)));
  Load fresh(*site_, {.connections = 1, .rate = 1, .new_rate = 50, .paths = {"/bytes/100"}});
  ASSERT_TRUE(lab::wait_until([&] { return !site_->lab().find("flood"); }, seconds(60)));
  const Json opened = fresh.stop(), kept = established.stop();
  std::printf("flood: %s", site_->log("flood").c_str());
  std::printf("nodes: %llu cookies sent, %llu came back, %llu packets without one dropped\n",
              sum_of_nodes("node_cookie_sent"), cookies_received(), sum_of_nodes("node_cookie_bad"));
  print("connections opened in the flood", opened);
  print("connections opened before", kept);
  EXPECT_EQ(kept.value("failed", -1), 0) << kept["failures"].dump();
  EXPECT_EQ(kept.value("connections_broken", -1), 0);
  EXPECT_GT(cookies_received(), 50u);
  const int ok = opened.value("ok", 0), failed = opened.value("failed", 0);
  EXPECT_GT(ok, 50);
  EXPECT_GE(ok, 0.99 * (ok + failed)) << opened["failures"].dump();
}

// Windows are scaled as both ends believe: an error of one bit would stall or break a connection of this
// size.
TEST_F(FloodTest, ConnectionsOpenedInItCarryMegabytesBothWays) {
  for (const char* node : {"n1", "n2", "n3"}) {
    ASSERT_EQ(site_->lab().run(node, {"sh", "-c", "echo 2 > /proc/sys/net/ipv4/tcp_timestamps"}).exit_code,
              0);
  }
  ASSERT_EQ(site_->cli("l4a", {"reload"}).exit_code, 0);
  prepare();
  if (IsSkipped()) return;
  start_flood("30s");
  ASSERT_TRUE(lab::wait_until([&] { return sum_of_nodes("node_cookie_sent") > 10'000; }, seconds(20),
                              std::chrono::milliseconds(100)));
  const std::string upload =
      "head -c 3000000 /dev/zero | curl -sS --max-time 60 --cacert " + site_->lab().ca_file() +
      " --resolve shop.example:443:198.51.100.10 -T - https://shop.example/upload | jq -j .length";
  for (int i = 0; i < 6; ++i) {
    const lab::Output sent = site_->lab().run("client", {"sh", "-c", upload});
    EXPECT_EQ(sent.text, "3000000") << sent.errors;
    const lab::Output received =
        site_->curl({"https://shop.example/bytes/3000000", "-o", "/dev/null", "-w", "%{size_download}"});
    EXPECT_EQ(received.text, "3000000") << received.errors;
  }
  EXPECT_TRUE(site_->lab().find("flood")) << "the flood was over before the transfers were";
  EXPECT_GT(cookies_received(), 6u);
}

}  // namespace
}  // namespace gatehouse::test
