// What a route does with a request, through a worker: answers, other paths and hosts for the backend, other fields.
#include <gtest/gtest.h>

#include "tests/l7/support/h2_site.h"
#include "tests/l7/support/loopback_worker.h"

namespace gatehouse::test {
namespace {

// A worker whose only route a test changes; what the backend got.
struct Site : LoopbackWorker {
  Site() {
    add_raw_server([this](RawSocket& backend) {
      request_bytes = backend.received();
      if (!request_bytes.ends_with("\r\n\r\n")) return;
      backend.send("HTTP/1.1 200 OK\r\nServer: s\r\nX-Old: 1\r\nContent-Length: 2\r\n\r\nok");
    });
  }
  config::Route& route() { return config.routes[0]; }
  config::Redirect& redirect() {
    route().pool.clear();
    return route().redirect.emplace();
  }
  std::string location(const std::string& target, const std::string& host = "a.example:8080") {
    apply();
    const Reply reply = ask("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return std::to_string(reply.status) + " " + reply.field("Location");
  }
  HttpHead seen(const std::string& request) {
    apply();
    EXPECT_EQ(ask(request).status, 200);
    HttpHead head;
    EXPECT_EQ(head.parse(request_bytes), HeadState::kDone) << request_bytes;
    return head;
  }
  std::string request_bytes;
};

TEST(RouteActions, ARedirectSaysTheRequestAgainButForWhatIsNamed) {
  struct Row {
    config::Redirect redirect;
    const char* target;
    const char* answer;
  };
  const Row rows[] = {
      {{301, "", "https"}, "/x?y=1", "301 https://a.example/x?y=1"},
      {{302, "", "http"}, "/x", "302 http://a.example:8080/x"},
      {{303, "", "", "b.example:81"}, "/x?", "303 http://b.example:81/x?"},
      {{307, "", "", "", "/new"}, "/old?q", "307 http://a.example:8080/new?q"},
      {{308, "", "", "", "", "", "z=1"}, "/x?y", "308 http://a.example:8080/x?z=1"},
      {{302, "", "", "", "", "", ""}, "/x?y", "302 http://a.example:8080/x"},
      {{302, "", "https"}, "//evil.example/", "302 https://a.example//evil.example/"},
      {{302, "https://www.{host}{path}{query}"}, "/x?y", "302 https://www.a.example/x?y"},
      {{302, "https://{host}/login?from={path}"}, "/x?y", "302 https://a.example/login?from=/x"},
      {{302, "{scheme}://b.example/{{"}, "/x", "302 http://b.example/{"},
  };
  for (const Row& row : rows) {
    Site site;
    site.redirect() = row.redirect;
    site.config.listeners[0].paths.double_slashes = "keep";
    EXPECT_EQ(site.location(row.target), row.answer);
  }
}

TEST(RouteActions, VariablesOfThePathAreKnownToEverythingThatIsWritten) {
  Site site;
  site.route().path_template = "/users/{id}/files/{file...}";
  site.route().rewrite = config::Rewrite{.path = "/v2/{path.file}"};
  site.route().request_headers.set = {{"X-User", "<{path.id}>"}};
  const HttpHead head = site.seen("GET /users/%61%20b/files/x/y.txt?z=1 HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_TRUE(site.request_bytes.starts_with("GET /v2/x/y.txt?z=1 HTTP/1.1\r\n")) << site.request_bytes;
  EXPECT_EQ(head.field("x-user"), "<a%20b>");
  site.route().rewrite.reset();
  site.route().request_headers = {};
  site.redirect().target = "https://{host}/{path.id}{query}";
  EXPECT_EQ(site.location("/users/7/files/x?q"), "302 https://a.example/7?q");
}

TEST(RouteActions, ARedirectMayPutAnotherPrefixInPlaceOfTheRoutes) {
  for (const auto& [with, asked, answer] : {std::tuple("/new", "/old/x?y", "/new/x?y"), std::tuple("/new/", "/old", "/new"),
                                            std::tuple("/", "/old/x", "/x"), std::tuple("/", "/old", "/")}) {
    Site site;
    site.route().path_prefix = "/old";
    site.redirect().replace_prefix = with;
    EXPECT_EQ(site.location(asked), std::string("302 http://a.example:8080") + answer);
  }
}

TEST(RouteActions, ARedirectWithoutAnyHostIsRefused) {
  Site site;
  site.redirect().scheme = "https";
  site.apply();
  EXPECT_EQ(site.ask("GET / HTTP/1.0\r\n\r\n").status, 400);
}

TEST(RouteActions, AResponseIsTheConfigsAndTheConnectionGoesOn) {
  Site site;
  site.route().pool.clear();
  site.route().response = config::DirectResponse{
      200, {{"Content-Type", "application/json"}, {"X-Path", "{path}{query}"}, {"X-Client", "{client_address}"}}, "{\"a\":1}"};
  site.apply();
  const auto client = site.connect();
  for (int i = 0; i < 2; ++i) {
    const Reply reply = site.ask(*client, get("/x?y"));
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "{\"a\":1}");
    EXPECT_EQ(reply.field("Content-Type"), "application/json");
    EXPECT_EQ(reply.field("X-Path"), "/x?y");
    EXPECT_EQ(reply.field("X-Client"), "127.0.0.1");
    EXPECT_EQ(reply.field("Content-Length"), "7");
    EXPECT_EQ(reply.field("X-Request-ID").size(), 32u);
  }
  EXPECT_EQ(site.ask(*client, "HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n").field("Content-Length"), "7");
}

TEST(RouteActions, AResponseMayBeLongerThanAnyBuffer) {
  Site site;
  site.route().pool.clear();
  site.route().response = config::DirectResponse{200, {}, std::string(1'000'000, 'x')};
  site.apply();
  const auto client = site.connect(4096);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(site.ask(*client, get("/")).body.size(), 1'000'000u);
  const auto gone = site.connect(4096);
  gone->send(get("/"));
  EXPECT_TRUE(site.until([&] { return !gone->received().empty(); }));
  gone->close();
  EXPECT_EQ(site.ask(get("/")).status, 200);
}

TEST(RouteActions, AResponseMayHaveNoBody) {
  for (const std::uint16_t status : {204, 403}) {
    Site site;
    site.route().pool.clear();
    site.route().response = config::DirectResponse{status, {}, ""};
    site.apply();
    const auto client = site.connect();
    const Reply reply = site.ask(*client, get("/"));
    EXPECT_EQ(reply.status, status);
    EXPECT_FALSE(reply.has_field("Content-Type"));
    EXPECT_EQ(reply.field("Content-Length"), status == 204 ? "" : "0");
    EXPECT_EQ(site.ask(*client, get("/")).status, status);
  }
}

TEST(RouteActions, ABodyThatWasNotWantedEndsTheConnectionWithTheAnswer) {
  Site site;
  site.redirect().path = "/new";
  site.apply();
  const auto client = site.connect();
  const Reply reply = site.ask(*client, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\nbeginning");
  EXPECT_EQ(reply.status, 302);
  EXPECT_EQ(reply.field("Connection"), "close");
}

TEST(RouteActions, TheBackendIsAskedForWhatTheRewriteSays) {
  struct Row {
    config::Rewrite rewrite;
    const char* asked;
    const char* target;
  };
  const Row rows[] = {
      {{"", "/whole"}, "/api/x?y=1", "/whole?y=1"},  {{"", "", "/v2"}, "/api/x?y=1", "/v2/x?y=1"},
      {{"", "", "/v2/"}, "/api", "/v2"},             {{"", "", "", true}, "/api/x", "/x"},
      {{"", "", "", true}, "/api?y", "/?y"},         {{"", "", "", true}, "/api/", "/"},
      {{"", "", "/very/much/longer/than/before"}, "/api/x", "/very/much/longer/than/before/x"},
  };
  for (const Row& row : rows) {
    Site site;
    site.route().path_prefix = "/api";
    site.route().rewrite = row.rewrite;
    EXPECT_EQ(site.seen(get(row.asked)).words[1], row.target);
  }
}

TEST(RouteActions, ARewrittenHostIsWhatTheBackendGetsAndTheClientsIsTold) {
  Site site;
  site.route().rewrite = config::Rewrite{"inner.example:81"};
  const HttpHead head = site.seen(get("/"));
  EXPECT_EQ(head.field("Host"), "inner.example:81");
  EXPECT_EQ(head.field("X-Forwarded-Host"), "a.example");
  EXPECT_EQ(head.field("Forwarded"), "for=127.0.0.1;proto=http;host=\"a.example\"");
}

TEST(RouteActions, FieldsOfTheRequestAreSetAddedAndRemoved) {
  Site site;
  site.route().request_headers = {{{"X-Route", "{route}"}, {"X-Id", "{request_id}"}, {"X-Url", "{scheme}://{host}{path}{query}"}},
                                  {{"X-More", "2"}},
                                  {"x-secret"}};
  const HttpHead head = site.seen(get("/p?q", "X-Route: forged\r\nx-route: again\r\nX-More: 1\r\nX-Secret: 1\r\nX-Secret: 2\r\n"));
  std::vector<std::string> more, routes;
  for (const auto& [name, value] : head.fields) {
    if (equal_ignoring_case(name, "x-more")) more.emplace_back(value);
    if (equal_ignoring_case(name, "x-route")) routes.emplace_back(value);
    EXPECT_FALSE(equal_ignoring_case(name, "x-secret"));
  }
  EXPECT_EQ(routes, (std::vector<std::string>{"all"}));
  EXPECT_EQ(more, (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(head.field("X-Id"), head.field("X-Request-ID"));
  EXPECT_EQ(head.field("X-Url"), "http://a.example/p?q");
}

TEST(RouteActions, AClientCannotNameAwayWhatTheRouteSets) {
  Site site;
  site.route().request_headers.set = {{"X-Tenant", "one"}};
  EXPECT_EQ(site.seen(get("/", "Connection: X-Tenant\r\nX-Tenant: two\r\n")).field("X-Tenant"), "one");
}

TEST(RouteActions, FieldsOfTheResponseAreSetAddedAndRemovedOnOurOwnAnswersToo) {
  Site site;
  site.route().response_headers = {{{"X-Old", "2"}}, {{"X-Frame-Options", "DENY"}}, {"Server"}};
  site.apply();
  const Reply reply = site.ask(get("/"));
  EXPECT_EQ(reply.body, "ok");
  EXPECT_EQ(reply.field("X-Old"), "2");
  EXPECT_EQ(reply.head.find("X-Old: 1"), std::string::npos);
  EXPECT_EQ(reply.field("X-Frame-Options"), "DENY");
  EXPECT_FALSE(reply.has_field("Server"));
  site.config.pools[0].backends.clear();
  site.apply();
  const Reply own = site.ask(get("/"));
  EXPECT_EQ(own.status, 503);
  EXPECT_EQ(own.field("X-Frame-Options"), "DENY");
}

TEST(RouteActions, ManyFieldsFitBesideALargeHead) {
  Site site;
  for (int i = 0; i < 40; ++i) site.route().request_headers.add.push_back({"X-Field-" + std::to_string(i), std::string(200, 'v')});
  EXPECT_EQ(site.seen(get("/", "X-Large: " + std::string(12'000, 'x') + "\r\n")).field("X-Field-39"), std::string(200, 'v'));
}

TEST(RouteActions, TheTrueClientBehindATrustedProxyDecides) {
  Site site;
  site.config.listeners[0].trusted_proxies = {*IpPrefix::parse("127.0.0.1"), *IpPrefix::parse("10.0.0.0/8")};
  site.route().clients = {*IpPrefix::parse("203.0.113.0/24")};
  site.apply();
  EXPECT_EQ(site.ask(get("/", "X-Forwarded-For: 198.51.100.1, 203.0.113.7, 10.0.0.2\r\n")).status, 200);
  EXPECT_EQ(site.ask(get("/", "X-Forwarded-For: 203.0.113.7, 198.51.100.1\r\n")).status, 404);
  EXPECT_EQ(site.ask(get("/")).status, 404);
}

// The same over HTTP/2, on either side.
class RouteActionsH2 : public testing::Test {
 protected:
  RouteActionsH2()
      : server(site.loop, [this](H2Peer& peer, std::int32_t id) {
          if (!peer.message(id).is_ended || peer.message(id).is_closed) return;
          request = peer.message(id);
          peer.respond(id, {{":status", "200"}, {"server", "s"}}, "ok");
        }) {
    site.config.pools[0].protocol = "h2";
    site.config.pools[0].backends.push_back({server.address()});
  }
  config::Route& route() { return site.config.routes[0]; }

  H2Message request;
  H2Site site;
  H2Server server;
};

TEST_F(RouteActionsH2, ClientsGetRedirectsAndResponses) {
  route().pool.clear();
  route().redirect = config::Redirect{308, "https://b.example{path}{query}"};
  site.apply();
  const auto client = site.connect_h2();
  const H2Message& moved = site.ended(*client, client->get("/x?y"));
  EXPECT_EQ(moved.status(), 308);
  EXPECT_EQ(moved.field("location"), "https://b.example/x?y");
  route().redirect.reset();
  route().response = config::DirectResponse{418, {{"X-Kind", "teapot"}}, "short"};
  site.apply();
  const auto other = site.connect_h2();
  const H2Message& fixed = site.ended(*other, other->get("/"));
  EXPECT_EQ(fixed.status(), 418);
  EXPECT_EQ(fixed.field("x-kind"), "teapot");
  EXPECT_EQ(fixed.body, "short");
}

TEST_F(RouteActionsH2, BackendsGetRewrittenRequestsAndClientsChangedFields) {
  route().path_prefix = "/api";
  route().rewrite = config::Rewrite{"inner.example", "", "/v2"};
  route().request_headers = {{{"X-Route", "{route}"}}, {}, {"x-secret"}};
  route().response_headers = {{}, {{"X-Added", "1"}}, {"Server"}};
  site.apply();
  const auto client = site.connect_h2();
  const H2Message& answer = site.ended(*client, client->get("/api/x?y"));
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.field("x-added"), "1");
  EXPECT_EQ(answer.field("server"), "");
  EXPECT_EQ(request.field(":path"), "/v2/x?y");
  EXPECT_EQ(request.field(":authority"), "inner.example");
  EXPECT_EQ(request.field("x-forwarded-host"), "a.example");
  EXPECT_EQ(request.field("x-route"), "all");
  const Reply reply = site.ask(get("/api", "X-Secret: 1\r\n"));
  EXPECT_EQ(reply.field("X-Added"), "1");
  EXPECT_EQ(request.field(":path"), "/v2");
  EXPECT_EQ(request.field("x-secret"), "");
}

}  // namespace
}  // namespace gatehouse::test
