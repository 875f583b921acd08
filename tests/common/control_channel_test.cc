// A channel between two ends: frames, requests, descriptors, and every way in which one can end.
#include "common/control/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "tests/common/control_ends.h"

namespace gatehouse::control {
namespace {

using Told = std::vector<std::string>;

TEST(Channel, AnswersRequestsInAnyOrder) {
  Pair pair;
  for (const char* method : {"one", "two", "three"}) pair.left.ask(method, {{"of", method}});
  turn_until(pair.loop, [&] { return pair.right.asked.size() == 3; });
  EXPECT_EQ(pair.right.told, (Told{R"(request one {"of":"one"})", R"(request two {"of":"two"})",
                                   R"(request three {"of":"three"})"}));
  pair.right.asked[2](Json(3));
  pair.right.asked[0](Error{"not today"});
  pair.right.asked[1](Json{{"n", 2}});
  turn_until(pair.loop, [&] { return pair.left.told.size() == 3; });
  EXPECT_EQ(pair.left.told, (Told{"three = 3", "one failed: not today", R"(two = {"n":2})"}));
}

TEST(Channel, AsksInBothDirectionsAtOnce) {
  Pair pair;
  pair.left.ask("ping");
  pair.right.ask("pong");
  turn_until(pair.loop, [&] { return pair.left.asked.size() == 1 && pair.right.asked.size() == 1; });
  pair.left.asked[0](Json("from left"));
  pair.right.asked[0](Json("from right"));
  turn_until(pair.loop, [&] { return pair.left.told.size() == 2 && pair.right.told.size() == 2; });
  EXPECT_EQ(pair.left.told.back(), "ping = \"from right\"");
  EXPECT_EQ(pair.right.told.back(), "pong = \"from left\"");
}

TEST(Channel, NotifiesInOrder) {
  Pair pair;
  Told expected;
  for (int i = 0; i < 1000; ++i) {
    pair.left.channel->notify("n", {{"i", i}});
    expected.push_back("notify n {\"i\":" + std::to_string(i) + "}");
  }
  turn_until(pair.loop, [&] { return pair.right.told.size() == 1000; });
  EXPECT_EQ(pair.right.told, expected);
}

TEST(Channel, KnowsItsPeer) {
  Pair pair;
  EXPECT_EQ(pair.left.channel->peer(),
            "unix uid " + std::to_string(geteuid()) + " pid " + std::to_string(getpid()));
  EXPECT_EQ(pair.left.channel->peer_name(), "");
  EXPECT_EQ(pair.left.channel->peer_pid(), getpid());
}

TEST(Channel, RefusesWhatNobodyTakes) {
  EventLoop loop;
  Fd one, other;
  make_socket_pair(one, other);
  End left;
  left.channel = adopt_unix(loop, std::move(one), left.handlers());
  const auto deaf = adopt_unix(loop, std::move(other), {});
  left.channel->notify("told", {});
  left.ask("asked");
  turn_until(loop, [&] { return left.told.size() == 2; });
  EXPECT_EQ(left.told.back(), "asked failed: nothing is asked for on this channel");
}

TEST(Channel, CarriesTextThatIsNotUnicode) {
  Pair pair;
  pair.left.channel->notify("n", {{"text", "a\xff"}});
  turn_until(pair.loop, [&] { return pair.right.told.size() == 1; });
  EXPECT_EQ(pair.right.told[0], "notify n {\"text\":\"a\xef\xbf\xbd\"}");
}

// ---- Frames ----

TEST(Frames, MayBeSplitAtEveryByte) {
  const std::string bytes = frame(R"({"jsonrpc":"2.0","method":"a","params":{"x":1}})") +
                            frame(R"({"jsonrpc":"2.0","method":"b"})");
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    RawPair pair;
    pair.write(bytes.substr(0, cut));
    settle(pair.loop);
    pair.write(bytes.substr(cut));
    turn_until(pair.loop, [&] { return pair.end.told.size() == 2; });
    EXPECT_EQ(pair.end.told, (Told{R"(notify a {"x":1})", "notify b {}"})) << cut;
  }
}

TEST(Frames, MayComeByteByByte) {
  RawPair pair;
  for (const char byte : frame(R"({"jsonrpc":"2.0","id":9,"method":"a","params":{"x":1}})")) {
    EXPECT_TRUE(pair.end.told.empty());
    pair.write({&byte, 1});
    settle(pair.loop);
  }
  ASSERT_EQ(pair.end.told, (Told{R"(request a {"x":1})"}));
  pair.end.asked[0](Json("yes"));
  EXPECT_EQ(pair.read(), frame(R"({"id":9,"jsonrpc":"2.0","result":"yes"})"));
}

// With `depth` lists inside of params.
std::string nested(std::size_t depth) {
  return R"({"jsonrpc":"2.0","method":"a","params":{"x":)" + std::string(depth, '[') +
         std::string(depth, ']') + "}}";
}

TEST(Frames, MayNestToALimitThatBracketsInTextDoNotCountFor) {
  RawPair pair;
  const std::string brackets = R"(\\\")" + std::string(40, '[');
  pair.write(frame(nested(30)) +
             frame(R"({"jsonrpc":"2.0","method":"b","params":{"x":")" + brackets + "\"}}"));
  turn_until(pair.loop, [&] { return pair.end.told.size() == 2; });
  EXPECT_TRUE(pair.end.told[0].starts_with("notify a "));
  EXPECT_TRUE(pair.end.told[1].starts_with("notify b ")) << pair.end.told[1];
}

