// Flags and signals of both daemons.
#include "common/daemon.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace gatehouse {
namespace {

using Flags = std::map<std::string, std::string>;

Result<Flags> parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "gatehouse-l4");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  return parse_daemon_flags(static_cast<int>(pointers.size()), pointers.data(), {"config", "host"},
                            {"detach", "generic"});
}

TEST(DaemonFlags, TakeValuesAndSwitches) {
  const struct {
    std::vector<std::string> arguments;
    Flags flags;
  } rows[] = {
      {{}, {}},
      {{"--config", "a.toml"}, {{"config", "a.toml"}}},
      {{"--detach"}, {{"detach", "true"}}},
      {{"--host", "l4a", "--generic", "--config", "b"},
       {{"config", "b"}, {"generic", "true"}, {"host", "l4a"}}},
      {{"--config", "a", "--config", "b"}, {{"config", "b"}}},
      {{"--config", ""}, {{"config", ""}}},
      {{"--config", "--detach"}, {{"config", "--detach"}}},
  };
  for (const auto& row : rows) {
    const auto flags = parse(row.arguments);
    ASSERT_TRUE(flags) << flags.error().message;
    EXPECT_EQ(*flags, row.flags) << testing::PrintToString(row.arguments);
  }
}

TEST(DaemonFlags, SayWhichThereAre) {
  const std::string known = "; known: --config, --host, --detach, --generic";
  const struct {
    std::vector<std::string> arguments;
    std::string error;
  } rows[] = {
      {{"--confg", "a"}, "unknown flag \"--confg\"; did you mean \"--config\"?"},
      {{"a.toml"}, "unknown flag \"a.toml\"" + known},
      {{"-config", "a"}, "unknown flag \"-config\"; did you mean \"--config\"?"},
      {{"--config=a"}, "unknown flag \"--config=a\"; did you mean \"--config\"?"},
      {{"--"}, "unknown flag \"--\"" + known},
      {{""}, "unknown flag \"\"" + known},
      {{"--detach", "true"}, "unknown flag \"true\"" + known},
      {{"--detach", "--config"}, "--config needs a value"},
  };
  for (const auto& row : rows) {
    const auto flags = parse(row.arguments);
    ASSERT_FALSE(flags) << testing::PrintToString(row.arguments);
    EXPECT_EQ(flags.error().message, row.error);
  }
}

TEST(StateFolder, IsMadeAndHeldByOneAtATime) {
  std::string folder = testing::TempDir() + "gatehouse-state-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string state = folder + "/run/l4";
  {
    const auto held = lock_state_folder(state);
    ASSERT_TRUE(held) << held.error().message;
    const auto second = lock_state_folder(state);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().message, "the state folder " + state + " is served by another process (pid " +
                                          std::to_string(getpid()) + ")");
  }
  EXPECT_TRUE(lock_state_folder(state)) << "free again";
  const std::string file = folder + "/file";
  std::ofstream(file) << "x";
  EXPECT_FALSE(lock_state_folder(file)) << "not a folder";
  std::filesystem::remove_all(folder);
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
