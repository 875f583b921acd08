// HTTP/2 to backends, for clients of both versions: sharing of connections, refusals, ends.
#include <gtest/gtest.h>

#include "tests/l7/support/h2_site.h"
#include "tests/support/byte_pattern.h"

namespace gatehouse::test {
namespace {

using Fields = H2FieldList;

std::string pattern(std::size_t size) {
  std::string text;
  while (text.size() < size) text += pattern_at(text.size(), size - text.size());
  return text;
}

const Fields kOk = {{":status", "200"}, {"content-type", "text/plain"}};

// Answers every request, once it is whole, with its path; what it got is kept.
struct Echo {
  H2Peer::OnMessage on_message() {
    return [this](H2Peer& peer, std::int32_t id) {
      const H2Message& request = peer.message(id);
      if (!request.is_ended || request.is_closed || answered.contains({&peer, id})) return;
      answered.insert({&peer, id});
      requests.push_back(request);
      peer.respond(id, kOk, request.field(":path") + "\n" + std::to_string(request.body.size()));
    };
  }
  std::set<std::pair<H2Peer*, std::int32_t>> answered;
  std::vector<H2Message> requests;
};

class H2Backend : public testing::Test {
 protected:
  void serve(H2Peer::OnMessage on_message, H2Peer::Options options = {}) {
    site.config.pools[0].protocol = "h2";
    servers.push_back(std::make_unique<H2Server>(site.loop, std::move(on_message), std::move(options)));
    site.config.pools[0].backends.push_back({servers.back()->address()});
    site.apply();
  }
  std::size_t connections() const { return servers[0]->connections.size(); }

  Echo echo;
  std::vector<std::unique_ptr<H2Server>> servers;
  H2Site site;
};

TEST_F(H2Backend, AnswersClientsOfHttp1) {
  serve(echo.on_message());
  const Reply reply = site.ask("GET /a?b HTTP/1.1\r\nHost: A.example:8080\r\nCookie: a=b\r\nX-Mixed-Case: V\r\nConnection: x-gone\r\nX-Gone: 1\r\n\r\n");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "/a?b\n0");
  EXPECT_EQ(reply.field("Content-Length"), "6") << "it was all there: nobody need count chunks";
  EXPECT_EQ(reply.field("Content-Type"), "text/plain");
  EXPECT_EQ(reply.field("Via"), "2.0 n1");
  ASSERT_EQ(echo.requests.size(), 1u);
  const H2Message& request = echo.requests[0];
  EXPECT_EQ(request.field(":method"), "GET");
  EXPECT_EQ(request.field(":scheme"), "http");
  EXPECT_EQ(request.field(":authority"), "A.example:8080");
  EXPECT_EQ(request.field("cookie"), "a=b");
  EXPECT_EQ(request.field("x-mixed-case"), "V");
  EXPECT_EQ(request.field("x-forwarded-for"), "127.0.0.1");
  EXPECT_EQ(request.field("x-forwarded-proto"), "http");
  EXPECT_EQ(request.field("forwarded"), "for=127.0.0.1;proto=http;host=\"A.example:8080\"");
  EXPECT_EQ(request.field("via"), "1.1 n1");
  EXPECT_EQ(request.field("x-request-id").size(), 32u);
  for (const char* gone : {"connection", "x-gone", "host", "transfer-encoding"}) EXPECT_EQ(request.count(gone), 0u) << gone;
}

TEST_F(H2Backend, AnswersClientsOfHttp2) {
  serve(echo.on_message());
  const auto client = site.connect_h2();
  const H2Message& answer = site.ended(*client, client->post("/x", "four", {{"x-a", "1"}, {"te", "trailers"}}));
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.body, "/x\n4");
  ASSERT_EQ(echo.requests.size(), 1u);
  EXPECT_EQ(echo.requests[0].body, "four");
  EXPECT_EQ(echo.requests[0].field("te"), "trailers");
  EXPECT_EQ(echo.requests[0].field("x-a"), "1");
}

TEST_F(H2Backend, BodiesOfAnySizePassBetweenEveryPairOfVersions) {
  std::string uploaded;
  serve([&](H2Peer& peer, std::int32_t id) {
    H2Message& request = peer.message(id);
    if (!request.is_ended || request.is_closed || !request.trailers.empty()) return;
    uploaded = request.body;
    request.trailers.emplace_back("answered", "");
    peer.respond(id, kOk, pattern(static_cast<std::size_t>(std::stoul(request.field(":path").substr(1)))));
  });
  const auto h2 = site.connect_h2();
  const auto h1 = site.connect();
  for (const std::size_t size : {1, 16'384, 65'536, 1'000'000}) {
    const std::string path = "/" + std::to_string(size);
    EXPECT_TRUE(site.ended(*h2, h2->post(path, pattern(size))).body == pattern(size)) << size;
    EXPECT_TRUE(uploaded == pattern(size)) << size;
    EXPECT_TRUE(site.ask(*h1, post(path, pattern(size))).body == pattern(size)) << size;
    EXPECT_TRUE(uploaded == pattern(size)) << size;
  }
  EXPECT_EQ(connections(), 1u);
}