TEST(Frames, MalformedOnesCloseTheChannelWithAReason) {
  const std::string header_only("\x01\x00\x00\x01", 4);
  const struct {
    std::string bytes;
    std::string reason;
  } rows[] = {
      {frame(""), "frame is not a JSON-RPC 2.0 object"},
      {frame("{"), "frame is not a JSON-RPC 2.0 object"},
      {frame("[]"), "frame is not a JSON-RPC 2.0 object"},
      {frame("7"), "frame is not a JSON-RPC 2.0 object"},
      {frame("{}"), "frame is not a JSON-RPC 2.0 object"},
      {frame(R"({"method":"a"})"), "frame is not a JSON-RPC 2.0 object"},
      {frame(R"({"jsonrpc":2.0,"method":"a"})"), "frame is not a JSON-RPC 2.0 object"},
      {frame(R"({"jsonrpc":"1.0","method":"a"})"), "frame is not a JSON-RPC 2.0 object"},
      {frame("{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}"), "frame is not a JSON-RPC 2.0 object"},
      {frame(R"({"jsonrpc":"2.0","method":"a"} {})"), "frame is not a JSON-RPC 2.0 object"},
      {frame(nested(31)), "frame nests deeper than 32"},
      {frame(std::string(1 << 16, '[')), "frame nests deeper than 32"},
      {frame(R"({"jsonrpc":"2.0","method":"a","params":{"a":)" + std::string(100'000, '[')),
       "frame nests deeper than 32"},
      {frame(R"({"jsonrpc":"2.0","method":7})"), "frame's method is not a text"},
      {frame(R"({"jsonrpc":"2.0","method":"a","params":[1]})"), "frame's params are not an object"},
      {frame(R"({"jsonrpc":"2.0","method":"a","params":null})"), "frame's params are not an object"},
      {frame(R"({"jsonrpc":"2.0","method":"a","descriptors":1})"), "frame came without its descriptors"},
      {frame(R"({"jsonrpc":"2.0","method":"a","descriptors":-1})"), "frame came without its descriptors"},
      {frame(R"({"jsonrpc":"2.0","method":"a","id":"x"})"), "frame's id is not a number"},
      {frame(R"({"jsonrpc":"2.0","method":"a","id":-1})"), "frame's id is not a number"},
      {frame(R"({"jsonrpc":"2.0","method":"a","id":1.5})"), "frame's id is not a number"},
      {frame(R"({"jsonrpc":"2.0","method":"a","id":null})"), "frame's id is not a number"},
      {frame(R"({"jsonrpc":"2.0"})"), "frame is neither request nor reply"},
      {frame(R"({"jsonrpc":"2.0","result":1})"), "frame is neither request nor reply"},
      {frame(R"({"jsonrpc":"2.0","id":"1","result":1})"), "frame is neither request nor reply"},
      {frame(R"({"jsonrpc":"2.0","id":1,"result":1})"), "reply to nothing that was asked"},
      {header_only, "frame of 16777217 bytes; expected at most 16777216"},
      {"\xff\xff\xff\xff", "frame of 4294967295 bytes; expected at most 16777216"},
  };
  for (const auto& row : rows) {
    RawPair pair;
    pair.write(row.bytes + frame(R"({"jsonrpc":"2.0","method":"late"})"));
    turn_until(pair.loop, [&] { return pair.end.is_closed(); });
    EXPECT_EQ(pair.end.told, Told{"close " + row.reason}) << row.bytes.substr(0, 100);
  }
}

TEST(Frames, AReplyIsTakenOnce) {
  RawPair pair;
  pair.end.ask("one");
  pair.end.ask("two");
  settle(pair.loop);
  EXPECT_EQ(pair.read(), frame(R"({"id":1,"jsonrpc":"2.0","method":"one","params":{}})") +
                             frame(R"({"id":2,"jsonrpc":"2.0","method":"two","params":{}})"));
  pair.write(frame(R"({"jsonrpc":"2.0","id":2,"result":"b"})") +
             frame(R"({"jsonrpc":"2.0","id":2,"result":"again"})"));
  turn_until(pair.loop, [&] { return pair.end.is_closed(); });
  EXPECT_EQ(pair.end.told, (Told{"two = \"b\"",
                                 "one failed: no answer from " + pair.end.channel->peer() +
                                     ": reply to nothing that was asked",
                                 "close reply to nothing that was asked"}));
}

TEST(Frames, RepliesOfEveryShapeBecomeAResult) {
  const struct {
    const char* reply;
    const char* told;
  } rows[] = {
      {R"("result":null)", "m = null"},
      {R"("result":[1])", "m = [1]"},
      {R"("other":1)", "m = null"},
      {R"("error":{"code":-1,"message":"no"})", "m failed: no"},
      {R"("error":{"code":-1})", "m failed: refused without a reason"},
      {R"("error":{"message":7})", "m failed: refused without a reason"},
      {R"("error":"no")", "m failed: refused without a reason"},
      {R"("error":null)", "m failed: refused without a reason"},
  };
  for (const auto& row : rows) {
    RawPair pair;
    pair.end.ask("m");
    pair.write(frame(std::string(R"({"jsonrpc":"2.0","id":1,)") + row.reply + "}"));
    turn_until(pair.loop, [&] { return !pair.end.told.empty(); });
    EXPECT_EQ(pair.end.told, Told{row.told}) << row.reply;
  }
}

TEST(Frames, AreAsLargeAsTheLimitAndNoLarger) {
  const std::size_t overhead =
      Json{{"jsonrpc", "2.0"}, {"method", "m"}, {"params", {{"text", ""}}}}.dump().size();
  Pair pair;
  std::size_t received = 0;
  pair.left.channel->notify("m", {{"text", std::string(kMaxFrame - overhead, 'x')}});
  turn_until(pair.loop, [&] {
    received = pair.right.told.empty() ? 0 : pair.right.told[0].size();
    return received != 0;
  });
  EXPECT_EQ(received, std::string("notify m {\"text\":\"\"}").size() + kMaxFrame - overhead);
  pair.left.channel->notify("m", {{"text", std::string(kMaxFrame - overhead + 1, 'x')}});
  turn_until(pair.loop, [&] { return pair.left.is_closed(); });
  EXPECT_EQ(pair.left.told.back(), "close a frame to the peer would be too long");
}

// ---- Descriptors ----

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    reader = Fd(ends[0]);
    writer = Fd(ends[1]);
  }
  // True once nobody holds the writing end.
  bool is_closed() const {
    char byte;
    return read(reader.get(), &byte, 1) == 0;
  }
  Fd reader, writer;
};

TEST(Descriptors, ArriveAndWork) {
  Pair pair;
  Pipe pipe;
  pair.left.channel->notify("take", {}, {pipe.writer.get()});
  pipe.writer.reset();
  turn_until(pair.loop, [&] { return pair.right.descriptors.size() == 1; });
  ASSERT_EQ(pair.right.descriptors[0].size(), 1u);
  const Fd& came = pair.right.descriptors[0][0];
  EXPECT_EQ(write(came.get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(read(pipe.reader.get(), &byte, 1), 1);
  EXPECT_NE(fcntl(came.get(), F_GETFD) & FD_CLOEXEC, 0) << "no child of the receiver inherits it";
}

TEST(Descriptors, BelongToTheFrameTheyWereSentWith) {
  Pair pair;
  const std::vector<std::size_t> counts = {0, 1, 0, 0, kMaxDescriptors, 2, 0, 1};
  Pipe pipe;
  for (const std::size_t count : counts) {
    pair.left.channel->notify("n", {}, std::vector<int>(count, pipe.writer.get()));
    pair.left.ask("between");
  }
  turn_until(pair.loop, [&] { return pair.right.descriptors.size() == counts.size(); });
  std::vector<std::size_t> came;
  for (const auto& descriptors : pair.right.descriptors) came.push_back(descriptors.size());
  EXPECT_EQ(came, counts);
}

TEST(Descriptors, RideWithALargeFrame) {
  Pair pair;
  Pipe pipe;
  pair.left.channel->notify("large", {{"text", std::string(4 << 20, 'x')}},
                            {pipe.writer.get(), pipe.writer.get()});
  pair.left.channel->notify("small", {}, {pipe.writer.get()});
  turn_until(pair.loop, [&] { return pair.right.descriptors.size() == 2; });
  ASSERT_EQ(pair.right.descriptors.size(), 2u);
  EXPECT_EQ(pair.right.descriptors[0].size(), 2u);
  EXPECT_EQ(pair.right.descriptors[1].size(), 1u);
}

TEST(Descriptors, ThatNobodyTakesAreClosed) {
  EventLoop loop;
  Fd one, other;
  make_socket_pair(one, other);
  const auto left = adopt_unix(loop, std::move(one), {});
  const auto right = adopt_unix(loop, std::move(other), {});
  Pipe pipe;
  left->notify("ignored", {}, {pipe.writer.get()});
  pipe.writer.reset();
  turn_until(loop, [&] { return pipe.is_closed(); });
}

// What a peer that does not keep to the protocol may do with sendmsg.
void send_with_descriptors(int socket, const std::string& bytes, int descriptor, std::size_t count) {
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))] = {};
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(count * sizeof(int));
  for (std::size_t i = 0; i < count; ++i)
    std::memcpy(CMSG_DATA(header) + i * sizeof descriptor, &descriptor, sizeof descriptor);
  sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// The lowest free number.
int next_descriptor(const Fd& any) { return Fd(dup(any.get())).get(); }

TEST(Descriptors, DoNotPileUp) {
  const std::string request = frame(R"({"jsonrpc":"2.0","id":1,"method":"a"})");
  const std::string unfinished("\0\x10\0\0", 4);
  for (const std::string& bytes : {request, unfinished}) {
    RawPair pair;
    const int before = next_descriptor(pair.raw);
    for (int i = 0; i < 20 && !pair.end.is_closed(); ++i) {
      send_with_descriptors(pair.raw.get(), bytes, pair.raw.get(), kMaxDescriptors);
      settle(pair.loop);
    }
    EXPECT_LT(next_descriptor(pair.raw) - before, static_cast<int>(4 * kMaxDescriptors));
    EXPECT_EQ(pair.end.told.back(), "close more descriptors than its frames have");
  }
}

}  // namespace
}  // namespace gatehouse::control
