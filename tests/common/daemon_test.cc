// What both daemons' main() share.
#include "common/daemon.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/temporary_folder.h"

namespace gatehouse {
namespace {

TEST(StateFolder, IsMadeAndHeldByOneAtATime) {
  const test::TemporaryFolder folder;
  const std::string state = folder.path() + "/run/l4";
  {
    const auto held = lock_state_folder(state);
    ASSERT_TRUE(held) << held.error().message;
    const auto second = lock_state_folder(state);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().message, "the state folder " + state + " is served by another process (pid " +
                                          std::to_string(getpid()) + ")");
  }
  EXPECT_TRUE(lock_state_folder(state)) << "free again";
  const std::string file = folder.path() + "/file";
  std::ofstream(file) << "x";
  EXPECT_FALSE(lock_state_folder(file)) << "not a folder";
}

TEST(DaemonSignals, EndAndReloadFromTheLoop) {
  sigset_t before;
  sigprocmask(SIG_BLOCK, nullptr, &before);
  {
    EventLoop loop;
    std::string seen;
    const DaemonSignals signals(loop, [&] { seen += "end "; }, [&] { seen += "reload "; }, [&] { seen += "rotated "; });
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE}) kill(getpid(), number);
    EXPECT_EQ(seen, "") << "only the loop calls";
    const auto deadline = EventLoop::Clock::now() + std::chrono::seconds(10);
    while (seen.size() < 23 && EventLoop::Clock::now() < deadline) loop.turn(Duration(100));
    EXPECT_EQ(seen, "reload end rotated end ") << "in order of their numbers";
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  signal(SIGPIPE, SIG_DFL);
}

}  // namespace
}  // namespace gatehouse
