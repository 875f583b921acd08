// What systemd would be told by the daemons: read from a real NOTIFY_SOCKET.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/integration/one_host.h"
#include "tests/integration/site_test.h"
#include "tests/support/manager_socket.h"

namespace gatehouse::test {
namespace {

class ManagedHost : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "workers become another user: root is needed";
    host.start_backend(9001);
    host.write("site.toml", config());
  }
  void TearDown() override {
    if (HasFailure()) std::printf("--- %s\n", host.log().c_str());
  }
  std::string config(const std::string& more = "") const {
    return "[workers]\ncount = 2\n[[listener]]\nname = \"web\"\naddresses = [\"" + host.address() +
           ":8080\"]\n[[route]]\npool = \"p\"\n[[pool]]\nname = \"p\"\nbackends = [\"" + host.address() +
           ":9001\"]\n" + more;
  }
  std::string get(const std::string& path) const {
    return lab::run({}, {"curl", "-sS", "--max-time", "20", "http://" + host.address() + ":8080" + path})
        .text;
  }
  OneHost host;
  ManagerSocket manager{host.file("notify")};
};

TEST_F(ManagedHost, IsReadyWhenItServesAndNotBefore) {
  host.start();
  EXPECT_EQ(manager.wait_for("READY=1"), "READY=1\nSTATUS=2 of 2 workers serve " + host.file("site.toml"));
  EXPECT_EQ(get("/healthz"), "ok\n") << "at once";
}

TEST_F(ManagedHost, SaysWhenAReloadBeginsAndEnds) {
  host.start();
  ASSERT_NE(manager.wait_for("READY=1"), "");
  host.write("site.toml", config("connect_timeout = \"1s\"\n"));
  EXPECT_EQ(host.cli({"reload"}).exit_code, 0);
  EXPECT_TRUE(manager.wait_for("RELOADING=1").starts_with("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_EQ(manager.wait_for("READY=1"), "READY=1");
  // One that is refused has ended too.
  host.write("site.toml", "nonsense = 1\n");
  EXPECT_NE(host.cli({"reload"}).exit_code, 0);
  EXPECT_NE(manager.wait_for("RELOADING=1"), "");
  EXPECT_EQ(manager.wait_for("READY=1"), "READY=1");
}

TEST_F(ManagedHost, SaysThatItEndsAndHowLongThatMayTake) {
  host.start();
  ASSERT_NE(manager.wait_for("READY=1"), "");
  host.stop();
  EXPECT_EQ(manager.wait_for("STOPPING=1"), "STOPPING=1\nSTATUS=ending\nEXTEND_TIMEOUT_USEC=35500000");
}

TEST_F(ManagedHost, PatsTheWatchdogAsLongAsItsLoopTurns) {
  setenv("WATCHDOG_USEC", "200000", 1);
  host.start();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(manager.wait_for("WATCHDOG=1"), "WATCHDOG=1");
}

TEST_F(ManagedHost, ASupervisorThatIsStartedAgainIsReadyWithTheWorkersThatLived) {
  host.start();
  ASSERT_NE(manager.wait_for("READY=1"), "");
  const Json before = host.status()["nodes"][0]["workers"];
  host.kill_supervisor();
  EXPECT_EQ(get("/healthz"), "ok\n");
  host.start();
  EXPECT_NE(manager.wait_for("READY=1"), "");
  const Json after = host.status()["nodes"][0]["workers"];
  ASSERT_EQ(after.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(after[i]["pid"], before[i]["pid"]);
}

using ManagedSite = SiteTest;

TEST_F(ManagedSite, AnL4HostIsReadyWhenItForwards) {
  ASSERT_TRUE(site_->lab().kill("l4a").has_value());
  ManagerSocket manager(site_->lab().host_folder("l4a") + "/notify");
  ASSERT_TRUE(site_->lab().restart("l4a").has_value());
  EXPECT_EQ(manager.wait_for("READY=1"), "READY=1\nSTATUS=forwarding on e0 (native), 3 of 3 nodes active");
  EXPECT_EQ(site_->cli("l4a", {"reload"}).exit_code, 0);
  EXPECT_TRUE(manager.wait_for("RELOADING=1").starts_with("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_EQ(manager.wait_for("READY=1"), "READY=1");
  ASSERT_TRUE(site_->lab().signal("l4a", SIGTERM).has_value());
  EXPECT_EQ(manager.wait_for("STOPPING=1"), "STOPPING=1\nSTATUS=ending");
}

}  // namespace
}  // namespace gatehouse::test
