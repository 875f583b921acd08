// gRPC: calls pass whole, are spread over backends, and hear in their own terms what we have to say.
#include "l7/http/grpc.h"

#include <gtest/gtest.h>

#include "tests/l7/support/h2_site.h"

namespace gatehouse::test {
namespace {

using Fields = H2FieldList;

const Fields kCall = {{"content-type", "application/grpc"}, {"te", "trailers"}};
const Fields kHead = {{":status", "200"}, {"content-type", "application/grpc"}};

struct Timeout {
  const char* text;
  int milliseconds;  // -1: malformed
};

TEST(GrpcTimeout, IsReadInAllItsUnits) {
  const Timeout cases[] = {{"1H", 3'600'000}, {"2M", 120'000},  {"3S", 3'000}, {"4m", 4},   {"5000u", 5},  {"1n", 1},     {"0m", 0},
                           {"99999999H", 86'400'000}, {"", -1}, {"m", -1},     {"1", -1},   {"1x", -1},    {"-1S", -1},   {"1 S", -1},
                           {"123456789S", -1}, {"1.5S", -1}};
  for (const Timeout& row : cases) {
    const auto parsed = l7::http::parse_grpc_timeout(row.text);
    EXPECT_EQ(parsed ? parsed->count() : -1, row.milliseconds) << row.text;
  }
}

TEST(GrpcCall, IsToldByItsContentType) {
  for (const char* type : {"application/grpc", "application/grpc+proto", "Application/GRPC;x=y"}) EXPECT_TRUE(l7::http::is_grpc(type)) << type;
  for (const char* type : {"", "application/grpc-web", "application/grpcx", "application/json"}) EXPECT_FALSE(l7::http::is_grpc(type)) << type;
}

TEST(GrpcMessage, IsPercentEncoded) { EXPECT_EQ(l7::http::grpc_message("a b%\n\xc3"), "a b%25%0A%C3"); }

class Grpc : public testing::Test {
 protected:
  void serve(H2Peer::OnMessage on_message) {
    site.config.pools[0].protocol = "h2";
    servers.push_back(std::make_unique<H2Server>(site.loop, std::move(on_message)));
    site.config.pools[0].backends.push_back({servers.back()->address()});
  }
  Fields call(const std::string& path, Fields more = {}) {
    Fields fields = {{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "a.example"}};
    fields.insert(fields.end(), kCall.begin(), kCall.end());
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }

