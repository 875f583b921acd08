// Active checks: what counts as healthy, and how rise and fall damp it.
#include "tests/l7/health/check_site.h"

namespace gatehouse::l7 {
namespace {

using test::RawServer;
using test::RawSocket;

// A backend that wants PROXY headers takes no connection without.
TEST_F(Check, BeginsAsTheConnectionsOfItsPoolDo) {
  for (const ProxyVersion version : {ProxyVersion::kV1, ProxyVersion::kV2}) {
    pool.proxy_protocol = version == ProxyVersion::kV1 ? "v1" : "v2";
    start(std::vector<std::string>{kGood});
    ASSERT_TRUE(until([&] { return check->is_decided(); }));
    EXPECT_TRUE(check->is_healthy());
    ProxyHeader header;
    const ProxyResult result = parse_proxy_header(requests.back(), header);
    ASSERT_EQ(result.status, ProxyStatus::kDone);
    EXPECT_EQ(requests.back().substr(result.length, 13), "GET /healthz ");
    EXPECT_EQ(header.names_client, version == ProxyVersion::kV1);
    if (header.names_client) {
      EXPECT_EQ(header.destination, server->address());
    }
  }
}

TEST_F(Check, AsksForThePathAndTheHost) {
  health.host = "shop.example";
  start({kGood});
  ASSERT_TRUE(until_asked(1));
  EXPECT_TRUE(requests[0].starts_with("GET /healthz HTTP/1.1\r\nHost: shop.example\r\n")) << requests[0];
}

TEST_F(Check, WithoutAHostItNamesTheAddress) {
  start({kGood});
  ASSERT_TRUE(until_asked(1));
  EXPECT_NE(requests[0].find("\r\nHost: " + to_string(server->address()) + "\r\n"), std::string::npos)
      << requests[0];
}

TEST_F(Check, TheFirstOneDecidesAlone) {
  start({kBad});
  EXPECT_TRUE(check->is_healthy());
  EXPECT_FALSE(check->is_decided());
  ASSERT_TRUE(until([&] { return check->is_decided(); }));
  EXPECT_FALSE(check->is_healthy());
  EXPECT_EQ(asked, 1u);
  EXPECT_EQ(changes, 1);
  EXPECT_EQ(check->reason(), "status 503");
}

TEST_F(Check, AGoodFirstOneIsToldToo) {
  start({kGood});
  ASSERT_TRUE(until([&] { return check->is_decided(); }));
  EXPECT_TRUE(check->is_healthy());
  EXPECT_EQ(changes, 1);
  ASSERT_TRUE(until_asked(4));
  EXPECT_EQ(changes, 1) << "once";
}

TEST_F(Check, ItFallsAfterFallBadOnesInARowAndRisesAfterRiseGoodOnes) {
  health.fall = 3;
  health.rise = 2;
  start({kGood, kBad, kBad, kGood, kBad, kBad, kBad, kGood, kBad, kGood, kGood});
  std::vector<std::size_t> turns;
  bool was_healthy = true;
  ASSERT_TRUE(until([&] {
    if (check->is_healthy() != was_healthy) turns.push_back(asked);
    was_healthy = check->is_healthy();
    return asked >= 12;
  }));
  EXPECT_EQ(turns, (std::vector<std::size_t>{7, 11}));
  EXPECT_EQ(check->reason(), "");
}

TEST_F(Check, TheReasonIsTheLastFailures) {
  health.fall = 5;
  start({kGood, kBad});
  ASSERT_TRUE(until_asked(3));
  EXPECT_TRUE(check->is_healthy());
  ASSERT_TRUE(until([&] { return check->reason() == "status 503"; }));
}

struct Answer {
  const char* name;
  std::string bytes;
  bool is_healthy;
};

TEST_F(Check, TheStatusDecides) {
  health.status = {200, 204};
  for (const Answer& row :
       {Answer{"200", kGood, true},
        {"204", "HTTP/1.1 204 No Content\r\n\r\n", true},
        {"201", "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", false},
        {"after interim ones", "HTTP/1.1 103 Early Hints\r\n\r\n" + kGood, true},
        {"301", "HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", false},
        {"another protocol", "220 mail.example ESMTP\r\n\r\n", false},
        {"nothing", "", false},
        {"half a head", "HTTP/1.1 200 OK\r\n", false},
        {"too large a head", "HTTP/1.1 200 OK\r\nA: " + std::string(40'000, 'x') + "\r\n\r\n", false}}) {
    asked = 0;
    start({row.bytes});
    ASSERT_TRUE(until([&] { return check->is_decided(); })) << row.name;
    EXPECT_EQ(check->is_healthy(), row.is_healthy) << row.name << ": " << check->reason();
    EXPECT_EQ(check->reason().empty(), row.is_healthy) << row.name;
  }
}

TEST_F(Check, TheBodyMustContainTheText) {
  health.body_contains = "ready";
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const Answer& row :
       {Answer{"of a length", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nalready!", true},
        {"until the close", "HTTP/1.1 200 OK\r\n\r\nready", true},
        {"across chunks", chunked + "3\r\nxre\r\n1\r\na\r\n2\r\ndy\r\n0\r\n\r\n", true},
        {"broken by chunk framing alone", chunked + "2\r\nre\r\n3\r\nady\r\n", true},
        {"after a long body", chunked + "ea60\r\n" + std::string(60'000, 'x') + "\r\n5\r\nready\r\n0\r\n\r\n",
         true},
        {"not in the body", "HTTP/1.1 200 OK\r\nX: ready\r\nContent-Length: 3\r\n\r\nno\n", false},
        {"beyond the body", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno\nready", false},
        {"in the framing", chunked + "1;ready\r\nx\r\n0\r\nready: 1\r\n\r\n", false},
        {"not whole", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nread", false},
        {"no body", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
        {"malformed chunks", chunked + "x\r\nready", false},
        {"of the wrong status", "HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\nready", false}}) {
    asked = 0;
    start({row.bytes});
    ASSERT_TRUE(until([&] { return check->is_decided(); })) << row.name;
    EXPECT_EQ(check->is_healthy(), row.is_healthy) << row.name << ": " << check->reason();
  }
}

TEST_F(Check, AnAnswerMayComeInAnyPieces) {
  health.body_contains = "ready";
  server = std::make_unique<RawServer>(loop, [this](RawSocket&) { ++asked; });
  start(server->address());
  ASSERT_TRUE(until_asked(1));
  for (const char c :
       std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n2\r\ndy\r\n0\r\n\r\n")) {
    if (!server->connections[0]->is_ended()) server->connections[0]->send({&c, 1});
    loop.turn(Duration(0));
  }
  ASSERT_TRUE(until([&] { return check->is_decided(); }));
  EXPECT_TRUE(check->is_healthy()) << check->reason();
}

TEST_F(Check, NoAnswerInTimeIsAFailure) {
  health.timeout = Duration(30);
  health.interval = Duration(10'000);
  server = std::make_unique<RawServer>(loop,
                                       [](RawSocket& connection) { connection.send("HTTP/1.1 200 OK\r\n"); });
  start(server->address());
  ASSERT_TRUE(until([&] { return check->is_decided(); }));
  EXPECT_FALSE(check->is_healthy());
  EXPECT_EQ(check->reason(), "no answer within 30ms");
  EXPECT_TRUE(until([&] { return server->connections[0]->is_ended(); })) << "its connection is closed";
}

TEST_F(Check, ARefusedConnectionIsAFailure) {
  const test::RefusingAddress refusing;
  start(refusing.address());
  ASSERT_TRUE(until([&] { return check->is_decided(); }));
  EXPECT_FALSE(check->is_healthy());
  EXPECT_EQ(check->reason(), "cannot connect: Connection refused");
}

TEST_F(Check, TheFirstComesAfterTheOffsetAndTheNextAfterTheInterval) {
  health.interval = Duration(50);
  server = std::make_unique<RawServer>(loop, [this](RawSocket& connection) {
    ++asked;
    connection.send(kGood);
  });
  const auto begin = EventLoop::Clock::now();
  start(server->address(), Duration(40));
  ASSERT_TRUE(until_asked(1));
  EXPECT_GE(EventLoop::Clock::now() - begin, Duration(40));
  ASSERT_TRUE(until_asked(3));
  EXPECT_GE(EventLoop::Clock::now() - begin, Duration(130)) << "each interval is up to a tenth shorter";
}

// The fast interval is the pause after a check, not the time that one has.
TEST_F(Check, AnAnswerMayTakeLongerThanTheFastInterval) {
  health.interval = Duration(10'000);
  health.fast_interval = Duration(10);
  health.rise = 2;
  server = std::make_unique<RawServer>(loop, [this](RawSocket& connection) {
    if (++asked == 3) return;
    connection.send(asked == 1 ? kBad : kGood);
    connection.end_output();
  });
  start(server->address());
  ASSERT_TRUE(until_asked(3));
  EXPECT_FALSE(check->is_healthy());
  const auto asked_at = EventLoop::Clock::now();
  ASSERT_TRUE(until([&] { return EventLoop::Clock::now() - asked_at > 5 * health.fast_interval; }));
  EXPECT_EQ(asked, 3u);
  server->connections.back()->send(kGood);
  EXPECT_TRUE(until([&] { return check->is_healthy(); })) << check->reason();
}

TEST_F(Check, MayEndAtAnyMoment) {
  server = std::make_unique<RawServer>(loop, [this](RawSocket&) { ++asked; });
  start(server->address());
  ASSERT_TRUE(until_asked(1));
  check.reset();
  EXPECT_TRUE(until([&] { return server->connections[0]->is_ended(); }));
  EXPECT_EQ(changes, 0);
}

}  // namespace
}  // namespace gatehouse::l7