TEST_F(H2Backend, OneConnectionIsSharedUntilItIsFull) {
  std::vector<std::pair<H2Peer*, std::int32_t>> waiting;
  H2Peer::Options options;
  options.settings = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 10}};
  serve([&](H2Peer& peer, std::int32_t id) {
    if (peer.message(id).is_ended && !peer.message(id).is_closed) waiting.emplace_back(&peer, id);
  }, options);
  const auto client = site.connect_h2();
  // What the backend allows is known once it has said so.
  client->get("/");
  ASSERT_TRUE(site.until([&] { return waiting.size() == 1; }));
  for (int i = 0; i < 24; ++i) client->get("/");
  ASSERT_TRUE(site.until([&] { return waiting.size() == 25; })) << waiting.size() << " of " << connections();
  EXPECT_EQ(connections(), 3u);
  for (const auto& [peer, id] : waiting) peer->respond(id, kOk, "ok");
  for (const auto& [id, message] : client->messages()) EXPECT_EQ(site.ended(*client, id).body, "ok");
}

TEST_F(H2Backend, OurOwnLimitOfStreamsOpensMoreConnectionsToo) {
  std::size_t waiting = 0;
  site.config.pools[0].max_streams = 4;
  serve([&](H2Peer& peer, std::int32_t id) { waiting += peer.message(id).is_ended && !peer.message(id).is_closed; });
  const auto client = site.connect_h2();
  for (int i = 0; i < 12; ++i) client->get("/");
  ASSERT_TRUE(site.until([&] { return waiting == 12; }));
  EXPECT_EQ(connections(), 3u);
}

