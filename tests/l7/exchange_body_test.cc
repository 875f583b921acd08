// Bodies in both directions: framing, back-pressure, cut ends, answers before the request is over.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/json_fields.h"
#include "tests/l7/support/loopback_worker.h"
#include "tests/support/byte_pattern.h"
#include "tests/support/sha256.h"

namespace gatehouse::test {
namespace {

std::string pattern(std::size_t size) {
  std::string text;
  while (text.size() < size) text += pattern_at(text.size(), size - text.size());
  return text;
}

std::string hex_digest(std::string_view bytes) {
  Sha256 sha256;
  sha256.add(bytes);
  return sha256.take_hex();
}

std::string chunked(std::string_view body, std::size_t chunk) {
  std::string text;
  for (; !body.empty(); body.remove_prefix(std::min(chunk, body.size()))) {
    char size[32];
    const int length = std::snprintf(size, sizeof size, "%zX;a=\"b\"\r\n", std::min(chunk, body.size()));
    text.append(size, static_cast<std::size_t>(length)).append(body.substr(0, chunk)).append("\r\n");
  }
  return text + "0\r\nTrailer-Field: x\r\n\r\n";
}

TEST(Body, DownloadsArriveWhole) {
  LoopbackWorker site;
  site.add_server();
  site.apply();
  const auto client = site.connect();
  for (const std::size_t size : {0, 1, 999, 16'384, 131'072, 5'000'000}) {
    for (const std::string kind : {"/bytes/", "/chunked/"}) {
      const Reply reply = site.ask(*client, get(kind + std::to_string(size)));
      EXPECT_EQ(reply.is_chunked, kind == "/chunked/");
      ASSERT_EQ(reply.body.size(), size);
      EXPECT_TRUE(reply.body == pattern(size)) << size;
    }
  }
}

TEST(Body, UploadsArriveWhole) {
  LoopbackWorker site;
  site.add_server();
  site.apply();
  const auto client = site.connect();
  for (const std::size_t size : {1, 16'384, 131'072, 3'000'000}) {
    const std::string body = pattern(size);
    for (const std::size_t chunk :
         {std::size_t{0}, std::size_t{7}, std::size_t{4096}, std::size_t{1'000'003}}) {
      if (chunk == 7 && size > 200'000) continue;
      const std::string request =
          chunk == 0 ? post("/", body)
                     : "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n" +
                           chunked(body, chunk);
      const auto answer = parse_json(site.ask(*client, request).body);
      ASSERT_TRUE(answer.is_object()) << size << " in chunks of " << chunk;
      EXPECT_EQ(answer["length"], size);
      EXPECT_EQ(answer["sha256"], hex_digest(body));
    }
  }
}

std::string chunked_with_trailers(const std::string& start, const std::string& fields) {
  return start + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n" + fields + "\r\n";
}

TEST(Body, TrailersGoWhereTheyAreWelcomeButForThoseThatFrame) {
  LoopbackWorker site;
  std::string seen;
  const std::string fields = "X-Sum: 7\r\ncontent-length: 9\r\nConnection: close\r\nX-Last: a b \r\n";
  site.add_raw_server([&](RawSocket& backend) {
    seen += std::exchange(backend.received(), {});
    if (seen.ends_with("\r\n0\r\nX-Sum: 7\r\nX-Last: a b\r\n\r\n")) backend.send(chunked_with_trailers("HTTP/1.1 200 OK\r\n", fields));
  });
  site.apply();
  for (const bool takes_trailers : {true, false}) {
    seen.clear();
    const auto client = site.connect();
    const std::string te = takes_trailers ? "TE: trailers\r\n" : "";
    // In pieces: the section is whole only at its end.
    std::string request = chunked_with_trailers("POST / HTTP/1.1\r\nHost: a.example\r\n" + te, fields);
    client->send(request.substr(0, request.size() - 20));
    EXPECT_TRUE(site.until([&] { return seen.ends_with("body\r\n"); }));
    client->send(request.substr(request.size() - 20));
    const std::string end = takes_trailers ? "0\r\nX-Sum: 7\r\nX-Last: a b\r\n\r\n" : "0\r\n\r\n";
    EXPECT_TRUE(site.until([&] { return client->received().ends_with("4\r\nbody\r\n" + end); })) << client->received();
  }
}

TEST(Body, AnEmptyOneKeepsItsLength) {
  LoopbackWorker site;
  std::string seen;
  site.add_raw_server([&](RawSocket& backend) {
    seen += std::exchange(backend.received(), {});
    backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  site.apply();
  const Reply reply = site.ask(post("/", ""));
  EXPECT_EQ(reply.field("Content-Length"), "0");
  EXPECT_NE(seen.find("\r\nContent-Length: 0\r\n"), std::string::npos) << seen;
}

TEST(Body, ABodyWithoutFramingEndsWithTheBackendsConnection) {
  LoopbackWorker site;
  site.add_raw_server([](RawSocket& backend) {
    backend.send("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it");
    backend.end_output();
  });
  site.apply();
  const auto client = site.connect();
  const Reply reply = site.ask(*client, get("/"));
  EXPECT_TRUE(reply.is_chunked) << "so that the client's connection can go on";
  EXPECT_EQ(reply.body, "all of it");
  EXPECT_EQ(site.ask(*client, get("/")).body, "all of it");
}

TEST(Body, ExpectContinueIsTheBackendsToAnswer) {
  LoopbackWorker site;
  site.add_server();
  site.apply();
  const auto client = site.connect();
  client->send("PUT / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(site.next_reply(*client).status, 100) << "before any of the body";
  const auto answer = parse_json(site.ask(*client, "body").body);
  EXPECT_EQ(answer.value("length", 0), 4);
}

TEST(Body, InterimAnswersReachOnlyClientsThatKnowThem) {
  LoopbackWorker site;
  site.add_raw_server(
      "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 "
      "OK\r\nContent-Length: 2\r\n\r\nok");
  site.apply();
  const auto client = site.connect();
  const Reply hints = site.ask(*client, get("/"));
  EXPECT_EQ(hints.status, 103);
  EXPECT_EQ(hints.field("Link"), "</a.css>");
  EXPECT_EQ(site.next_reply(*client).status, 102);
  EXPECT_EQ(site.next_reply(*client).body, "ok");
  EXPECT_EQ(site.ask("GET / HTTP/1.0\r\n\r\n").status, 200) << "HTTP/1.0 has no interim answers";
}

struct CutAnswer {
  const char* name;
  const char* bytes;
};

TEST(Body, AnAnswerThatIsCutOffNeverLooksWhole) {
  const CutAnswer cases[] = {
      {"of a length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all"},
      {"within a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nnot all"},
      {"between chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nnot all\r\n"},
      {"within the trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nnot all\r\n0\r\n"},
      {"no chunk at all", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot all"},
  };
  for (const CutAnswer& row : cases) {
    for (const std::string version : {"1.1", "1.0"}) {
      LoopbackWorker site;
      site.add_raw_server([&row](RawSocket& backend) {
        backend.send(row.bytes);
        backend.end_output();
      });
      site.apply();
      const auto client = site.connect();
      client->send("GET / HTTP/" + version + "\r\nHost: a.example\r\n\r\n");
      ASSERT_TRUE(site.until([&] { return client->is_ended(); })) << row.name;
      EXPECT_TRUE(client->is_reset()) << row.name << " to HTTP/" << version << ": " << client->received();
      EXPECT_EQ(client->received().find("\r\n0\r\n"), std::string::npos) << row.name;
    }
  }
}

TEST(Body, AnUploadThatIsCutOffIsNotCompletedForTheBackend) {
  LoopbackWorker site;
  std::string seen;
  RawServer& backend = site.add_raw_server([&](RawSocket& connection) { seen = connection.received(); });
  site.apply();
  const auto client = site.connect();
  client->send("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n");
  ASSERT_TRUE(site.until([&] { return seen.ends_with("body\r\n"); }));
  client->end_output();
  EXPECT_TRUE(site.until([&] { return backend.connections[0]->is_ended(); }));
  EXPECT_TRUE(seen.ends_with("body\r\n")) << seen;
}

struct Wait {
  const char* name;
  const char* answer;  // nothing more comes
};

// A body that has stopped coming is waited for, not looked for again and again.
TEST(Body, WaitingForItCostsNothing) {
  const Wait cases[] = {{"no answer", ""},
                        {"within the head", "HTTP/1.1 200 OK\r\nA: "},
                        {"after the head", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"},
                        {"within the body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nuntil"},
                        {"within a chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1"}};
  for (const Wait& row : cases) {
    LoopbackWorker site;
    site.add_raw_server(std::string(row.answer));
    site.apply();
    const auto client = site.connect();
    client->send(get("/"));
    EXPECT_LT(site.turns_while_waiting(), 50) << row.name;
  }
}

// What waits for a slow reader is in the kernel's buffers and a few of ours, never the whole.
TEST(Body, ASlowReaderHoldsTheBackendBack) {
  constexpr std::size_t kSize = 50'000'000;
  LoopbackWorker site;
  const std::string body = pattern(kSize);
  RawServer& backend = site.add_raw_server([&](RawSocket& connection) {
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n" + body);
  });
  site.apply();
  const auto client = site.connect(64 * 1024);
  client->set_reading(false);
  client->send(get("/"));
  ASSERT_TRUE(
      site.comes_to_rest([&] { return backend.connections.empty() ? 0 : backend.connections[0]->unsent(); }));
  EXPECT_LT(kSize - backend.connections[0]->unsent(), kSize * 4 / 5);
  EXPECT_LT(site.turns_while_waiting(), 50) << "waiting costs nothing";
  client->set_reading(true);
  EXPECT_TRUE(site.next_reply(*client).body == body);
}

TEST(Body, ASlowBackendHoldsTheClientBack) {
  constexpr std::size_t kSize = 50'000'000;
  LoopbackWorker site;
  const auto stop_at_first = [has_stopped = false](RawSocket& connection) mutable {
    if (!std::exchange(has_stopped, true)) connection.set_reading(false);
    if (connection.received().size() >= kSize)
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  };
  RawServer& backend = site.add_raw_server(stop_at_first, 64 * 1024);
  site.apply();
  const auto client = site.connect();
  client->send(post("/", pattern(kSize)));
  ASSERT_TRUE(site.comes_to_rest([&] { return client->unsent(); }));
  EXPECT_GT(client->unsent(), kSize / 5);
  EXPECT_LT(site.turns_while_waiting(), 50) << "waiting costs nothing";
  ASSERT_EQ(backend.connections.size(), 1u);
  backend.connections[0]->set_reading(true);
  EXPECT_EQ(site.next_reply(*client).status, 200);
}

TEST(Body, AnEarlyAnswerToAnUnfinishedUploadArrives) {
  LoopbackWorker site;
  site.add_raw_server("HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nno\n");
  site.apply();
  const auto client = site.connect();
  client->send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000000\r\n\r\nthe first of many");
  const Reply reply = site.next_reply(*client);
  EXPECT_EQ(reply.status, 403);
  EXPECT_EQ(reply.body, "no\n");
  EXPECT_EQ(reply.field("Connection"), "close");
  // The client goes on for a while, as one does that has not yet read: it must not be answered with a reset.
  const std::string more(1'000'000, 'x');
  for (int i = 0; i < 20; ++i) {
    client->send(more);
    site.until([&] { return client->unsent() == 0; }, Duration(1'000));
  }
  EXPECT_FALSE(client->is_reset());
  client->end_output();
  EXPECT_TRUE(site.until([&] { return site.board->worker(0).connections.load() == 0; }));
}

// The backend answers and closes with a reset while the upload is still under way: its answer counts.
TEST(Body, AnEarlyAnswerIsNotLostWhenTheBackendClosesAtOnce) {
  LoopbackWorker site;
  site.add_raw_server([](RawSocket& backend) {
    backend.send("HTTP/1.1 413 Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbig\n");
    backend.close();
  });
  site.apply();
  for (int i = 0; i < 50; ++i) {
    const auto client = site.connect();
    client->send(post("/", std::string(2'000'000, 'x')));
    EXPECT_EQ(site.next_reply(*client).status, 413) << i;
  }
}

}  // namespace
}  // namespace gatehouse::test
