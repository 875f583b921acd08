// HTTP/2 from clients to HTTP/1.1 backends: streams and their bodies, windows, ends.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "common/json_fields.h"
#include "tests/l7/support/h2_site.h"
#include "tests/support/byte_pattern.h"
#include "tests/support/sha256.h"

namespace gatehouse::test {
namespace {

std::string pattern(std::size_t size) {
  std::string text;
  while (text.size() < size) text += pattern_at(text.size(), size - text.size());
  return text;
}

TEST(H2Client, ARequestIsAnswered) {
  H2Site site;
  site.add_server();
  site.apply();
  const auto client = site.connect_h2();
  const H2Message& answer = site.ended(*client, client->get("/bytes/1000"));
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.body, pattern(1000));
  EXPECT_EQ(answer.field("content-length"), "1000");
  EXPECT_EQ(answer.field("x-backend"), "b1");
  EXPECT_EQ(answer.field("via"), "1.1 n1");
  EXPECT_TRUE(answer.is_closed);
  EXPECT_EQ(answer.error, 0u);
}

TEST(H2Client, SaysWhatItTakes) {
  H2Site site;
  site.config.listeners[0].max_streams = 7;
  site.config.listeners[0].stream_window = {32 * 1024};
  site.apply();
  const auto client = site.connect_h2();
  ASSERT_TRUE(site.until([&] { return client->setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) == 7; }));
  EXPECT_EQ(client->setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE), 32u * 1024);
  EXPECT_EQ(client->setting(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE), 16u * 1024);
  EXPECT_EQ(client->setting(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL), 1u);
  EXPECT_EQ(nghttp2_session_get_remote_window_size(client->session()), 16 * 32 * 1024);
}

TEST(H2Client, WithoutPermissionClearTextIsHttp1) {
  H2Site site;
  site.config.listeners[0].h2c = false;
  site.apply();
  const auto socket = site.connect();
  socket->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  EXPECT_EQ(site.next_reply(*socket).status, 505);
}

TEST(H2Client, BothVersionsAreServedOnOneClearPort) {
  H2Site site;
  site.add_server();
  site.apply();
  const auto h2 = site.connect_h2();
  EXPECT_EQ(site.ended(*h2, h2->get("/bytes/1")).status(), 200);
  EXPECT_EQ(site.ask(get("/bytes/1")).status, 200);
  EXPECT_EQ(site.ask("PUT /bytes/1 HTTP/1.1\r\nHost: a.example\r\n\r\n").status, 200) << "as the preface begins with a P";
}

TEST(H2Client, EveryStreamIsBalancedOnItsOwn) {
  H2Site site;
  for (const char* name : {"b1", "b2", "b3"}) site.add_server(name);
  site.apply();
  const auto client = site.connect_h2();
  std::map<std::string, int> served;
  for (int round = 0; round < 10; ++round) {
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 30; ++i) ids.push_back(client->get("/bytes/10"));
    for (const std::int32_t id : ids) ++served[site.ended(*client, id).field("x-backend")];
  }
  EXPECT_EQ(served, (std::map<std::string, int>{{"b1", 100}, {"b2", 100}, {"b3", 100}}));
}

TEST(H2Client, BodiesArriveWholeInBothDirectionsAtOnce) {
  H2Site site;
  site.add_server();
  site.apply();
  const auto client = site.connect_h2();
  std::map<std::int32_t, std::size_t> downloads, uploads;
  for (const std::size_t size : {0, 1, 999, 16'384, 70'000, 131'072, 3'000'000}) {
    downloads[client->get("/bytes/" + std::to_string(size))] = size;
    downloads[client->get("/chunked/" + std::to_string(size))] = size;
    uploads[client->post("/", pattern(size), {{"content-length", std::to_string(size)}})] = size;
    uploads[client->post("/", pattern(size))] = size;
  }
  for (const auto& [id, size] : downloads) EXPECT_TRUE(site.ended(*client, id).body == pattern(size)) << size;
  for (const auto& [id, size] : uploads) {
    const auto answer = parse_json(site.ended(*client, id).body);
    ASSERT_TRUE(answer.is_object()) << size;
    Sha256 sha256;
    sha256.add(pattern(size));
    EXPECT_EQ(answer["length"], size);
    EXPECT_EQ(answer["sha256"], sha256.take_hex());
  }
  EXPECT_TRUE(client->goodbyes().empty());
}

TEST(H2Client, ABodyThatIsNotTakenIsNotAskedForFurther) {
  H2Site site;
  site.add_server();
  site.apply();
  H2Peer::Options options;
  options.opens_windows = false;
  options.settings = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1000}};
  const auto client = site.connect_h2(options);
  const std::int32_t slow = client->get("/bytes/1000000");
  ASSERT_TRUE(site.until([&] { return client->message(slow).body.size() == 1000; }));
  // Its neighbours are served as if it was not there.
  for (int i = 0; i < 50; ++i) {
    const H2Message& fast = site.ended(*client, client->get("/bytes/900"));
    ASSERT_EQ(fast.body.size(), 900u);
  }
  EXPECT_EQ(client->message(slow).body.size(), 1000u);
  while (client->message(slow).body.size() < 1'000'000) {
    const std::size_t before = client->message(slow).body.size();
    client->open_window(slow, 1000);
    ASSERT_TRUE(site.until([&] { return client->message(slow).body.size() > before; })) << before;
    if (before > 20'000) {  // enough of small steps
      nghttp2_submit_window_update(client->session(), NGHTTP2_FLAG_NONE, slow, 2'000'000);
      client->flush();
      ASSERT_TRUE(site.until([&] { return client->message(slow).is_ended; }));
    }
  }
  EXPECT_TRUE(client->message(slow).body == pattern(1'000'000));
}