TEST_F(H2Backend, TrailersPassBetweenEveryPairOfVersions) {
  serve([&](H2Peer& peer, std::int32_t id) {
    const H2Message& request = peer.message(id);
    if (!request.is_ended || request.is_closed) return;
    peer.respond(id, kOk, "body", {{"x-got", request.trailer("x-sum")}});
  });
  const auto h2 = site.connect_h2();
  const std::int32_t id = h2->request({{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a.example"}}, std::nullopt);
  h2->send(id, "x", true, {{"x-sum", "7"}});
  EXPECT_EQ(site.ended(*h2, id).trailer("x-got"), "7");
  const auto h1 = site.connect();
  h1->send("POST / HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 8\r\n\r\n");
  EXPECT_TRUE(site.until([&] { return h1->received().ends_with("4\r\nbody\r\n0\r\nx-got: 8\r\n\r\n"); })) << h1->received();
}

TEST_F(H2Backend, InterimResponsesArePassedOnOneByOne) {
  serve([&](H2Peer& peer, std::int32_t id) {
    if (!peer.message(id).is_ended || peer.message(id).is_closed) return;
    peer.respond(id, {{":status", "103"}, {"link", "</a.css>"}});
    peer.respond(id, {{":status", "103"}, {"link", "</b.css>"}});
    peer.respond(id, kOk, "ok");
  });
  const auto h2 = site.connect_h2();
  EXPECT_EQ(site.ended(*h2, h2->get("/")).interim.size(), 2u);
  const auto h1 = site.connect();
  h1->send(get("/"));
  EXPECT_EQ(site.next_reply(*h1).field("Link"), "</a.css>");
  EXPECT_EQ(site.next_reply(*h1).field("Link"), "</b.css>");
  EXPECT_EQ(site.next_reply(*h1).body, "ok");
}

TEST_F(H2Backend, ARefusedStreamGoesToAnotherBackend) {
  serve([](H2Peer& peer, std::int32_t id) { peer.reset(id, NGHTTP2_REFUSED_STREAM); });
  serve(echo.on_message());
  const auto client = site.connect_h2();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(site.ended(*client, client->post("/", "")).status(), 200) << i;
  EXPECT_EQ(echo.requests.size(), 6u);
}

TEST_F(H2Backend, AStreamRefusedByAllIsAnswered503) {
  serve([](H2Peer& peer, std::int32_t id) { peer.reset(id, NGHTTP2_REFUSED_STREAM); });
  EXPECT_EQ(site.ask(get("/")).status, 503);
}

TEST_F(H2Backend, AStreamThatFailsOtherwiseIsNotRepeated) {
  std::size_t seen = 0;
  serve([&](H2Peer& peer, std::int32_t id) {
    if (peer.message(id).is_closed) return;
    ++seen;
    peer.reset(id, NGHTTP2_INTERNAL_ERROR);
  });
  EXPECT_EQ(site.ask(post("/", "")).status, 502);
  EXPECT_EQ(seen, 1u);
}

TEST_F(H2Backend, AfterGoawayRequestsItDidNotSeeAreSentAgain) {
  bool is_leaving = true;
  serve([&](H2Peer& peer, std::int32_t id) {
    if (peer.message(id).is_ended && std::exchange(is_leaving, false)) return peer.go_away(0, NGHTTP2_NO_ERROR);
    echo.on_message()(peer, id);
  });
  EXPECT_EQ(site.ask(post("/", "")).status, 200);
  EXPECT_EQ(connections(), 2u);
  EXPECT_TRUE(site.until([&] { return servers[0]->connections[0]->is_ended(); })) << "the old one is closed";
}

TEST_F(H2Backend, AfterGoawayRequestsItKnowsAreFinishedThere) {
  std::vector<std::pair<H2Peer*, std::int32_t>> known;
  serve([&](H2Peer& peer, std::int32_t id) {
    if (!peer.message(id).is_ended || peer.message(id).is_closed) return;
    known.emplace_back(&peer, id);
    if (known.size() == 1) return peer.go_away(id, NGHTTP2_NO_ERROR);
    peer.respond(id, kOk, "new");
  });
  const auto client = site.connect_h2();
  const std::int32_t first = client->get("/");
  ASSERT_TRUE(site.until([&] { return known.size() == 1; }));
  ASSERT_TRUE(site.until([&] { return site.ended(*client, client->get("/")).body == "new"; }));
  known[0].first->respond(known[0].second, kOk, "old");
  EXPECT_EQ(site.ended(*client, first).body, "old");
  EXPECT_GE(connections(), 2u);
}

TEST_F(H2Backend, ALostConnectionEndsItsStreamsAndRepeatsWhatMayBe) {
  std::size_t seen = 0;
  serve([&](H2Peer& peer, std::int32_t id) {
    if (!peer.message(id).is_ended || peer.message(id).is_closed) return;
    if (++seen == 2) return peer.socket().reset();
    peer.respond(id, kOk, "ok");
  });
  const auto client = site.connect();
  EXPECT_EQ(site.ask(*client, get("/1")).body, "ok");
  EXPECT_EQ(site.ask(*client, get("/2")).body, "ok") << "the connection was lost under a GET: asked again on another";
  EXPECT_EQ(seen, 3u);
}

TEST_F(H2Backend, AStreamThatIsGivenUpIsResetAndTheConnectionKept) {
  std::vector<std::int32_t> closed;
  serve([&](H2Peer& peer, std::int32_t id) {
    if (peer.message(id).is_closed) return closed.push_back(id);
    if (peer.message(id).field(":path") == "/ok" && peer.message(id).is_ended) peer.respond(id, kOk, "ok");
  });
  const auto client = site.connect_h2();
  const std::int32_t given_up = client->get("/wait");
  EXPECT_EQ(site.ended(*client, client->get("/ok")).body, "ok");
  client->reset(given_up, NGHTTP2_CANCEL);
  ASSERT_TRUE(site.until([&] { return std::count(closed.begin(), closed.end(), 1) > 0; }));
  EXPECT_EQ(servers[0]->connections[0]->message(1).error, static_cast<std::uint32_t>(NGHTTP2_CANCEL));
  EXPECT_EQ(site.ended(*client, client->get("/ok")).body, "ok");
  EXPECT_EQ(connections(), 1u);
}

TEST_F(H2Backend, OneThatDoesNotSpeakItIsABadGateway) {
  site.config.pools[0].protocol = "h2";
  site.add_raw_server("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  site.apply();
  EXPECT_EQ(site.ask(get("/")).status, 502);
}

TEST_F(H2Backend, OneThatRefusesConnectionsIsPassedOver) {
  const RefusingAddress refusing;
  site.config.pools[0].backends.push_back({refusing.address()});
  serve(echo.on_message());
  const auto client = site.connect_h2();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(site.ended(*client, client->get("/")).status(), 200) << i;
}

TEST_F(H2Backend, AnIdleConnectionIsClosedInOrder) {
  site.config.pools[0].idle_timeout = Duration(100);
  serve(echo.on_message());
  EXPECT_EQ(site.ask(get("/")).status, 200);
  ASSERT_TRUE(site.until([&] { return servers[0]->connections[0]->is_ended(); }));
  ASSERT_EQ(servers[0]->connections[0]->goodbyes().size(), 1u);
  EXPECT_EQ(servers[0]->connections[0]->goodbyes()[0].second, static_cast<std::uint32_t>(NGHTTP2_NO_ERROR));
}

TEST_F(H2Backend, AResponseGoesNoFasterThanItsClientTakesIt) {
  serve([](H2Peer& peer, std::int32_t id) {
    if (peer.message(id).is_ended && !peer.message(id).is_closed) {
      const bool is_large = peer.message(id).field(":path") == "/large";
      peer.respond(id, kOk, std::string(is_large ? 10'000'000 : 10, 'x'));
    }
  });
  H2Peer::Options options;
  options.opens_windows = false;
  const auto client = site.connect_h2(options);
  const std::int32_t large = client->get("/large");
  ASSERT_TRUE(site.until([&] { return client->message(large).body.size() == 65'535; }));
  H2Peer& backend = *servers[0]->connections[0];
  ASSERT_TRUE(site.until([&] { return nghttp2_session_get_stream_remote_window_size(backend.session(), 1) == 0; }));
  EXPECT_GT(nghttp2_session_get_remote_window_size(backend.session()), 500'000);
  const auto other = site.connect_h2();
  EXPECT_EQ(site.ended(*other, other->get("/small")).body.size(), 10u);
}

}  // namespace
}  // namespace gatehouse::test
