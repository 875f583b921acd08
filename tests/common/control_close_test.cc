// The ends of a channel: by either side, with requests pending, from inside every handler, and a peer that
// does not read.
#include <gtest/gtest.h>

#include "tests/common/control_ends.h"

namespace gatehouse::control {
namespace {

using Told = std::vector<std::string>;

TEST(Close, FailsEveryPendingRequestThenTells) {
  Pair pair;
  for (const char* method : {"one", "two", "three"}) pair.left.ask(method);
  turn_until(pair.loop, [&] { return pair.right.asked.size() == 3; });
  pair.right.asked[1](Json("in time"));
  pair.right.channel.reset();
  turn_until(pair.loop, [&] { return pair.left.is_closed(); });
  const std::string lost = " failed: no answer from " + pair.left.channel->peer() + ": closed by the peer";
  EXPECT_EQ(pair.left.told,
            (Told{"two = \"in time\"", "one" + lost, "three" + lost, "close closed by the peer"}));
}

TEST(Close, ComesAtTheEndOfTheTurnAndOnce) {
  Pair pair;
  pair.left.ask("m");
  pair.left.channel->close("enough");
  pair.left.channel->close("again");
  EXPECT_TRUE(pair.left.told.empty()) << "never from inside close";
  settle(pair.loop);
  EXPECT_EQ(pair.left.told,
            (Told{"m failed: no answer from " + pair.left.channel->peer() + ": enough", "close enough"}));
}

TEST(Close, OfTheWritingEndAlsoCounts) {
  RawPair pair;
  pair.end.ask("m");
  pair.write(std::string("\0\0\0\x09half", 8));
  shutdown(pair.raw.get(), SHUT_WR);
  turn_until(pair.loop, [&] { return pair.end.is_closed(); });
  EXPECT_EQ(pair.end.told.back(), "close closed by the peer");
}

TEST(Close, StopsWhatIsSaidAfterwards) {
  Pair pair;
  pair.left.channel->close("enough");
  pair.left.channel->notify("late", {});
  pair.left.ask("late");
  settle(pair.loop);
  EXPECT_TRUE(pair.right.told.empty());
  EXPECT_EQ(pair.left.told.back(), "close enough");
  EXPECT_EQ(pair.left.told.size(), 2u) << "the late request has failed";
  pair.left.ask("later");
  pair.left.channel.reset();
  EXPECT_EQ(pair.left.told.back(),
            "later failed: no answer from " + pair.right.channel->peer() + ": the channel is gone");
}

TEST(Close, DropsAnAnswerToAChannelThatIsGone) {
  Pair pair;
  pair.left.ask("m");
  turn_until(pair.loop, [&] { return pair.right.asked.size() == 1; });
  pair.right.channel.reset();
  pair.right.asked[0](Json("too late"));
  turn_until(pair.loop, [&] { return pair.left.is_closed(); });
  EXPECT_EQ(pair.left.told.size(), 2u);
}

TEST(Close, DropsAnAnswerToAChannelThatIsClosed) {
  Pair pair;
  pair.left.ask("m");
  turn_until(pair.loop, [&] { return pair.right.asked.size() == 1; });
  pair.right.channel->close("enough");
  pair.right.asked[0](Json("too late"));
  settle(pair.loop);
  EXPECT_EQ(pair.right.told.back(), "close enough");
}

TEST(Destroy, FailsEveryPendingRequest) {
  Pair pair;
  pair.left.ask("one");
  pair.left.ask("two");
  const std::string lost = " failed: no answer from " + pair.left.channel->peer() + ": the channel is gone";
  pair.left.channel.reset();
  EXPECT_EQ(pair.left.told, (Told{"one" + lost, "two" + lost}));
  settle(pair.loop);
  EXPECT_EQ(pair.left.told.size(), 2u) << "and nothing is told after that";
}

TEST(Destroy, RightAfterCloseTellsNothing) {
  Pair pair;
  pair.left.channel->close("enough");
  pair.left.channel.reset();
  settle(pair.loop);
  EXPECT_TRUE(pair.left.told.empty());
}

// The channel may be destroyed by any of its own handlers. What each captures is used afterwards, as owners
// do.
struct Suicide {
  explicit Suicide(EventLoop& loop) { make_socket_pair(own, raw); channel_loop = &loop; }
  void adopt(Handlers handlers) { channel = adopt_unix(*channel_loop, std::move(own), std::move(handlers)); }
  void die(std::string what) {
    channel.reset();
    told.push_back(std::move(what));
  }
  void write(const std::string& bytes) {
    EXPECT_EQ(send(raw.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  EventLoop* channel_loop;
  Fd own, raw;
  std::unique_ptr<Channel> channel;
  Told told;
};

const std::string kTwoNotifications =
    frame(R"({"jsonrpc":"2.0","method":"a"})") + frame(R"({"jsonrpc":"2.0","method":"b"})");
const std::string kTwoRequests =
    frame(R"({"jsonrpc":"2.0","id":1,"method":"a"})") + frame(R"({"jsonrpc":"2.0","id":2,"method":"b"})");

TEST(Destroy, InsideOnOpen) {
  EventLoop loop;
  Suicide self(loop);
  self.write(kTwoNotifications);
  Handlers handlers;
  handlers.on_open = [&self](Channel&) { self.die("open"); };
  handlers.on_notify = [&self](Channel&, std::string_view, const Json&, std::vector<Fd>&) {
    self.told.push_back("notify");
  };
  self.adopt(std::move(handlers));
  settle(loop);
  EXPECT_EQ(self.told, Told{"open"});
}

TEST(Destroy, InsideOnNotify) {
  EventLoop loop;
  Suicide self(loop);
  self.write(kTwoNotifications);
  Handlers handlers;
  handlers.on_notify = [&self, text = std::string(100, 'x')](Channel&, std::string_view method,
                                                             const Json& params, std::vector<Fd>&) {
    self.channel.reset();
    self.told.push_back(std::string(method) + params.dump() + std::to_string(text.size()));
  };
  self.adopt(std::move(handlers));
  settle(loop);
  EXPECT_EQ(self.told, Told{"a{}100"});
}

TEST(Destroy, InsideOnRequestBeforeAndAfterTheAnswer) {
  for (const bool is_answered_first : {false, true}) {
    EventLoop loop;
    Suicide self(loop);
    self.write(kTwoRequests);
    Handlers handlers;
    handlers.on_request = [&self, is_answered_first](Channel&, std::string_view method, const Json&,
                                                     Reply reply) {
      const bool is_first = is_answered_first;
      if (is_first) reply(Json("yes"));
      self.die(std::string(method));
      if (!is_first) reply(Json("yes"));
    };
    self.adopt(std::move(handlers));
    settle(loop);
    EXPECT_EQ(self.told, Told{"a"});
    char bytes[200];
    const ssize_t count = recv(self.raw.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    EXPECT_EQ(count > 0, is_answered_first) << "what was answered before is on its way";
  }
}

TEST(Destroy, InsideOnClose) {
  EventLoop loop;
  Suicide self(loop);
  Handlers handlers;
  handlers.on_close = [&self, text = std::string(100, 'x')](Channel&, const std::string& reason) {
    self.channel.reset();
    self.told.push_back(reason + std::to_string(text.size()));
  };
  self.adopt(std::move(handlers));
  settle(loop);
  self.channel->close("a reason that is too long to be kept inside of a string");
  settle(loop);
  EXPECT_EQ(self.told, Told{"a reason that is too long to be kept inside of a string100"});
}

TEST(Destroy, InsideAnAnswer) {
  EventLoop loop;
  Suicide self(loop);
  self.adopt({});
  self.channel->request("m", {}, [&self, text = std::string(100, 'x')](Result<Json> answer) {
    self.die((answer ? answer->dump() : "failed") + std::to_string(text.size()));
  });
  settle(loop);
  self.write(frame(R"({"jsonrpc":"2.0","id":1,"result":"yes"})") + kTwoNotifications);
  settle(loop);
  EXPECT_EQ(self.told, Told{"\"yes\"100"});
}

TEST(Destroy, InsideTheFirstOfSeveralFailures) {
  EventLoop loop;
  Suicide self(loop);
  Handlers handlers;
  handlers.on_close = [&self](Channel&, const std::string&) { self.told.push_back("close"); };
  self.adopt(std::move(handlers));
  settle(loop);
  const std::string lost =
      "no answer from " + self.channel->peer() + ": a reason that is too long to be kept inside of a string";
  for (int i = 0; i < 3; ++i) {
    self.channel->request("m", {}, [&self](Result<Json> answer) { self.die(answer.error().message); });
  }
  self.channel->close("a reason that is too long to be kept inside of a string");
  settle(loop);
  EXPECT_EQ(self.told, (Told{lost, lost, lost})) << "each exactly once, and no on_close for what is gone";
}

// ---- A peer that does not read ----

TEST(SlowPeer, GetsEverythingInTheEnd) {
  Pair pair;
  constexpr int kCount = 40;
  for (int i = 0; i < kCount; ++i)
    pair.left.channel->notify("n", {{"i", i}, {"text", std::string(1 << 20, 'x')}});
  turn_until(pair.loop, [&] { return pair.right.told.size() == kCount; });
  for (int i = 0; i < kCount; ++i) {
    EXPECT_TRUE(pair.right.told[static_cast<std::size_t>(i)].starts_with(
        "notify n {\"i\":" + std::to_string(i) + ","))
        << i;
  }
}

TEST(SlowPeer, IsGivenUpWhenItReadsNothing) {
  RawPair pair;
  int sent = 0;
  for (; sent < 100 && !pair.end.is_closed(); ++sent) {
    pair.end.channel->notify("n", {{"text", std::string(1 << 20, 'x')}});
    pair.loop.turn(Duration(0));
  }
  EXPECT_GE(sent, 64);
  EXPECT_LT(sent, 70);
  EXPECT_EQ(pair.end.told, Told{"close the peer does not read"});
}

}  // namespace
}  // namespace gatehouse::control
