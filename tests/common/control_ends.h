// Ends of control channels for tests: one that records what it is told, and a raw one that writes bytes of
// its own. Both live on the test's event loop; nothing sleeps.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "common/control/channel.h"
#include "tests/support/turn_until.h"

namespace gatehouse::control {

// Turns until `is_done`, at most twenty seconds: a hang becomes a failure.
template <typename Condition>
void turn_until(EventLoop& loop, Condition is_done) {
  EXPECT_TRUE(test::turn_until(loop, is_done));
}

// Enough for all that is already on its way inside this process.
inline void settle(EventLoop& loop) {
  for (int i = 0; i < 5; ++i) loop.turn(Duration(0));
}

// A channel's owner that writes down what it is told, as text.
struct End {
  Handlers handlers() {
    Handlers handlers;
    handlers.on_open = [this](Channel&) { told.push_back("open"); };
    handlers.on_notify = [this](Channel&, std::string_view method, const Json& params,
                                std::vector<Fd>& came) {
      told.push_back("notify " + std::string(method) + " " + params.dump());
      descriptors.push_back(std::move(came));
    };
    handlers.on_request = [this](Channel&, std::string_view method, const Json& params, Reply reply) {
      told.push_back("request " + std::string(method) + " " + params.dump());
      asked.push_back(std::move(reply));
    };
    handlers.on_close = [this](Channel&, const std::string& reason) { told.push_back("close " + reason); };
    return handlers;
  }
  // Asks, and writes the answer down.
  void ask(std::string_view method, Json params = Json::object()) {
    channel->request(method, std::move(params), [this, name = std::string(method)](Result<Json> answer) {
      told.push_back(name + (answer ? " = " + answer->dump() : " failed: " + answer.error().message));
    });
  }
  bool is_closed() const { return !told.empty() && told.back().starts_with("close "); }

  std::vector<std::string> told;
  std::vector<Reply> asked;
  std::vector<std::vector<Fd>> descriptors;  // of each notification
  std::unique_ptr<Channel> channel;
};

inline void make_socket_pair(Fd& one, Fd& other) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  one = Fd(ends[0]);
  other = Fd(ends[1]);
}

// Two ends of one channel, open.
struct Pair {
  Pair() {
    Fd one, other;
    make_socket_pair(one, other);
    left.channel = adopt_unix(loop, std::move(one), left.handlers());
    right.channel = adopt_unix(loop, std::move(other), right.handlers());
    turn_until(loop, [this] { return left.told.size() == 1 && right.told.size() == 1; });
    left.told.clear();
    right.told.clear();
  }
  EventLoop loop;
  End left, right;
};

inline std::string frame(const std::string& body) {
  const std::uint32_t length = htonl(static_cast<std::uint32_t>(body.size()));
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + body;
}

// One end is a channel, the other a bare socket.
struct RawPair {
  RawPair() {
    Fd one;
    make_socket_pair(one, raw);
    end.channel = adopt_unix(loop, std::move(one), end.handlers());
    turn_until(loop, [this] { return end.told.size() == 1; });
    end.told.clear();
  }
  // Few bytes: they fit into the socket.
  void write(std::string_view bytes) {
    EXPECT_EQ(send(raw.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  // What is there now.
  std::string read() {
    std::string bytes;
    char chunk[4096];
    ssize_t count;
    while ((count = recv(raw.get(), chunk, sizeof chunk, MSG_DONTWAIT)) > 0)
      bytes.append(chunk, static_cast<std::size_t>(count));
    return bytes;
  }
  EventLoop loop;
  End end;
  Fd raw;
};

}  // namespace gatehouse::control