TEST(H2Client, AnUploadGoesNoFasterThanItsBackendTakesIt) {
  H2Site site;
  site.add_raw_server([](RawSocket& backend) { backend.set_reading(false); }, 4096);
  site.config.pools.emplace_back().name = "fast";
  site.config.routes.emplace_back().name = "fast";
  site.config.routes.back().path = "/fast";
  site.config.routes.back().pool = "fast";
  site.add_server("b2", 1);
  site.apply();
  const auto client = site.connect_h2();
  const std::int32_t stuck = client->post("/", std::string(20'000'000, 'x'));
  ASSERT_TRUE(site.comes_to_rest([&] { return static_cast<std::size_t>(site.board->worker(0).requests.load()); }));
  EXPECT_EQ(nghttp2_session_get_stream_remote_window_size(client->session(), stuck), 0) << "the stream's window is used up";
  EXPECT_GT(nghttp2_session_get_remote_window_size(client->session()), 500'000) << "the connection's is not";
  EXPECT_EQ(site.ended(*client, client->post("/fast", pattern(300'000))).status(), 200);
}

TEST(H2Client, TrailersPassInBothDirections) {
  H2Site site;
  std::string seen;
  site.add_raw_server([&](RawSocket& backend) {
    seen += std::exchange(backend.received(), {});
    if (seen.ends_with("0\r\nx-sum: 7\r\n\r\n")) {
      backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Result: good\r\n\r\n");
    }
  });
  site.apply();
  const auto client = site.connect_h2();
  const std::int32_t id = client->request({{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a.example"}}, std::nullopt);
  client->send(id, "body", true, {{"x-sum", "7"}});
  const H2Message& answer = site.ended(*client, id);
  EXPECT_EQ(answer.body, "abc");
  EXPECT_EQ(answer.trailers, (H2FieldList{{"x-result", "good"}}));
  EXPECT_NE(seen.find("4\r\nbody\r\n0\r\nx-sum: 7\r\n\r\n"), std::string::npos) << seen;
}

TEST(H2Client, InterimResponsesComeBeforeTheAnswer) {
  H2Site site;
  site.add_raw_server("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  site.apply();
  const auto client = site.connect_h2();
  const H2Message& answer = site.ended(*client, client->get("/"));
  ASSERT_EQ(answer.interim.size(), 1u);
  EXPECT_EQ(answer.interim[0][0], (std::pair<std::string, std::string>{":status", "103"}));
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.body, "ok");
}

struct Bodiless {
  const char* method;
  const char* answer;
  const char* length;
};

TEST(H2Client, AnswersWithoutABodyEndWithTheirHead) {
  const Bodiless cases[] = {{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n", "77"},
                            {"GET", "HTTP/1.1 204 No Content\r\n\r\n", ""},
                            {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", "77"},
                            {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "0"}};
  for (const Bodiless& row : cases) {
    H2Site site;
    site.add_raw_server(row.answer);
    site.apply();
    const auto client = site.connect_h2();
    const H2Message& answer =
        site.ended(*client, client->request({{":method", row.method}, {":scheme", "http"}, {":path", "/"}, {":authority", "a.example"}}));
    EXPECT_TRUE(answer.is_ended) << row.answer;
    EXPECT_EQ(answer.frames, 0u) << row.answer;
    EXPECT_EQ(answer.field("content-length"), row.length) << row.answer;
  }
}

TEST(H2Client, AnAnswerBeforeTheRequestIsOverEndsTheRequest) {
  H2Site site;
  site.add_raw_server([](RawSocket& backend) {
    if (backend.received().find("\r\n\r\n") != std::string::npos) backend.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  });
  site.apply();
  const auto client = site.connect_h2();
  const std::int32_t id = client->request({{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a.example"}}, std::nullopt);
  client->send(id, "some");
  const H2Message& answer = site.ended(*client, id);
  EXPECT_EQ(answer.status(), 403);
  EXPECT_EQ(answer.body, "no");
  EXPECT_TRUE(site.until([&] { return answer.is_closed; }));
  EXPECT_EQ(answer.error, static_cast<std::uint32_t>(NGHTTP2_NO_ERROR));
}

TEST(H2Client, AStreamThatIsResetEndsItsBackendRequestAlone) {
  H2Site site;
  RawServer& backend = site.add_raw_server([](RawSocket& connection) {
    if (connection.received().find("/other") != std::string::npos) connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  site.apply();
  const auto client = site.connect_h2();
  const std::int32_t given_up = client->get("/");
  ASSERT_TRUE(site.until([&] { return backend.connections.size() == 1 && !backend.connections[0]->received().empty(); }));
  const std::int32_t other = client->get("/other");
  client->reset(given_up, NGHTTP2_CANCEL);
  EXPECT_TRUE(site.until([&] { return backend.connections[0]->is_ended(); }));
  EXPECT_EQ(site.ended(*client, other).body, "ok");
}

TEST(H2Client, AResponseThatBreaksOffResetsItsStreamAlone) {
  H2Site site;
  site.add_server();
  site.apply();
  const auto client = site.connect_h2();
  const std::int32_t broken = client->get("/abort/1000");
  const H2Message& answer = client->message(broken);
  ASSERT_TRUE(site.until([&] { return answer.is_closed; }));
  EXPECT_EQ(answer.error, static_cast<std::uint32_t>(NGHTTP2_INTERNAL_ERROR));
  EXPECT_FALSE(answer.is_ended);
  EXPECT_EQ(site.ended(*client, client->get("/bytes/5")).status(), 200);
}

TEST(H2Client, OurOwnAnswersAreAnswersToo) {
  H2Site site;
  site.add_raw_server([](RawSocket& connection) { connection.reset(); });
  site.apply();
  const auto client = site.connect_h2();
  const H2Message& answer = site.ended(*client, client->get("/"));
  EXPECT_EQ(answer.status(), 502);
  EXPECT_EQ(answer.body, "502 Bad Gateway: the backend closed the connection before its answer\n");
  EXPECT_EQ(answer.field("content-length"), std::to_string(answer.body.size()));
}

TEST(H2Client, TheOtherStreamsEndWhenTheClientGoes) {
  H2Site site;
  RawServer& backend = site.add_raw_server([](RawSocket&) {});
  site.apply();
  const auto client = site.connect_h2();
  for (int i = 0; i < 5; ++i) client->get("/");
  ASSERT_TRUE(site.until([&] { return backend.connections.size() == 5; }));
  client->socket().close();
  EXPECT_TRUE(site.until([&] {
    return std::all_of(backend.connections.begin(), backend.connections.end(), [](const auto& each) { return each->is_ended(); });
  }));
  EXPECT_TRUE(site.until([&] { return site.board->worker(0).connections == 0; }));
}

TEST(H2Client, UrgentStreamsAreSentFirst) {
  H2Site site;
  site.add_server();
  site.apply();
  H2Peer::Options options;
  options.opens_windows = false;
  options.connection_window = 65'535;
  const auto client = site.connect_h2(options);
  // Fills the connection's window, so that the others queue up behind it.
  const std::int32_t first = client->get("/bytes/65535");
  ASSERT_TRUE(site.until([&] { return client->message(first).is_ended; }));
  const std::int32_t lazy = client->get("/bytes/20000", {{"priority", "u=6"}});
  const std::int32_t usual = client->get("/bytes/20000");
  const std::int32_t urgent = client->get("/bytes/20000", {{"priority", "u=0"}});
  const std::int32_t promoted = client->get("/bytes/20000", {{"priority", "u=7"}});
  client->prioritize(promoted, "u=1");
  ASSERT_TRUE(site.until([&] { return client->message(promoted).has_head && client->message(lazy).has_head; }));
  ASSERT_TRUE(site.comes_to_rest([&] { return client->messages().size(); }));
  const std::size_t before = client->order().size();
  client->open_window(first, 65'535);
  ASSERT_TRUE(site.until([&] { return client->message(promoted).is_ended && client->message(urgent).is_ended; }));
  std::vector<std::int32_t> order(client->order().begin() + static_cast<std::ptrdiff_t>(before), client->order().end());
  order.erase(std::unique(order.begin(), order.end()), order.end());
  EXPECT_EQ(order[0], urgent);
  EXPECT_EQ(order[1], promoted);
  EXPECT_EQ(order[2], usual);
}

TEST(H2Client, AnIdleConnectionIsSaidGoodbyeTo) {
  H2Site site;
  site.config.listeners[0].idle_timeout = Duration(100);
  site.add_server();
  site.apply();
  const auto client = site.connect_h2();
  EXPECT_EQ(site.ended(*client, client->get("/bytes/1")).status(), 200);
  ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
  ASSERT_EQ(client->goodbyes().size(), 1u);
  EXPECT_EQ(client->goodbyes()[0], (std::pair<std::int32_t, std::uint32_t>{1, NGHTTP2_NO_ERROR}));
}

}  // namespace
}  // namespace gatehouse::test
