// How channels over Unix sockets begin: listening, connecting, who may, and the one-shot call.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/temporary_folder.h"

#include "tests/common/control_ends.h"

namespace gatehouse::control {
namespace {

namespace fs = std::filesystem;
using Told = std::vector<std::string>;

class UnixSockets : public testing::Test {
 protected:
  UnixSockets() {
    fs::permissions(folder_, fs::perms::group_exec | fs::perms::others_exec, fs::perm_options::add);
  }

  // A server whose channels are told to `end`.
  Result<std::unique_ptr<Server>> listen(End& end, std::vector<unsigned> uids = {}) {
    return listen_unix(loop_, path_, end.handlers(), std::move(uids));
  }
  // A socket file that nobody listens on.
  void leave_stale_socket() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    const Fd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  mode_t mode() const {
    struct stat info {};
    EXPECT_EQ(stat(path_.c_str(), &info), 0);
    return info.st_mode & 0777;
  }

  EventLoop loop_;
  const test::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  const std::string path_ = folder_ / "control.sock";
};

TEST_F(UnixSockets, TalkInBothDirections) {
  End served, client;
  auto server = listen(served);
  ASSERT_TRUE(server) << server.error().message;
  client.channel = connect_unix(loop_, path_, client.handlers());
  client.ask("hello", {{"a", 1}});
  turn_until(loop_, [&] { return served.asked.size() == 1; });
  ASSERT_EQ((*server)->channels().size(), 1u);
  (*server)->channels()[0]->notify("news", {});
  served.asked[0](Json("welcome"));
  turn_until(loop_, [&] { return client.told.size() == 3; });
  EXPECT_EQ(client.told, (Told{"open", "notify news {}", "hello = \"welcome\""}));
  EXPECT_EQ(served.told, (Told{"open", R"(request hello {"a":1})"}));
  client.channel.reset();
  turn_until(loop_, [&] { return served.is_closed(); });
  EXPECT_TRUE((*server)->channels().empty());
}

TEST_F(UnixSockets, ServeManyAtOnce) {
  End served;
  auto server = listen(served);
  ASSERT_TRUE(server);
  std::vector<End> clients(50);
  for (End& client : clients) client.channel = connect_unix(loop_, path_, client.handlers());
  turn_until(loop_, [&] { return (*server)->channels().size() == clients.size(); });
  for (std::size_t i = 0; i < clients.size(); i += 2) clients[i].channel.reset();
  turn_until(loop_, [&] { return (*server)->channels().size() == clients.size() / 2; });
  for (Channel* channel : (*server)->channels()) channel->notify("still here", {});
  turn_until(loop_, [&] { return clients.back().told.size() == 2; });
  for (std::size_t i = 1; i < clients.size(); i += 2) EXPECT_EQ(clients[i].told.size(), 2u) << i;
}

TEST_F(UnixSockets, ServerClosesTheChannelsItOwns) {
  End served;
  auto server = listen(served);
  ASSERT_TRUE(server);
  End client;
  client.channel = connect_unix(loop_, path_, client.handlers());
  turn_until(loop_, [&] { return served.told.size() == 1; });
  (*server)->channels()[0]->close("enough of you");
  turn_until(loop_, [&] { return client.is_closed(); });
  EXPECT_EQ(served.told.back(), "close enough of you");
  EXPECT_TRUE((*server)->channels().empty());
}

TEST_F(UnixSockets, ServerThatGoesTakesItsChannelsAndItsFile) {
  End served, client;
  auto server = listen(served);
  ASSERT_TRUE(server);
  client.channel = connect_unix(loop_, path_, client.handlers());
  client.ask("pending");
  turn_until(loop_, [&] { return served.asked.size() == 1; });
  server->reset();
  EXPECT_FALSE(fs::exists(path_));
  served.asked[0](Json("too late"));
  turn_until(loop_, [&] { return client.is_closed(); });
  EXPECT_TRUE(client.told[1].starts_with("pending failed: ")) << client.told[1];
}

TEST_F(UnixSockets, ReplaceAStaleFileButNotALiveOne) {
  leave_stale_socket();
  ASSERT_TRUE(fs::exists(path_));
  End served, other, client;
  auto server = listen(served);
  ASSERT_TRUE(server) << server.error().message;
  const auto second = listen(other);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, path_ + " is served by another process");
  client.channel = connect_unix(loop_, path_, client.handlers());
  turn_until(loop_, [&] { return client.told == Told{"open"}; });
}

TEST_F(UnixSockets, LeaveAFileAloneThatIsNoSocket) {
  std::ofstream(path_) << "precious";
  End served;
  const auto server = listen(served);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().message, path_ + " is there and is not a socket");
  EXPECT_EQ(fs::file_size(path_), 8u);
}

TEST_F(UnixSockets, ListenErrorsNameThePath) {
  End served;
  const std::string deep = folder_ / "missing" / "control.sock", lengthy = folder_ / std::string(108, 'x');
  const auto missing = listen_unix(loop_, deep, served.handlers());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "cannot listen on " + deep + ": No such file or directory");
  const auto too_long = listen_unix(loop_, lengthy, served.handlers());
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().message, lengthy + ": expected at most 107 bytes for a socket's path");
}

