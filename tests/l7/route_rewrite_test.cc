// Paths that are rewritten by regular expression, variables from one, queries that change: what the backend
// is asked for.
#include <gtest/gtest.h>

#include "tests/l7/support/loopback_worker.h"

namespace gatehouse::test {
namespace {

// What the backend got when the only route is changed so.
struct Site : LoopbackWorker {
  Site() {
    add_raw_server([this](RawSocket& backend) {
      if (!backend.received().ends_with("\r\n\r\n")) return;
      bytes = std::exchange(backend.received(), {});
      backend.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    config.listeners[0].paths.double_slashes = "keep";
  }
  config::Route& route() { return config.routes[0]; }
  HttpHead seen(const std::string& target) {
    apply();
    EXPECT_EQ(ask(get(target)).status, 200) << target;
    HttpHead head;
    EXPECT_EQ(head.parse(bytes), HeadState::kDone) << bytes;
    return head;
  }
  std::string target(const std::string& asked) { return std::string(seen(asked).words[1]); }
  std::string bytes;
};

config::Rewrite substitute(const char* regex, const char* substitution) {
  config::Rewrite rewrite;
  rewrite.regex = regex;
  rewrite.substitution = substitution;
  return rewrite;
}

TEST(RouteRewrite, GroupsOfARegexMakeTheNewPath) {
  struct Row {
    config::Rewrite rewrite;
    const char* asked;
    const char* target;
  };
  const Row rows[] = {
      {substitute("/([a-z]+)/([0-9]+)", "/\\2/\\1"), "/items/7?x=1", "/7/items?x=1"},
      {substitute("/([a-z]+)/([0-9]+)", "/\\2/\\1"), "/items/7/8", "/items/7/8"},
      {substitute("/a(/.*)?", "/b\\1"), "/a", "/b"},
      {substitute("/a(/.*)?", "/b\\1"), "/a/x", "/b/x"},
      {substitute("/a(.*)", "/\\1"), "/a//evil.example", "/evil.example"},
      {substitute("/.*", "/copy\\0"), "/x", "/copy/x"},
  };
  for (const Row& row : rows) {
    Site site;
    site.route().rewrite = row.rewrite;
    EXPECT_EQ(site.target(row.asked), row.target);
  }
}

TEST(RouteRewrite, NamedGroupsOfTheRoutesOwnRegexAreVariables) {
  Site site;
  site.route().path_regex = "/shop/(?P<kind>[a-z]+)-(?P<id>[0-9]+)(?P<rest>/.*)?";
  site.route().rewrite = config::Rewrite{.path = "/{path.kind}/{path.id}"};
  site.route().request_headers.set = {{"X-Item", "{path.id}{path.rest}"}};
  const HttpHead head = site.seen("/shop/book-42/reviews");
  EXPECT_EQ(head.words[1], "/book/42");
  EXPECT_EQ(head.field("X-Item"), "42/reviews");
  EXPECT_EQ(site.seen("/shop/book-7").field("X-Item"), "7");
  site.route().rewrite.reset();
  site.route().request_headers = {};
  site.route().pool.clear();
  site.route().redirect = config::Redirect{302, "https://{host}/{path.kind}?id={path.id}"};
  site.apply();
  EXPECT_EQ(site.ask(get("/shop/book-7")).field("Location"), "https://a.example/book?id=7");
}

TEST(RouteRewrite, PrefixAndVariablesAreThoseOfTheMatchThatTookTheRequest) {
  Site site;
  config::RouteMatch old, older;
  old.path_prefix = "/old";
  older.path_prefix = "/much/older/";
  site.route().matches = {old, older};
  site.route().rewrite = config::Rewrite{.replace_prefix = "/new"};
  EXPECT_EQ(site.target("/old/x"), "/new/x");
  EXPECT_EQ(site.target("/much/older/x"), "/new/x");
  config::RouteMatch user, group;
  user.path_template = "/users/{id}";
  group.path_regex = "/groups/.*/(?P<id>[0-9]+)";
  site.route().matches = {user, group};
  site.route().rewrite = config::Rewrite{.path = "/id/{path.id}"};
  EXPECT_EQ(site.target("/users/7"), "/id/7");
  EXPECT_EQ(site.target("/groups/a/b/8"), "/id/8");
}

TEST(RouteRewrite, ParametersAreSetAddedAndRemovedAndTheOthersStayAsTheyAre) {
  struct Row {
    config::QueryChanges changes;
    const char* asked;
    const char* target;
  };
  const Row rows[] = {
      {{{{"v", "2"}}, {}, {}}, "/", "/?v=2"},
      {{{{"v", "2"}}, {}, {}}, "/?v=1&a=%62&v=3", "/?a=%62&v=2"},
      {{{}, {{"v", "2"}}, {}}, "/?v=1", "/?v=1&v=2"},
      {{{}, {}, {"utm_source"}}, "/?utm_source=x", "/"},
      {{{}, {}, {"a b"}}, "/?x&a%20b=1&a+b&y=", "/?x&y="},
      {{{}, {}, {"none"}}, "/?b&&a=1", "/?b&a=1"},
      {{{{"to", "a b&c=d/%"}}, {}, {}}, "/", "/?to=a%20b%26c%3Dd%2F%25"},
      {{{{"q&", "x"}}, {}, {}}, "/?", "/?q%26=x"},
      {{{{"from", "{path}{query}"}}, {}, {}}, "/x%20y?a=1", "/x%20y?a=1&from=%2Fx%2520y%3Fa%3D1"},
  };
  for (const Row& row : rows) {
    Site site;
    site.route().rewrite.emplace().query = row.changes;
    EXPECT_EQ(site.target(row.asked), row.target);
  }
}

TEST(RouteRewrite, AVariableOfThePathIsEncodedOnce) {
  Site site;
  site.route().path_template = "/users/{name}";
  site.route().rewrite = config::Rewrite{.path = "/users"};
  site.route().rewrite->query = config::QueryChanges{{{"name", "{path.name}"}}, {}, {}};
  EXPECT_EQ(site.target("/users/a%20b&c?x"), "/users?x&name=a%20b%26c");
}

TEST(RouteRewrite, ALongQueryFits) {
  Site site;
  site.route().rewrite.emplace().query = config::QueryChanges{{}, {{"long", std::string(20'000, ' ')}}, {}};
  EXPECT_EQ(site.target("/").size(), 7u + 60'000u);
}

}  // namespace
}  // namespace gatehouse::test