  H2Site site;
  std::vector<std::unique_ptr<H2Server>> servers;
};

TEST_F(Grpc, UnaryCallsOfOneConnectionAreSpreadEvenlyOverBackends) {
  std::map<H2Peer*, int> served;
  for (int i = 0; i < 3; ++i) {
    serve([&served](H2Peer& peer, std::int32_t id) {
      if (!peer.message(id).is_ended || peer.message(id).is_closed) return;
      ++served[&peer];
      peer.respond(id, kHead, "answer", {{"grpc-status", "0"}});
    });
  }
  site.apply();
  const auto client = site.connect_h2();
  constexpr int kCalls = 10'000;
  int done = 0;
  for (int begun = 0; begun < kCalls; begun += 50) {
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 50; ++i) ids.push_back(client->request(call("/shop.Items/Get"), "question"));
    for (const std::int32_t id : ids) done += site.ended(*client, id).trailer("grpc-status") == "0";
  }
  EXPECT_EQ(done, kCalls);
  ASSERT_EQ(served.size(), 3u) << "one connection to each";
  const auto [least, most] = std::minmax_element(served.begin(), served.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  EXPECT_LE(most->second, 1.1 * least->second);
}

TEST_F(Grpc, StreamsFlowInBothDirectionsAtOnce) {
  serve([](H2Peer& peer, std::int32_t id) {
    H2Message& request = peer.message(id);
    if (request.is_closed) return;
    if (request.interim.empty()) {  // the first time: answers before the client has said anything more
      request.interim.emplace_back();
      peer.respond(id, kHead, std::nullopt);
    }
    const std::string said = std::exchange(request.body, {});
    peer.send(id, said.empty() ? "" : "[" + said + "]", request.is_ended, request.is_ended ? Fields{{"grpc-status", "0"}} : Fields{});
  });
  site.apply();
  const auto client = site.connect_h2();
  const std::int32_t id = client->request(call("/chat.Chat/Talk"), std::nullopt);
  std::string heard;
  for (const std::string word : {"one", "two", "three"}) {
    client->send(id, word);
    heard += "[" + word + "]";
    ASSERT_TRUE(site.until([&] { return client->message(id).body == heard; })) << client->message(id).body;
  }
  client->send(id, "", true);
  EXPECT_EQ(site.ended(*client, id).trailer("grpc-status"), "0");
}

TEST_F(Grpc, TrailersAlonePass) {
  serve([](H2Peer& peer, std::int32_t id) {
    if (!peer.message(id).is_ended || peer.message(id).is_closed) return;
    Fields fields = kHead;
    fields.emplace_back("grpc-status", "5");
    peer.respond(id, fields);
  });
  site.apply();
  const auto client = site.connect_h2();
  const H2Message& answer = site.ended(*client, client->request(call("/a.B/C"), "x"));
  EXPECT_EQ(answer.field("grpc-status"), "5");
  EXPECT_EQ(answer.frames, 0u);
  EXPECT_TRUE(answer.trailers.empty());
}

TEST_F(Grpc, WhatWeAnswerOurselvesIsAStatusOfGrpc) {
  const RefusingAddress refusing;
  site.config.pools[0].protocol = "h2";
  site.config.pools[0].backends.push_back({refusing.address()});
  site.config.routes[0].hosts = {"a.example"};
  site.apply();
  const auto client = site.connect_h2();
  const H2Message& unavailable = site.ended(*client, client->request(call("/a.B/C"), "x"));
  EXPECT_EQ(unavailable.status(), 200);
  EXPECT_EQ(unavailable.field("content-type"), "application/grpc");
  EXPECT_EQ(unavailable.field("grpc-status"), "14");
  EXPECT_EQ(unavailable.field("grpc-message"), "no backend could be reached");
  EXPECT_TRUE(unavailable.body.empty());
  Fields elsewhere = call("/a.B/C");
  elsewhere[3].second = "b.example";
  EXPECT_EQ(site.ended(*client, client->request(elsewhere, "x")).field("grpc-status"), "12");
}

TEST_F(Grpc, ACallsOwnDeadlineBoundsOurPatience) {
  std::string seen;
  serve([&](H2Peer& peer, std::int32_t id) { seen = peer.message(id).field("grpc-timeout"); });
  site.apply();
  const auto client = site.connect_h2();
  const H2Message& answer = site.ended(*client, client->request(call("/a.B/C", {{"grpc-timeout", "80m"}}), "x"));
  EXPECT_EQ(answer.field("grpc-status"), "4");
  EXPECT_EQ(seen, "80m") << "the backend should know as well";
  EXPECT_TRUE(site.until([&] { return servers[0]->connections[0]->message(1).is_closed; }));
}

TEST_F(Grpc, QuietStreamsLiveAsLongAsTheyMay) {
  site.config.listeners[0].idle_timeout = site.config.pools[0].response_timeout = Duration(100);
  site.config.listeners[0].stream_timeout = Duration(60'000);
  serve([](H2Peer& peer, std::int32_t id) {
    if (!peer.message(id).is_closed && !std::exchange(peer.message(id).is_ended, true)) peer.respond(id, kHead, std::nullopt);
  });
  site.apply();
  const auto client = site.connect_h2();
  const std::int32_t id = client->request(call("/watch.Watch/All"), std::nullopt);
  ASSERT_TRUE(site.until([&] { return client->message(id).has_head; }));
  site.until([] { return false; }, Duration(400));
  EXPECT_FALSE(client->message(id).is_closed);
  servers[0]->connections[0]->send(1, "news");
  EXPECT_TRUE(site.until([&] { return client->message(id).body == "news"; }));
}

}  // namespace
}  // namespace gatehouse::test
