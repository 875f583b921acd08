// The secret of session tickets: from a file, or made here and kept by others while the supervisor is away.
#include "l7/supervisor/ticket_keeper.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace gatehouse::l7 {
namespace {

class Keeper : public testing::Test {
 protected:
  EventLoop loop;
  int changes = 0;
  TicketKeeper keeper{loop, [this] { ++changes; }};
  config::Tls config;
};

TEST_F(Keeper, MakesASecretThatTheNextSupervisorFinds) {
  keeper.set_config(config, "");
  EXPECT_FALSE(keeper.keys().has_value()) << "somebody may have kept one";
  keeper.make_own();
  ASSERT_TRUE(keeper.keys().has_value());
  EXPECT_EQ(changes, 1);
  TicketKeeper next(loop, [] {});
  next.set_config(config, "");
  next.adopt(Fd(dup(keeper.descriptor())));
  EXPECT_EQ(next.keys(), keeper.keys());
  TicketKeeper third(loop, [] {});
  third.set_config(config, "");
  third.adopt(Fd(dup(next.descriptor())));
  EXPECT_EQ(third.keys(), keeper.keys());
  TicketKeeper stranger(loop, [] {});
  stranger.set_config(config, "");
  stranger.make_own();
  EXPECT_NE(stranger.keys(), keeper.keys());
}

TEST_F(Keeper, KeysOfCookiesAreOfTheirOwnSecretOrElseOfTheTickets) {
  const std::string tickets(32, 't'), cookies(32, 'c'), earlier(32, 'e');
  keeper.set_cookie_secrets({cookies, earlier});
  keeper.set_config(config, "");
  ASSERT_TRUE(keeper.cookie_keys().has_value()) << "there is no need to wait for that of tickets";
  EXPECT_EQ(*keeper.cookie_keys(), (CookieKeys{derive_cookie_key(cookies), derive_cookie_key(earlier)}));
  EXPECT_FALSE(keeper.keys().has_value());
  keeper.set_cookie_secrets({});
  keeper.set_config(config, tickets);
  EXPECT_EQ(*keeper.cookie_keys(), (CookieKeys{derive_cookie_key(tickets), std::nullopt}));
  EXPECT_EQ(changes, 2);
  keeper.set_config(config, tickets);
  EXPECT_EQ(changes, 2) << "they are the same";
}

TEST(CookieSecrets, AreOf32BytesOrMore) {
  const std::string file = testing::TempDir() + "/cookie_secret_" + std::to_string(getpid());
  EXPECT_TRUE(TicketKeeper::read_cookie_secrets({}).has_value());
  EXPECT_FALSE(TicketKeeper::read_cookie_secrets({file}).has_value()) << "there is no such file";
  std::ofstream(file) << std::string(31, 'x');
  const auto refused = TicketKeeper::read_cookie_secrets({file});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message, "[cookies] secret_file: expected 32 bytes or more in " + file);
  std::ofstream(file) << std::string(32, 'x');
  EXPECT_EQ(TicketKeeper::read_cookie_secrets({file, file})->earlier, std::string(32, 'x'));
  std::filesystem::remove(file);
}

// A worker has the descriptor: it must not be able to read through it, nor to give us one of its own making.
TEST_F(Keeper, TheDescriptorOpensToTheSupervisorAlone) {
  keeper.set_config(config, "");
  keeper.make_own();
  char byte;
  EXPECT_EQ(read(keeper.descriptor(), &byte, 1), -1);
  EXPECT_EQ(fcntl(keeper.descriptor(), F_GETFL) & O_PATH, O_PATH);
  struct stat info {};
  ASSERT_EQ(fstat(keeper.descriptor(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(info.st_uid, geteuid());
  EXPECT_EQ(open(("/proc/self/fd/" + std::to_string(keeper.descriptor())).c_str(), O_WRONLY | O_TRUNC), -1)
      << "it is sealed";

  const Fd unsealed(memfd_create("forged", MFD_ALLOW_SEALING));
  ASSERT_EQ(write(unsealed.get(), std::string(32, 'x').data(), 32), 32);
  TicketKeeper next(loop, [] {});
  next.set_config(config, "");
  next.adopt(unsealed);
  next.adopt(Fd(open("/dev/null", O_RDONLY)));
  EXPECT_FALSE(next.keys().has_value());
}

TEST_F(Keeper, NodesWithTheSameFileHaveTheSameKeys) {
  const std::string file =
      std::filesystem::temp_directory_path().string() + "/gatehouse-secret-" + std::to_string(getpid());
  config.ticket_secret_file = file;
  EXPECT_EQ(TicketKeeper::read_secret(config).error().message.substr(0, 41),
            "[tls] ticket_secret_file: cannot read " + file.substr(0, 3));
  std::ofstream(file) << "short";
  EXPECT_FALSE(TicketKeeper::read_secret(config).has_value());
  std::ofstream(file) << std::string(40, 'k');
  const auto secret = TicketKeeper::read_secret(config);
  ASSERT_TRUE(secret.has_value());
  std::filesystem::remove(file);
  keeper.set_config(config, *secret);
  TicketKeeper other(loop, [] {});
  other.set_config(config, *secret);
  EXPECT_TRUE(keeper.keys().has_value());
  EXPECT_EQ(keeper.keys(), other.keys());
  EXPECT_EQ(keeper.descriptor(), -1) << "the file is there for the next supervisor";
}

TEST_F(Keeper, AReloadMayTakeTheFileAway) {
  keeper.set_config(config, std::string(32, 'k'));
  const auto of_site = keeper.keys();
  keeper.set_config(config, "");
  EXPECT_TRUE(keeper.keys().has_value());
  EXPECT_NE(keeper.keys(), of_site);
  EXPECT_EQ(changes, 2);
}

TEST_F(Keeper, KeysChangeWithTime) {
  config.ticket_lifetime = Duration(1'000);  // shorter than an option may be
  keeper.set_config(config, std::string(32, 'k'));
  const auto first = keeper.keys();
  const auto end = EventLoop::Clock::now() + std::chrono::seconds(30);
  while (keeper.keys() == first && EventLoop::Clock::now() < end) loop.turn(Duration(50));
  EXPECT_GE(changes, 2);
  EXPECT_FALSE((*keeper.keys())[1] == (*first)[1]);
}

}  // namespace
}  // namespace gatehouse::l7
