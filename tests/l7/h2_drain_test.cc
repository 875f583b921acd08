// The end of an HTTP/2 connection that is ours to choose: a worker that leaves, a listener's limit, a reload.
#include <gtest/gtest.h>

#include "tests/l7/support/h2_site.h"

namespace gatehouse::test {
namespace {

using Goodbye = std::pair<std::int32_t, std::uint32_t>;
constexpr std::int32_t kAnyStream = 0x7fffffff;

class H2Drain : public testing::Test {
 protected:
  // Answers GET /wait when the test says so, everything else at once.
  void begin() {
    site.add_raw_server([this](RawSocket& backend) {
      const bool waits = backend.received().starts_with("GET /wait");
      if (!backend.received().ends_with("\r\n\r\n")) return;
      backend.received().clear();
      if (waits) return waiting.push_back(&backend);
      backend.send(kAnswer);
    });
    site.apply();
    client = site.connect_h2();
  }
  void leave() {
    site.worker->drain(Duration(10'000), [this] { has_left = true; });
  }
  bool is_told() {
    return site.until([&] { return !client->goodbyes().empty(); });
  }

  static constexpr const char* kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  H2Site site;
  std::vector<RawSocket*> waiting;
  std::unique_ptr<H2Peer> client;
  bool has_left = false;
};

TEST_F(H2Drain, AWorkerThatLeavesSaysSoAndFinishesWhatWasBegun) {
  begin();
  const std::int32_t id = client->get("/wait");
  ASSERT_TRUE(site.until([&] { return waiting.size() == 1; }));
  leave();
  ASSERT_TRUE(is_told());
  EXPECT_EQ(client->goodbyes()[0], (Goodbye{kAnyStream, NGHTTP2_NO_ERROR})) << "what is on its way is not refused";
  ASSERT_TRUE(site.until([&] { return client->goodbyes().size() == 2; }));
  EXPECT_EQ(client->goodbyes()[1], (Goodbye{id, NGHTTP2_NO_ERROR}));
  EXPECT_FALSE(client->is_ended());
  EXPECT_FALSE(has_left);
  waiting[0]->send(kAnswer);
  EXPECT_EQ(site.ended(*client, id).body, "ok");
  EXPECT_TRUE(site.until([&] { return client->is_ended() && has_left; }));
}

TEST_F(H2Drain, ARequestThatCrossesTheFirstGoodbyeIsAnswered) {
  begin();
  ASSERT_EQ(site.ended(*client, client->get("/")).status(), 200);
  leave();
  const std::int32_t crossing = client->get("/");  // before anything of the goodbye is read
  EXPECT_EQ(site.ended(*client, crossing).body, "ok");
  EXPECT_TRUE(site.until([&] { return client->is_ended() && has_left; }));
  EXPECT_EQ(client->goodbyes().back(), (Goodbye{crossing, NGHTTP2_NO_ERROR}));
}

TEST_F(H2Drain, AnIdleConnectionEndsAtOnce) {
  begin();
  ASSERT_EQ(site.ended(*client, client->get("/")).status(), 200);
  leave();
  EXPECT_TRUE(site.until([&] { return client->is_ended() && has_left; }));
}

TEST_F(H2Drain, AClientThatNeverAnswersThePingIsNotWaitedFor) {
  begin();
  ASSERT_EQ(site.ended(*client, client->get("/")).status(), 200);
  client->socket().set_reading(false);
  leave();
  EXPECT_TRUE(site.until([&] { return has_left; }));
}

TEST_F(H2Drain, AConnectionEndsAfterItsShareOfRequests) {
  site.config.listeners[0].max_requests = 3;
  begin();
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(client->get("/"));
  for (const std::int32_t id : ids) EXPECT_EQ(site.ended(*client, id).body, "ok");
  EXPECT_TRUE(site.until([&] { return client->is_ended(); }));
  ASSERT_EQ(client->goodbyes().size(), 1u);
  EXPECT_EQ(client->goodbyes()[0], (Goodbye{ids.back(), NGHTTP2_NO_ERROR}));
}

// Streams that cross the first word of its end are served.
TEST_F(H2Drain, AConnectionThatHasHadItsTimeEndsWithItsStreams) {
  begin();
  const std::int32_t old = client->get("/wait");
  ASSERT_TRUE(site.until([&] { return waiting.size() == 1; }));
  site.config.listeners[0].max_age = Duration(10);
  site.apply();
  const auto begun = EventLoop::Clock::now();
  ASSERT_TRUE(site.until([&] { return EventLoop::Clock::now() - begun > Duration(20); }));
  EXPECT_TRUE(client->goodbyes().empty()) << "nobody has asked for anything since";
  const std::int32_t next = client->get("/");
  EXPECT_EQ(site.ended(*client, next).body, "ok");
  ASSERT_TRUE(site.until([&] { return client->goodbyes().size() == 2; }));
  EXPECT_EQ(client->goodbyes().back(), (Goodbye{next, NGHTTP2_NO_ERROR}));
  EXPECT_FALSE(client->is_ended());
  waiting[0]->send(kAnswer);
  EXPECT_EQ(site.ended(*client, old).body, "ok");
  EXPECT_TRUE(site.until([&] { return client->is_ended(); }));
}

TEST_F(H2Drain, AReloadLetsStreamsEndAsTheyBeganAndServesTheNextAnew) {
  begin();
  const std::int32_t old = client->get("/wait");
  ASSERT_TRUE(site.until([&] { return waiting.size() == 1; }));
  site.config.routes[0].path = "/only";
  site.apply();
  EXPECT_EQ(site.ended(*client, client->get("/")).status(), 404);
  waiting[0]->send(kAnswer);
  EXPECT_EQ(site.ended(*client, old).body, "ok");
  EXPECT_TRUE(client->goodbyes().empty());
}

TEST_F(H2Drain, AListenerThatIsGoneServesTheConnectionsThatItHas) {
  begin();
  ASSERT_EQ(site.ended(*client, client->get("/")).status(), 200);
  site.worker->set_listeners({});
  EXPECT_EQ(site.ended(*client, client->get("/")).status(), 200);
}

}  // namespace
}  // namespace gatehouse::test
