// A worker that leaves: it finishes what it has begun, takes nothing new, and breaks nobody's connection.
#include <fcntl.h>
#include <gtest/gtest.h>

#include "tests/l7/support/loopback_worker.h"

namespace gatehouse::test {
namespace {

class Drain : public testing::Test {
 protected:
  Drain() : backend(site.add_server()) { site.apply(); }
  void drain(Duration timeout = Duration(30'000)) {
    site.worker->drain(timeout, [this] { is_drained = true; });
  }
  // As clients do: they close when they see that the worker has.
  bool closes_after_worker(RawSocket& client) {
    if (!site.until([&] { return client.is_ended(); })) return false;
    client.end_output();
    return !client.is_reset();
  }

  LoopbackWorker site;
  HttpServer& backend;
  bool is_drained = false;
};

TEST_F(Drain, FinishesExchangesAndClosesIdleConnections) {
  const auto idle = site.connect();
  EXPECT_EQ(site.ask(*idle, get("/bytes/1")).status, 200);
  const auto busy = site.connect();
  busy->send(get("/delay/100"));
  ASSERT_TRUE(site.until([&] { return backend.requests() == 2; }));
  drain();
  EXPECT_TRUE(closes_after_worker(*idle));
  EXPECT_FALSE(is_drained);
  const Reply last = site.next_reply(*busy);
  EXPECT_EQ(last.body, "ok\n");
  EXPECT_EQ(last.field("Connection"), "close") << "the client must not send another on it";
  EXPECT_TRUE(closes_after_worker(*busy));
  EXPECT_TRUE(site.until([&] { return is_drained; }));
}

TEST_F(Drain, OwnAnswersSayThatTheyAreTheLastToo) {
  site.config.pools[0].response_timeout = Duration(60);
  site.apply();
  const auto client = site.connect();
  client->send(get("/delay/60000"));
  ASSERT_TRUE(site.until([&] { return backend.requests() == 1; }));
  drain();
  const Reply reply = site.next_reply(*client);
  EXPECT_EQ(reply.status, 504);
  EXPECT_EQ(reply.field("Connection"), "close");
}

TEST_F(Drain, ServesWhoeverIsInTheAcceptQueueAndNobodyAfter) {
  const auto speaking = site.connect(), silent = site.connect();
  speaking->send(get("/bytes/2"));
  drain();
  const auto late = site.connect();
  EXPECT_TRUE(site.until([&] { return late->is_ended(); }));
  EXPECT_EQ(site.next_reply(*speaking).body.size(), 2u);
  EXPECT_EQ(site.ask(*silent, get("/bytes/3")).body.size(), 3u) << "its first request was on its way";
  EXPECT_TRUE(closes_after_worker(*speaking));
  EXPECT_TRUE(closes_after_worker(*silent));
  EXPECT_TRUE(site.until([&] { return is_drained; }));
}

TEST_F(Drain, ALongDownloadArrivesWhole) {
  const auto client = site.connect(64 * 1024);
  client->set_reading(false);
  client->send(get("/bytes/20000000"));
  ASSERT_TRUE(site.until([&] { return backend.requests() == 1; }));
  drain();
  site.turns_while_waiting();
  EXPECT_FALSE(is_drained) << "the client does not have it all";
  client->set_reading(true);
  EXPECT_EQ(site.next_reply(*client).body.size(), 20'000'000u);
  EXPECT_TRUE(closes_after_worker(*client));
  EXPECT_TRUE(site.until([&] { return is_drained; }));
}

TEST_F(Drain, DoesNotWaitForAClientThatHasItsAnswerAndDoesNotClose) {
  const auto client = site.connect();
  EXPECT_EQ(site.ask(*client, get("/bytes/1")).status, 200);
  drain();
  EXPECT_TRUE(site.until([&] { return is_drained; })) << "what was written has arrived";
  EXPECT_TRUE(client->is_ended());
}

TEST_F(Drain, AnUploadThatBeganIsFinished) {
  const auto client = site.connect();
  client->send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2000\r\n\r\n" +
               std::string(1'000, 'x'));
  site.loop.turn(Duration(10));
  drain();
  site.turns_while_waiting();
  client->send(std::string(1'000, 'x'));
  EXPECT_NE(site.next_reply(*client).body.find("\"length\":2000"), std::string::npos);
}

TEST_F(Drain, WhatWasPipelinedIsNotServedAndBreaksNothing) {
  const auto client = site.connect();
  client->send(get("/delay/50") + get("/bytes/2"));
  ASSERT_TRUE(site.until([&] { return backend.requests() == 1; }));
  drain();
  EXPECT_EQ(site.next_reply(*client).field("Connection"), "close");
  client->send(get("/bytes/3"));
  EXPECT_TRUE(closes_after_worker(*client));
  EXPECT_TRUE(site.until([&] { return is_drained; }));
  EXPECT_EQ(client->received(), "");
  EXPECT_EQ(backend.requests(), 1u);
}

TEST_F(Drain, EndsAtItsTimeEvenSo) {
  const auto client = site.connect();
  client->send(get("/delay/60000"));
  ASSERT_TRUE(site.until([&] { return backend.requests() == 1; }));
  drain(Duration(50));
  EXPECT_TRUE(site.until([&] { return is_drained; }));
}

TEST_F(Drain, WithoutConnectionsItIsDoneAtOnce) {
  drain();
  EXPECT_TRUE(is_drained);
}

// In whose place another serves on: nobody is sent away.
TEST_F(Drain, WhoLeavesGentlyKeepsIdleConnectionsForOneMoreRequest) {
  const auto idle = site.connect();
  EXPECT_EQ(site.ask(*idle, get("/bytes/1")).field("Connection"), "");
  site.worker->leave_gently(Duration(60'000), Duration(0), [this] { is_drained = true; });
  for (int turn = 0; turn < 20; ++turn) site.loop.turn(Duration(20));
  EXPECT_FALSE(idle->is_ended());
  EXPECT_FALSE(is_drained);
  const Reply last = site.ask(*idle, get("/bytes/2"));
  EXPECT_EQ(last.status, 200);
  EXPECT_EQ(last.field("Connection"), "close");
  EXPECT_TRUE(closes_after_worker(*idle));
  EXPECT_TRUE(site.until([&] { return is_drained; }));
}

TEST_F(Drain, WhoLeavesGentlyIsGoneByTheDeadline) {
  const auto idle = site.connect();
  EXPECT_EQ(site.ask(*idle, get("/bytes/1")).status, 200);
  site.worker->leave_gently(Duration(50), Duration(0), [this] { is_drained = true; });
  EXPECT_TRUE(site.until([&] { return is_drained; }));
}

// Clients whose handshake has begun have been promised its sockets.
TEST_F(Drain, WhoLeavesGentlyAcceptsForAWhileAndEndsEachConnectionAfterItsAnswer) {
  site.worker->leave_gently(Duration(60'000), Duration(400), [this] { is_drained = true; });
  const auto late = site.connect();
  const Reply reply = site.ask(*late, get("/bytes/2"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.field("Connection"), "close");
  EXPECT_TRUE(closes_after_worker(*late));
  EXPECT_TRUE(site.until([&] { return is_drained; }));
}

TEST_F(Drain, AnEndThatIsWantedSoonEndsAGentleOne) {
  const auto idle = site.connect();
  EXPECT_EQ(site.ask(*idle, get("/bytes/1")).status, 200);
  site.worker->leave_gently(Duration(60'000), Duration(60'000), [] {});
  drain();
  EXPECT_TRUE(closes_after_worker(*idle));
  EXPECT_TRUE(site.until([&] { return is_drained; }));
}

// What a worker lends is accepted from by both.
TEST_F(Drain, SocketsThatAreLentServeOnWhenTheirWorkerHasLeft) {
  const auto lent = site.worker->sockets();
  ASSERT_EQ(lent.size(), 1u);
  Fd kept(fcntl(lent[0].socket, F_DUPFD_CLOEXEC, 0));
  site.worker->leave_gently(Duration(60'000), Duration(0), [this] { is_drained = true; });
  EXPECT_TRUE(site.until([&] { return is_drained; }));
  const auto waiting = site.connect();
  waiting->send(get("/bytes/2"));
  std::vector<l7::ListenerSocket> sockets;
  sockets.push_back({"web", "heir", std::move(kept)});
  l7::Worker heir(site.loop, *site.board, {1, ""});
  ASSERT_TRUE(heir.set_config(site.config, {}));
  heir.set_listeners(std::move(sockets));
  EXPECT_EQ(site.next_reply(*waiting).status, 200);
}

// A node that seems dead is sent nothing more, not even for the connections that it still has.
TEST_F(Drain, ProbesAreAnsweredToTheEndAndHoldNothingUp) {
  Endpoint address;
  std::vector<l7::ListenerSocket> sockets;
  sockets.push_back({"web", "web", Fd()});
  sockets.push_back({std::string(l7::kProbeListener), "probe", listen_on_loopback(address)});
  site.worker->set_listeners(std::move(sockets));
  const auto busy = site.connect();
  busy->send(get("/delay/100"));
  ASSERT_TRUE(site.until([&] { return backend.requests() == 1; }));
  drain();
  RawSocket probe(site.loop, address);
  EXPECT_EQ(site.ask(probe, get("/healthz")).status, 200);
  EXPECT_EQ(site.next_reply(*busy).status, 200);
  const RawSocket hanging(site.loop, address);
  EXPECT_TRUE(closes_after_worker(*busy));
  EXPECT_TRUE(site.until([&] { return is_drained; }));
}

}  // namespace
}  // namespace gatehouse::test
