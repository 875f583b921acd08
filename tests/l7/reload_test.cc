// A worker's config and listeners change under its connections.
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/json_fields.h"
#include "tests/l7/support/loopback_worker.h"

namespace gatehouse::test {
namespace {

// A site with two pools of one server each; the route leads to the first.
class Reload : public testing::Test {
 protected:
  Reload() {
    site.config.pools.emplace_back().name = "second";
    first = &site.add_server("b1", 0);
    second = &site.add_server("b2", 1);
    site.apply();
  }
  void route_to(const std::string& pool) {
    site.config.routes[0].pool = pool;
    site.apply();
  }

  LoopbackWorker site;
  HttpServer* first;
  HttpServer* second;
};

TEST_F(Reload, TheNextRequestOfAConnectionUsesTheNewRoutes) {
  const auto client = site.connect();
  EXPECT_EQ(site.ask(*client, get("/bytes/1")).field("X-Backend"), "b1");
  route_to("second");
  EXPECT_EQ(site.ask(*client, get("/bytes/1")).field("X-Backend"), "b2");
  site.config.routes[0].path = "/only";
  site.apply();
  EXPECT_EQ(site.ask(*client, get("/bytes/1")).status, 404);
}

TEST_F(Reload, AnExchangeEndsWithTheConfigItBeganWith) {
  const auto client = site.connect();
  client->send(get("/delay/50"));
  ASSERT_TRUE(site.until([&] { return first->requests() == 1; }));
  site.config.routes[0].pool = "second";
  site.config.pools.erase(site.config.pools.begin());
  site.apply();
  site.apply();  // what the first reload left unused is forgotten
  EXPECT_EQ(site.next_reply(*client).field("X-Backend"), "b1");
  EXPECT_EQ(site.ask(*client, get("/bytes/1")).field("X-Backend"), "b2");
}

TEST_F(Reload, AnUploadThatBeganGoesOnThroughManyReloads) {
  const auto client = site.connect();
  client->send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 50000\r\n\r\n");
  for (int i = 0; i < 50; ++i) {
    client->send(std::string(1000, 'x'));
    site.loop.turn(Duration(1));
    route_to(i % 2 ? "main" : "second");
  }
  EXPECT_NE(site.next_reply(*client).body.find("\"length\":50000"), std::string::npos);
}

TEST_F(Reload, LimitsOfTheListenerAreTheNewOnes) {
  const auto client = site.connect();
  EXPECT_EQ(site.ask(*client, get("/bytes/1?" + std::string(500, 'q'))).status, 200);
  site.config.listeners[0].max_uri = {100};
  site.apply();
  EXPECT_EQ(site.ask(*client, get("/bytes/1?" + std::string(500, 'q'))).status, 414);
}

TEST_F(Reload, ABackendThatStaysKeepsItsConnections) {
  EXPECT_EQ(site.ask(get("/bytes/1")).status, 200);
  for (int i = 0; i < 5; ++i) {
    site.config.pools[0].response_timeout = Duration(20'000 + i);
    site.apply();
    EXPECT_EQ(site.ask(get("/bytes/1")).status, 200);
  }
  EXPECT_EQ(first->connections(), 1u);
}

TEST_F(Reload, ABadCertificateChangesNothing) {
  config::Config broken = site.config;
  broken.routes.clear();
  broken.listeners[0].certificates = {{"chain", "key", ""}};
  l7::TlsFiles files;
  files.put("chain", {"no certificate"});
  files.put("key", {"no key"});
  const auto refused = site.worker->set_config(broken, files);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("\"web\""), std::string::npos) << refused.error().message;
  EXPECT_EQ(site.ask(get("/bytes/1")).status, 200);
}

// An answer of our own after reloads that removed the backend of the connection's last exchange: the log must
// not ask it.
TEST_F(Reload, TheLogOfARefusalNamesNoBackendOfAnEarlierExchange) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Fd reading(ends[0]);
  site.worker->set_access_log(Fd(ends[1]));
  site.config.listeners[0].max_body = {10};
  site.apply();
  const auto client = site.connect();
  EXPECT_EQ(site.ask(*client, get("/bytes/1")).status, 200);
  site.config.pools.erase(site.config.pools.begin());
  site.config.routes[0].pool = "second";
  site.config.routes[0].path_prefix = "/here";
  site.apply();
  EXPECT_EQ(site.ask(*client, get("/nowhere")).status, 404);
  site.apply();
  EXPECT_EQ(site.ask(*client, post("/here", "much too long")).status, 413);
  site.loop.turn(Duration(0));
  std::string lines(8'192, '\0');
  lines.resize(
      static_cast<std::size_t>(std::max<ssize_t>(read(reading.get(), lines.data(), lines.size()), 0)));
  const std::size_t last = lines.rfind('\n', lines.size() - 2) + 1;
  const auto line = parse_json(lines.substr(last));
  EXPECT_EQ(line.value("status", 0), 413) << lines;
  EXPECT_EQ(line.value("backend", "?"), "") << lines;
}

TEST_F(Reload, ARemovedListenerAcceptsNoMoreAndItsConnectionsGoOn) {
  const auto client = site.connect();
  EXPECT_EQ(site.ask(*client, get("/bytes/1")).status, 200);
  const auto waiting = site.connect();  // in the accept queue: it was let in
  waiting->send(get("/bytes/2"));
  site.worker->set_listeners({});
  EXPECT_EQ(site.next_reply(*waiting).body.size(), 2u);
  const auto late = site.connect();
  EXPECT_TRUE(site.until([&] { return late->is_ended(); }));
  site.config.listeners.clear();
  site.apply();
  EXPECT_EQ(site.ask(*client, get("/bytes/3")).body.size(), 3u);
}

TEST_F(Reload, ListenersThatStayKeepTheirSocket) {
  Endpoint another;
  std::vector<l7::ListenerSocket> sockets;
  sockets.push_back({"web", "web", listen_on_loopback(another)});  // known already: this one is closed
  site.worker->set_listeners(std::move(sockets));
  EXPECT_EQ(site.ask(get("/bytes/1")).status, 200);
  RawSocket client(site.loop, another);
  EXPECT_TRUE(site.until([&] { return client.is_ended(); }));
}

}  // namespace
}  // namespace gatehouse::test
