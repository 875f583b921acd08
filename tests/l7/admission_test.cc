// How many connections a worker takes: exact counts by client, listeners that pause and go on, descriptors
// for backends.
#include "l7/admission.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <map>
#include <random>

#include "tests/l7/support/tcp_site.h"

namespace gatehouse::test {
namespace {

IpAddress address(std::uint32_t number) {
  return IpAddress::from_v4({10, static_cast<std::uint8_t>(number >> 16),
                             static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)});
}

TEST(ClientTable, CountsExactlyWhateverComesAndGoes) {
  l7::ClientTable table;
  std::map<std::pair<std::uint32_t, IpAddress>, std::uint32_t> expected;
  std::vector<std::pair<std::uint32_t, IpAddress>> open;
  std::mt19937 random(7);
  for (int step = 0; step < 200'000; ++step) {
    const bool grows = step < 20'000 || random() % 2 == 0;
    if (open.empty() || (grows && open.size() < 5'000)) {
      open.push_back({random() % 3, address(random() % 700)});
      ASSERT_EQ(table.add(open.back().first, open.back().second), ++expected[open.back()]);
    } else {
      std::swap(open[random() % open.size()], open.back());
      table.remove(open.back().first, open.back().second);
      if (--expected[open.back()] == 0) expected.erase(open.back());
      open.pop_back();
    }
    ASSERT_EQ(table.size(), expected.size());
  }
  for (const auto& [key, count] : expected) ASSERT_EQ(table.add(key.first, key.second), count + 1);
}

TEST(ClientTable, TakesNoMemoryOnceWarm) {
  l7::ClientTable table;
  for (std::uint32_t i = 0; i < 1'000; ++i) table.add(0, address(i));
  const std::size_t capacity = table.capacity();
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    table.remove(0, address(i));
    table.add(0, address(i + 1'000));
  }
  EXPECT_EQ(table.capacity(), capacity);
  EXPECT_EQ(table.size(), 1'000u);
}

TEST(Seat, ClientsOfOneV6NetworkAreOne) {
  EventLoop loop;
  const l7::BufferPool buffers;
  const auto board = l7::Board::anonymous();
  l7::Admission admission(loop, buffers, board->worker(0));
  l7::ListenerCount& web = admission.count_of("web");
  const auto ip = [](const char* text) { return *IpAddress::parse(text); };
  l7::Seat first(web), second(web), third(web), fourth(web);
  EXPECT_TRUE(first.take_client(ip("2001:db8:0:1::1"), 1));
  EXPECT_FALSE(second.take_client(ip("2001:db8:0:1:ffff::2"), 1));
  EXPECT_TRUE(third.take_client(ip("2001:db8:0:2::1"), 1));
  EXPECT_TRUE(fourth.take_client(ip("192.0.2.1"), 1));
  EXPECT_EQ(web.open, 4u);
  EXPECT_EQ(board->worker(0).refused_clients.load(), 1u);
}

TEST(Limits, AFullListenerPausesAndGoesOnAsConnectionsEnd) {
  LoopbackWorker site;
  site.add_server();
  site.config.listeners[0].max_connections = 2;
  site.apply();
  const auto first = site.connect(), second = site.connect(), third = site.connect(), fourth = site.connect();
  EXPECT_EQ(site.ask(*first, get("/bytes/1")).status, 200);
  EXPECT_EQ(site.ask(*second, get("/bytes/1")).status, 200);
  third->send(get("/bytes/3"));
  fourth->send(get("/bytes/4"));
  EXPECT_LT(site.turns_while_waiting(), 100) << "it does not ask again and again";
  EXPECT_EQ(third->received(), "");
  EXPECT_EQ(site.board->worker(0).paused_listeners.load(), 1u);
  EXPECT_EQ(site.board->worker(0).connections.load(), 2u);
  first->close();
  EXPECT_EQ(site.next_reply(*third).body.size(), 3u);
  EXPECT_EQ(site.ask(*second, get("/bytes/1")).status, 200);
  EXPECT_EQ(site.board->worker(0).connections.load(), 2u);
  third->close();
  second->close();
  EXPECT_EQ(site.next_reply(*fourth).body.size(), 4u);
  EXPECT_TRUE(site.until([&] { return site.board->worker(0).paused_listeners.load() == 0; }));
  EXPECT_GE(site.board->worker(0).accept_pauses.load(), 1u);
}

TEST(Limits, AReloadMayRaiseThem) {
  LoopbackWorker site;
  site.add_server();
  site.config.listeners[0].max_connections = 1;
  site.apply();
  const auto first = site.connect(), second = site.connect();
  EXPECT_EQ(site.ask(*first, get("/bytes/1")).status, 200);
  second->send(get("/bytes/2"));
  site.turns_while_waiting();
  EXPECT_EQ(second->received(), "");
  site.config.listeners[0].max_connections = 0;
  site.apply();
  EXPECT_EQ(site.next_reply(*second).body.size(), 2u);
}

TEST(Limits, AClientHasItsShare) {
  LoopbackWorker site;
  site.add_server();
  site.config.listeners[0].max_connections_per_client = 2;
  site.apply();
  const auto first = site.connect(), second = site.connect();
  EXPECT_EQ(site.ask(*first, get("/bytes/1")).status, 200);
  EXPECT_EQ(site.ask(*second, get("/bytes/1")).status, 200);
  const auto third = site.connect();
  ASSERT_TRUE(site.until([&] { return third->is_ended(); }));
  EXPECT_TRUE(third->is_reset());
  EXPECT_EQ(site.board->worker(0).refused_clients.load(), 1u);
  first->close();
  ASSERT_TRUE(site.until([&] { return site.board->worker(0).connections.load() == 1; }));
  EXPECT_EQ(site.ask(get("/bytes/1")).status, 200);
}

TEST(Limits, OfAProxysClientsAreTheClients) {
  LoopbackWorker site;
  site.add_server();
  config::Listener& listener = site.config.listeners[0];
  listener.max_connections_per_client = 1;
  listener.proxy_protocol = true;
  listener.trusted_proxies = {*IpPrefix::parse("127.0.0.1")};
  site.apply();
  const auto first = site.connect(), again = site.connect(), other = site.connect();
  EXPECT_EQ(site.ask(*first, "PROXY TCP4 192.0.2.1 192.0.2.9 1 2\r\n" + get("/bytes/1")).status, 200);
  again->send("PROXY TCP4 192.0.2.1 192.0.2.9 3 2\r\n" + get("/bytes/1"));
  ASSERT_TRUE(site.until([&] { return again->is_ended(); }));
  EXPECT_EQ(again->received(), "");
  EXPECT_EQ(site.ask(*other, "PROXY TCP4 192.0.2.2 192.0.2.9 1 2\r\n" + get("/bytes/1")).status, 200);
}

TEST(Limits, AConnectionHasSoManyRequests) {
  LoopbackWorker site;
  site.add_server();
  site.config.listeners[0].max_requests = 3;
  site.apply();
  const auto client = site.connect();
  for (const bool is_last : {false, false, true}) {
    const Reply reply = site.ask(*client, get("/bytes/1"));
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.field("Connection"), is_last ? "close" : "");
  }
  EXPECT_TRUE(site.until([&] { return client->is_ended(); }));
}

TEST(Limits, AConnectionThatHasHadItsTimeEndsWithItsNextRequest) {
  LoopbackWorker site;
  site.add_server();
  site.config.listeners[0].max_age = Duration(3'600'000);
  site.apply();
  const auto client = site.connect();
  EXPECT_EQ(site.ask(*client, get("/bytes/1")).field("Connection"), "");
  site.config.listeners[0].max_age = Duration(10);
  site.apply();
  const auto begun = EventLoop::Clock::now();
  ASSERT_TRUE(site.until([&] { return EventLoop::Clock::now() - begun > Duration(20); }));
  EXPECT_FALSE(client->is_ended()) << "a request may be on its way";
  EXPECT_EQ(site.ask(*client, get("/bytes/1")).field("Connection"), "close");
  EXPECT_TRUE(site.until([&] { return client->is_ended(); }));
}

// The process may have so many descriptors while the worker is made.
class Descriptors {
 public:
  explicit Descriptors(rlim_t most) {
    GH_CHECK(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit limit{most, before_.rlim_max};
    GH_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  }
  ~Descriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

TEST(Limits, SomeDescriptorsAreLeftForBackends) {
  auto few = std::make_unique<Descriptors>(200);
  LoopbackWorker site;
  few.reset();
  HttpServer& backend = site.add_server();
  site.apply();
  std::vector<std::unique_ptr<RawSocket>> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(site.connect());
  const auto open = [&] { return site.board->worker(0).connections.load(); };
  ASSERT_TRUE(site.until([&] { return site.board->worker(0).paused_listeners.load() == 1; }));
  const std::uint64_t most = open();
  EXPECT_LE(most, 75u) << "twice as many and a quarter of the limit fit into it";
  EXPECT_GE(most, 10u);
  EXPECT_EQ(site.ask(*clients[0], get("/bytes/1")).status, 200);
  for (std::size_t i = 0; i < 50; ++i) clients[i]->close();
  EXPECT_TRUE(site.until([&] { return site.board->worker(0).accepted.load() > most; }));
  EXPECT_EQ(backend.requests(), 1u);
}

// A client that takes nothing of a long answer holds buffers until it does.
TEST(Limits, NobodyIsAcceptedWhileBuffersAreFull) {
  LoopbackWorker site;
  site.add_server();
  site.config.workers.max_buffers = ByteSize{16 * 1024};
  site.apply();
  const auto slow = site.connect(4096);
  slow->set_reading(false);
  slow->send(get("/bytes/30000000"));
  site.turns_while_waiting();
  const auto late = site.connect();
  late->send(get("/bytes/1"));
  ASSERT_TRUE(site.until([&] { return site.board->worker(0).paused_listeners.load() == 1; }));
  EXPECT_EQ(late->received(), "");
  slow->reset();
  EXPECT_EQ(site.next_reply(*late).body.size(), 1u);
}

}  // namespace
}  // namespace gatehouse::test
