#include "common/service_manager.h"

#include <gtest/gtest.h>

#include "tests/support/manager_socket.h"

namespace gatehouse {
namespace {

class ServiceManagerTest : public testing::Test {
 protected:
  test::ManagerSocket socket{testing::TempDir() + "/manager-" + std::to_string(getpid())};
  EventLoop loop;
};

TEST_F(ServiceManagerTest, IsToldOnceThatTheDaemonServes) {
  ServiceManager manager(loop);
  manager.ready("one of two");
  manager.ready("two of two");
  manager.set_status("two of two");
  manager.stopping(Duration(1'500));
  EXPECT_EQ(socket.wait_for("STOPPING=1"), "STOPPING=1\nSTATUS=ending\nEXTEND_TIMEOUT_USEC=1500000");
  ASSERT_EQ(socket.messages().size(), 3u) << "what is known is not said again";
  EXPECT_EQ(socket.messages()[0], "READY=1\nSTATUS=one of two");
  EXPECT_EQ(socket.messages()[1], "STATUS=two of two");
}

TEST_F(ServiceManagerTest, ReloadsThatOverlapAreOne) {
  ServiceManager manager(loop);
  manager.begin_reload();
  manager.end_reload();
  manager.ready("x");
  manager.begin_reload();
  manager.begin_reload();
  manager.end_reload();
  manager.end_reload();
  manager.set_status("end");
  EXPECT_EQ(socket.wait_for("STATUS=end"), "STATUS=end");
  ASSERT_EQ(socket.messages().size(), 4u) << "none before it is ready";
  EXPECT_TRUE(socket.messages()[1].starts_with("RELOADING=1\nMONOTONIC_USEC=")) << socket.messages()[1];
  EXPECT_EQ(socket.messages()[2], "READY=1");
}

TEST_F(ServiceManagerTest, TheWatchdogIsPattedFromTheLoop) {
  setenv("WATCHDOG_USEC", "40000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  const ServiceManager manager(loop);
  EXPECT_EQ(socket.wait_for("WATCHDOG=1"), "WATCHDOG=1") << "the first at once";
  const auto end = EventLoop::Clock::now() + std::chrono::seconds(20);
  for (int turn = 0; turn < 3 && EventLoop::Clock::now() < end; ++turn) loop.turn(Duration(1'000));
  EXPECT_EQ(socket.wait_for("WATCHDOG=1"), "WATCHDOG=1");
  unsetenv("WATCHDOG_PID");
}

TEST_F(ServiceManagerTest, AWatchdogOfAnotherProcessIsNotOurs) {
  setenv("WATCHDOG_USEC", "40000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  ServiceManager manager(loop);
  manager.ready("x");
  socket.wait_for("READY=1");
  EXPECT_EQ(socket.messages().size(), 1u);
  unsetenv("WATCHDOG_PID");
}

TEST(ServiceManagerWithoutASocket, SaysNothing) {
  EventLoop loop;
  ServiceManager manager(loop);
  manager.ready("x");
  manager.begin_reload();
  manager.end_reload();
  manager.stopping(Duration(0));
}

}  // namespace
}  // namespace gatehouse
