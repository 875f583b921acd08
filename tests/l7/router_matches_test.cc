// Routes with several matches, hosts by regex and many regexes: each match has its own place in the order.
#include <gtest/gtest.h>

#include <random>

#include "l7/router.h"

namespace gatehouse::l7 {
namespace {

using config::Route;
using config::RouteMatch;

RouteMatch path(const char* path) {
  RouteMatch match;
  match.path = path;
  return match;
}
RouteMatch prefix(const char* prefix, std::vector<std::string> methods = {}) {
  RouteMatch match;
  match.path_prefix = prefix;
  match.methods = std::move(methods);
  return match;
}
RouteMatch regex(const char* regex) {
  RouteMatch match;
  match.path_regex = regex;
  return match;
}
Route route(std::vector<RouteMatch> matches) {
  Route route;
  route.matches = std::move(matches);
  return route;
}
Route of_host(const char* host_regex, const char* path_prefix = "") {
  Route route;
  route.host_regexes = {host_regex};
  route.path_prefix = path_prefix;
  return route;
}

using Pair = std::pair<std::size_t, std::size_t>;
Pair find(const Router& router, std::string_view host, std::string_view path,
          std::string_view method = "GET") {
  const Router::Found found = router.find({.host = host, .path = path, .method = method});
  return {found.route, found.match};
}

TEST(RouterMatches, OneOfThemIsEnoughAndTheWinnerIsNamed) {
  const Router router({route({path("/a"), prefix("/b", {"POST"})})});
  EXPECT_EQ(find(router, "h", "/a"), Pair(0, 0));
  EXPECT_EQ(find(router, "h", "/b/x", "POST"), Pair(0, 1));
  EXPECT_EQ(find(router, "h", "/b/x").first, Router::kNoRoute) << "all of a match must hold";
  EXPECT_EQ(find(router, "h", "/a", "POST"), Pair(0, 0)) << "conditions are their match's alone";
}

TEST(RouterMatches, EachHasItsOwnPlaceInTheOrder) {
  // The first route has the most specific match for /a, the second the one for /b/c.
  const Router router({route({path("/a"), prefix("/b")}), route({prefix("/a"), prefix("/b/c")})});
  EXPECT_EQ(find(router, "h", "/a"), Pair(0, 0));
  EXPECT_EQ(find(router, "h", "/a/x"), Pair(1, 0));
  EXPECT_EQ(find(router, "h", "/b"), Pair(0, 1));
  EXPECT_EQ(find(router, "h", "/b/c/d"), Pair(1, 1));
}

TEST(RouterMatches, TiesGoToTheFirstRouteAndItsFirstMatch) {
  const Router router(
      {route({prefix("/a", {"GET"}), prefix("/a", {"GET", "PUT"})}), route({prefix("/a", {"GET"})})});
  EXPECT_EQ(find(router, "h", "/a"), Pair(0, 0));
  EXPECT_EQ(find(router, "h", "/a", "PUT"), Pair(0, 1));
}

TEST(RouterMatches, ExplainSaysWhichMatchTakesTheRequest) {
  const Router router({route({path("/a"), prefix("/b")})});
  const auto reasons = router.explain({.host = "h", .path = "/b/x"});
  ASSERT_EQ(reasons.size(), 2u);
  EXPECT_EQ(reasons[0].match, 0u);
  EXPECT_EQ(reasons[0].why, "path \"/b/x\" is not /a");
  EXPECT_EQ(reasons[1].match, 1u);
  EXPECT_TRUE(reasons[1].is_match);
  EXPECT_EQ(reasons[1].why, "any host, path prefix /b");
}

TEST(RouterHosts, ARegexTakesTheWholeHostInAnyCaseAfterNamesAndBeforeAnyHost) {
  Route any, name, suffix;
  name.hosts = {"shop-1.example"};
  suffix.hosts = {"*.a.example"};
  const Router router({any, of_host("SHOP-[0-9]+\\.example|.*\\.a\\.example"), suffix, name});
  EXPECT_EQ(router.match("shop-1.example", "/"), 3u);
  EXPECT_EQ(router.match("Shop-2.Example.", "/"), 1u);
  EXPECT_EQ(router.match("shop-2.example.net", "/"), 0u);
  EXPECT_EQ(router.match("x.a.example", "/"), 2u);
  const Router whatever({of_host(".*")});
  for (const std::string& none : {std::string(), std::string(256, 'a')}) {
    EXPECT_EQ(whatever.match(none, "/"), Router::kNoRoute);
    EXPECT_FALSE(whatever.explain(none, "/")[0].is_match);
  }
  EXPECT_EQ(whatever.match("a", "/"), 0u);
}

TEST(RouterHosts, OfSeveralExpressionsThatTakeAHostTheMoreSpecificPathWins) {
  std::vector<Route> routes = {of_host("a.*"), of_host(".*z", "/x"), of_host(".*z", "/x/y")};
  for (int i = 0; i < 20; ++i) routes.push_back(of_host(("other-" + std::to_string(i)).c_str()));
  const Router router(routes);
  EXPECT_EQ(router.match("az", "/"), 0u);
  EXPECT_EQ(router.match("az", "/x"), 1u);
  EXPECT_EQ(router.match("az", "/x/y"), 2u);
  EXPECT_EQ(router.match("other-7", "/x"), 10u);
  EXPECT_EQ(router.explain("other-7", "/x")[0].why, "host \"other-7\" does not match .*z");
}

TEST(RouterRegexes, ThousandOfAHostAreOrderedAsOneWouldBe) {
  std::vector<Route> routes(1'000);
  for (std::size_t i = 0; i < routes.size(); ++i) routes[i].path_regex = "/r" + std::to_string(i) + "/[0-9]+";
  routes[7].path_regex = "/r[0-9]+/[0-9]+";  // longer than all others
  routes[8].path_regex = "/r.*/x?[0-9]+";
  routes[8].methods = {"PUT"};
  const Router router(routes);
  EXPECT_EQ(router.match("h", "/r999/1"), 7u);
  EXPECT_EQ(router.match("h", "/r999/x1"), Router::kNoRoute);
  EXPECT_EQ(find(router, "h", "/r999/x1", "PUT"), Pair(8, 0));
}

// Few words, so that matches and requests often meet.
TEST(RouterMatches, TheIndexFindsWhatAWalkThroughAllMatchesFinds) {
  std::mt19937 random(6);
  const auto one_of = [&random](const std::vector<const char*>& words) {
    return words[random() % words.size()];
  };
  for (int round = 0; round < 500; ++round) {
    std::vector<Route> routes(1 + random() % 6);
    for (Route& made : routes) {
      if (random() % 2) made.hosts = {one_of({"a.b", "*.b", "b"})};
      if (random() % 2) made.host_regexes = {one_of({".*b", "a.*", "[ab]", "c?.b"})};
      for (std::size_t i = 0; i < 1 + random() % 3; ++i) {
        const RouteMatch kinds[] = {path(one_of({"/", "/a", "/a/b"})),
                                    prefix(one_of({"/", "/a", "/a/b"}), {one_of({"GET", "PUT"})}),
                                    regex(one_of({"/a.*", "/.", ".*b", ".*", "/[ab]"}))};
        made.matches.push_back(kinds[random() % 3]);
      }
      made.priority = random() % 4 ? 0 : 1;
    }
    const Router router(routes);
    for (int i = 0; i < 20; ++i) {
      const RouteAsk ask{one_of({"a.b", "b", "x.b", "A.b.", "c"}), one_of({"/", "/a", "/a/b", "/ab"}),
                         one_of({"GET", "PUT"})};
      Router::Found first;
      for (const Router::Reason& reason : router.explain(ask)) {
        const bool takes = reason.is_match || reason.why.starts_with("would match");
        if (takes && first.route == Router::kNoRoute) first = {reason.route, reason.match};
      }
      const Router::Found found = router.find(ask);
      ASSERT_EQ(Pair(found.route, found.match), Pair(first.route, first.match)) << ask.host << ask.path;
    }
  }
}

}  // namespace
}  // namespace gatehouse::l7