TEST_F(UnixSockets, AreTheirUsersAloneWhateverTheMask) {
  for (const mode_t mask : {0, 022, 0777}) {
    const mode_t before = umask(mask);
    End served;
    {
      const auto server = listen(served);
      EXPECT_TRUE(server);
      EXPECT_EQ(mode(), 0600u) << mask;
    }
    {
      const auto server = listen(served, {12345});
      EXPECT_TRUE(server);
      EXPECT_EQ(mode(), 0666u) << mask;
    }
    EXPECT_EQ(umask(before), mask) << "the process's own mask is as it was";
  }
}

TEST_F(UnixSockets, AdmitTheUsersThatAreAllowed) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to be another user for a moment";
  constexpr unsigned kOther = 65534, kStranger = 65533;
  End served;
  auto server = listen(served, {kOther});
  ASSERT_TRUE(server);
  const auto connect_as = [&](unsigned uid, End& client) {
    ASSERT_EQ(seteuid(uid), 0);
    client.channel = connect_unix(loop_, path_, client.handlers());
    ASSERT_EQ(seteuid(0), 0);
  };
  End other, stranger;
  connect_as(kOther, other);
  connect_as(kStranger, stranger);
  turn_until(loop_, [&] { return stranger.is_closed(); });
  EXPECT_EQ(stranger.told.back(), "close closed by the peer");
  turn_until(loop_, [&] { return served.told.size() == 1; });
  ASSERT_EQ((*server)->channels().size(), 1u);
  EXPECT_TRUE((*server)->channels()[0]->peer().starts_with("unix uid 65534 pid "));
  EXPECT_EQ(other.told, Told{"open"});
}

TEST_F(UnixSockets, ConnectTellsWhyItCannot) {
  leave_stale_socket();
  const std::string missing = folder_ / "none", lengthy = folder_ / std::string(108, 'x');
  const struct {
    std::string path;
    std::string reason;
  } rows[] = {{missing, missing + ": No such file or directory"},
              {path_, path_ + ": Connection refused"},
              {lengthy, lengthy + ": too long for a socket"}};
  for (const auto& row : rows) {
    End client;
    client.channel = connect_unix(loop_, row.path, client.handlers());
    EXPECT_TRUE(client.told.empty()) << "never from inside connect";
    client.ask("m");
    turn_until(loop_, [&] { return client.is_closed(); });
    EXPECT_EQ(client.told, (Told{"m failed: no answer from the peer: " + row.reason, "close " + row.reason}));
  }
}

// ---- call_unix: from a program without a loop, so the daemon is a thread with one ----

class Daemon {
 public:
  using Answer = std::function<void(Channel&, std::string_view, const Json&, Reply)>;
  Daemon(const std::string& path, Answer answer) {
    Handlers handlers;
    handlers.on_request = std::move(answer);
    auto server = listen_unix(loop_, path, std::move(handlers));
    EXPECT_TRUE(server);
    server_ = std::move(*server);
    thread_ = std::thread([this] {
      while (!is_done_) loop_.turn(Duration(10));
    });
  }
  ~Daemon() {
    is_done_ = true;
    thread_.join();
  }

 private:
  EventLoop loop_;
  std::unique_ptr<Server> server_;
  std::atomic<bool> is_done_ = false;
  std::thread thread_;
};

TEST_F(UnixSockets, CallReturnsTheAnswerOrTheRefusal) {
  const Daemon daemon(path_, [](Channel&, std::string_view method, const Json& params, Reply reply) {
    if (method == "status") return reply(Json{{"asked", params}});
    reply(Error{"unknown request \"" + std::string(method) + "\""});
  });
  const auto status = call_unix(path_, "status", {{"x", 1}}, Duration(10'000));
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->dump(), R"({"asked":{"x":1}})");
  const auto refused = call_unix(path_, "stats", {}, Duration(10'000));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "unknown request \"stats\"");
}

TEST_F(UnixSockets, CallFailsWhenTheDaemonGoesAway) {
  const Daemon daemon(
      path_, [](Channel& channel, std::string_view, const Json&, const Reply&) { channel.close("no"); });
  const auto answer = call_unix(path_, "status", {}, Duration(10'000));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "no answer from unix uid " + std::to_string(geteuid()) + " pid " +
                                        std::to_string(getpid()) + ": closed by the peer");
}

TEST_F(UnixSockets, CallSaysThatNobodyIsThere) {
  const auto answer = call_unix(path_, "status", {}, Duration(10'000));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "no daemon answers: " + path_ + ": No such file or directory");
}

TEST_F(UnixSockets, CallWaitsNoLongerThanItsTimeout) {
  End never;  // its loop does not turn: connections wait, nobody answers
  const auto server = listen(never);
  ASSERT_TRUE(server);
  for (const Duration timeout : {Duration(0), Duration(30), Duration(250)}) {
    const auto begin = EventLoop::Clock::now();
    const auto answer = call_unix(path_, "status", {}, timeout);
    const auto took = EventLoop::Clock::now() - begin;
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message, "no answer at " + path_ + " within " + to_string(timeout));
    EXPECT_GE(took, timeout);
    EXPECT_LT(took, timeout + Duration(2'000));
  }
}

}  // namespace
}  // namespace gatehouse::control
