// Much through a relay: every byte arrives in its place, memory stays what it was, a slow side slows the
// other down, and nobody else waits.
#include <gtest/gtest.h>
#include <malloc.h>

#include "tests/l7/support/tcp_site.h"
#include "tests/l7/support/raw_tls_client.h"
#include "tests/l7/support/tls.h"
#include "tests/support/byte_pattern.h"

namespace gatehouse::test {
namespace {

// Sends the pattern up to `total` bytes as fast as the other side takes it, and checks what comes.
struct Stream {
  std::uint64_t total;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  bool is_right = true;

  void send(RawSocket& socket) {
    while (sent < total && socket.unsent() == 0) {
      const std::string_view part = pattern_at(sent, std::min<std::uint64_t>(total - sent, 256 * 1024));
      sent += part.size();
      socket.send(part);
    }
    if (sent == total && socket.unsent() == 0) socket.end_output();
  }
  void receive(RawSocket& socket) {
    is_right &= matches_pattern(received, socket.received());
    received += socket.received().size();
    socket.received().clear();
  }
  bool is_done() const { return received == total; }
};

constexpr std::uint64_t kMuch = 100ull << 20;

TEST(RelayBulk, AHundredMebibytesEachWayAtOnceInBoundedMemory) {
  TcpSite site;
  RawServer& server = site.add_raw_server(ignore);
  site.apply();
  const auto client = site.connect();
  RawSocket& backend = site.accepted_by(server);
  Stream up{kMuch}, down{kMuch};
  const std::size_t before = mallinfo2().uordblks;
  std::size_t most = 0;
  const auto moves = [&] {
    up.send(*client);
    down.send(backend);
    up.receive(backend);
    down.receive(*client);
    most = std::max(most, mallinfo2().uordblks);
    return up.is_done() && down.is_done();
  };
  ASSERT_TRUE(site.until(moves, Duration(100'000))) << up.received << " and " << down.received;
  EXPECT_TRUE(up.is_right && down.is_right);
  EXPECT_TRUE(site.is_over());
  EXPECT_LT(most, before + (32u << 20))
      << "most of it are this test's own ends, which take what a socket holds at once";
  const nlohmann::json line = site.line();
  EXPECT_EQ(line["bytes_in"], kMuch);
  EXPECT_EQ(line["bytes_out"], kMuch);
  EXPECT_FALSE(line.contains("reason"));
}

TEST(RelayBulk, ThroughTlsToo) {
  TcpSite site;
  RawServer& server = site.add_raw_server(ignore);
  add_certificate(site.config.listeners[0], site.files, Authority().issue({"a.example", "DNS:a.example"}));
  site.apply();
  RawTlsClient client(site.connect(), "a.example");
  ASSERT_TRUE(site.until([&] { return client.is_open(); }));
  RawSocket& backend = site.accepted_by(server);
  Stream down{8 << 20};
  ASSERT_TRUE(site.until(
      [&] {
        down.send(backend);
        return client.received().size() >= down.total;
      },
      Duration(60'000)));
  EXPECT_TRUE(matches_pattern(0, client.received()));
}

// What the client does not read stays with the sender, but for what fits into sockets and one pipe.
TEST(RelayBulk, ASlowReaderSlowsTheSenderDown) {
  TcpSite site;
  RawServer& server = site.add_raw_server(ignore);
  site.apply();
  const auto client = site.connect(16 * 1024);
  client->set_reading(false);
  RawSocket& backend = site.accepted_by(server);
  Stream down{kMuch};
  ASSERT_TRUE(site.comes_to_rest([&] {
    down.send(backend);
    return down.sent - backend.unsent();
  }));
  EXPECT_LT(down.sent, 32u << 20);
  const auto other = site.connect();
  RawSocket& others = site.accepted_by(server, 2);
  other->send("not held up");
  EXPECT_TRUE(site.has_come(others, "not held up"));
  EXPECT_LT(site.turns_while_waiting(), 100) << "nothing can move: nothing should be tried";
  client->set_reading(true);
  ASSERT_TRUE(site.until(
      [&] {
        down.send(backend);
        down.receive(*client);
        return down.is_done();
      },
      Duration(60'000)));
  EXPECT_TRUE(down.is_right);
}

TEST(RelayBulk, ABackendThatDiesInTheMiddleIsNoEnd) {
  TcpSite site;
  RawServer& server = site.add_raw_server(ignore);
  site.apply();
  const auto client = site.connect();
  RawSocket& backend = site.accepted_by(server);
  Stream down{kMuch};
  ASSERT_TRUE(site.until([&] {
    down.send(backend);
    down.receive(*client);
    return down.received > (16u << 20);
  }));
  backend.reset();
  ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_TRUE(client->is_reset());
  EXPECT_TRUE(site.is_over());
}

// The kernel tells of a reset once: here a write hears of it, and reading sees a mere end.
TEST(RelayBulk, ABackendThatDiesWhileItIsWrittenToIsNoEndEither) {
  TcpSite site;
  RawServer& server = site.add_raw_server(ignore, 4096);
  site.apply();
  const auto client = site.connect();
  RawSocket& backend = site.accepted_by(server);
  backend.set_reading(false);
  // Until every buffer on the way is full, and the relay waits to write.
  ASSERT_TRUE(site.until([&] {
    if (client->unsent() == 0) client->send(std::string(1 << 20, 'x'));
    site.turns_while_waiting();
    return client->unsent() > 0;
  }));
  client->discard_unsent();
  backend.reset();
  ASSERT_TRUE(site.until([&] { return client->is_ended(); }));
  EXPECT_TRUE(client->is_reset());
  EXPECT_TRUE(site.is_over());
}

TEST(RelayBulk, AClientThatDiesInTheMiddleFreesEverything) {
  TcpSite site;
  RawServer& server = site.add_raw_server(ignore);
  site.apply();
  for (int i = 0; i < 5; ++i) {
    const auto client = site.connect();
    RawSocket& backend = site.accepted_by(server, static_cast<std::size_t>(i) + 1);
    Stream down{kMuch};
    ASSERT_TRUE(site.until([&] {
      down.send(backend);
      down.receive(*client);
      return down.received > (4u << 20);
    }));
    client->reset();
    ASSERT_TRUE(site.until([&] { return backend.is_ended(); }));
  }
  EXPECT_TRUE(site.is_over());
}

TEST(RelayBulk, ABulkyOneDoesNotHoldUpAnother) {
  TcpSite site;
  RawServer& server = site.add_raw_server(ignore);
  site.apply();
  const auto bulky = site.connect(), quick = site.connect();
  RawSocket& source = site.accepted_by(server, 1);
  RawSocket& peer = site.accepted_by(server, 2);
  Stream down{kMuch};
  int exchanges = 0;
  std::string sent;
  ASSERT_TRUE(site.until(
      [&] {
        down.send(source);
        down.receive(*bulky);
        if (peer.received().size() == sent.size()) {
          ++exchanges;
          sent += 'x';
          quick->send("x");
        }
        return down.is_done();
      },
      Duration(60'000)));
  EXPECT_GT(exchanges, 20) << "while the other one moved a hundred mebibytes";
}

}  // namespace
}  // namespace gatehouse::test
