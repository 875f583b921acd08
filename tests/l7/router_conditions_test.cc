// What a route may ask for beyond host and path, what of it goes first, and that the index finds what a walk through all
// routes would.
#include <gtest/gtest.h>

#include <random>

#include "l7/router.h"
#include "l7/true_client.h"

namespace gatehouse::l7 {
namespace {

using config::Route;
using config::ValueMatch;

constexpr std::size_t kNone = Router::kNoRoute;

ValueMatch value(const char* name) {
  ValueMatch match;
  match.name = name;
  return match;
}
ValueMatch exact(const char* name, const char* text) {
  ValueMatch match = value(name);
  match.exact = text;
  return match;
}
template <typename Member>
ValueMatch with(const char* name, Member ValueMatch::* member, Member text) {
  ValueMatch match = value(name);
  match.*member = text;
  return match;
}

struct Request {
  std::string_view path = "/";
  std::string_view method = "GET";
  std::string_view query;
  std::vector<http::Field> fields;
  const char* client = "192.0.2.1";
};

std::size_t match(const std::vector<Route>& routes, const Request& request) {
  http::Fields fields;
  for (const http::Field& field : request.fields) fields.add(field);
  return Router(routes).match(RouteAsk{"a.example", request.path, request.method, request.query, &fields, *IpAddress::parse(request.client)});
}

TEST(RouterConditions, MethodsAreComparedAsTheyAre) {
  Route post;
  post.methods = {"POST", "PUT"};
  EXPECT_EQ(match({post}, {"/", "PUT"}), 0u);
  EXPECT_EQ(match({post}, {"/", "GET"}), kNone);
  EXPECT_EQ(match({post}, {"/", "post"}), kNone);
}

TEST(RouterConditions, EveryKindLooksAtTheValueInItsWay) {
  struct Row {
    ValueMatch condition;
    const char* takes;
    const char* refuses;
  };
  const Row rows[] = {
      {exact("X-Api", "v2"), "v2", "v22"},
      {with<std::string>("x-api", &ValueMatch::prefix, "v2"), "v22", "v1"},
      {with<std::string>("X-API", &ValueMatch::suffix, "2"), "v2", "v20"},
      {with<std::string>("X-Api", &ValueMatch::contains, "b"), "abc", "ac"},
      {with<std::string>("X-Api", &ValueMatch::regex, "v[0-9]+"), "v20", "v20x"},
      {with<std::string>("X-Api", &ValueMatch::range, "200-299"), "200", "300"},
      {with<std::string>("X-Api", &ValueMatch::range, "200-299"), "299", "2e2"},
      {with<std::string>("X-Api", &ValueMatch::range, "7-"), "9223372036854775807", "9223372036854775808"},
      {with<std::string>("X-Api", &ValueMatch::range, "-7"), "-12", ""},
      {with<std::string>("X-Api", &ValueMatch::range, "5-5"), "05", "5 "},
      {with("X-Api", &ValueMatch::present, true), "", nullptr},
      {with("X-Api", &ValueMatch::absent, true), nullptr, ""},
  };
  for (const Row& row : rows) {
    Route route;
    route.headers = {row.condition};
    const auto fields = [](const char* text) { return text ? std::vector<http::Field>{{"x-Api", text}} : std::vector<http::Field>{}; };
    EXPECT_EQ(match({route}, {"/", "GET", "", fields(row.takes)}), 0u) << (row.takes ? row.takes : "none");
    EXPECT_EQ(match({route}, {"/", "GET", "", fields(row.refuses)}), kNone) << (row.refuses ? row.refuses : "none");
  }
}

TEST(RouterConditions, OneOfSeveralFieldsIsEnoughAndAllConditionsMustHold) {
  Route route;
  route.headers = {exact("A", "1"), exact("B", "2")};
  EXPECT_EQ(match({route}, {"/", "GET", "", {{"A", "0"}, {"b", "2"}, {"a", "1"}}}), 0u);
  EXPECT_EQ(match({route}, {"/", "GET", "", {{"A", "1"}}}), kNone);
}

TEST(RouterConditions, CookiesAreFoundAmongOthersInOneFieldOrSeveral) {
  Route route;
  route.cookies = {exact("canary", "1")};
  EXPECT_EQ(match({route}, {"/", "GET", "", {{"Cookie", "a=b; canary=1;c=d"}}}), 0u);
  EXPECT_EQ(match({route}, {"/", "GET", "", {{"cookie", "a=b"}, {"cookie", "canary=1"}}}), 0u);
  for (const char* other : {"xcanary=1", "canary=10", "canary", "a=canary=1", "Canary=1"}) {
    EXPECT_EQ(match({route}, {"/", "GET", "", {{"Cookie", other}}}), kNone) << other;
  }
}

TEST(RouterConditions, QueryParametersAreDecoded) {
  Route route;
  route.query = {exact("a b", "x&y")};
  EXPECT_EQ(match({route}, {"/", "GET", "z=1&a%20b=x%26y"}), 0u);
  EXPECT_EQ(match({route}, {"/", "GET", "a+b=x%26y&"}), 0u);
  EXPECT_EQ(match({route}, {"/", "GET", "a b=x%y"}), kNone);
  EXPECT_EQ(match({route}, {"/", "GET", ""}), kNone);
  Route bare;
  bare.query = {with("debug", &ValueMatch::present, true)};
  EXPECT_EQ(match({bare}, {"/", "GET", "debug"}), 0u);
  EXPECT_EQ(match({bare}, {"/", "GET", "debugger"}), kNone);
  EXPECT_EQ(decode_parameter("%4a%4A%zz%1+%"), "JJ%zz%1 %");
}

TEST(RouterConditions, ClientsAreMatchedByPrefix) {
  Route inside;
  inside.clients = {*IpPrefix::parse("10.0.0.0/8"), *IpPrefix::parse("2001:db8::/32")};
  EXPECT_EQ(match({inside}, {"/", "GET", "", {}, "10.9.8.7"}), 0u);
  EXPECT_EQ(match({inside}, {"/", "GET", "", {}, "2001:db8::7"}), 0u);
  EXPECT_EQ(match({inside}, {"/", "GET", "", {}, "11.0.0.1"}), kNone);
}

TEST(RouterConditions, APathRegexTakesTheWholePathAndComesBetweenExactAndPrefix) {
  Route regex, prefix, whole;
  regex.path_regex = "/users/[0-9]+";
  prefix.path_prefix = "/users";
  whole.path = "/users/7";
  const std::vector<Route> routes = {prefix, regex, whole};
  EXPECT_EQ(match(routes, {"/users/7"}), 2u);
  EXPECT_EQ(match(routes, {"/users/8"}), 1u);
  EXPECT_EQ(match(routes, {"/users/8/"}), 0u);
}

TEST(RouterConditions, MediaTypesAreThoseThatAcceptNames) {
  Route second, first;
  second.accept = {"application/vnd.api+json;version=2", "text/csv"};
  first.path_prefix = "/";
  const std::vector<Route> routes = {first, second};
  EXPECT_EQ(match(routes, {"/", "GET", "", {{"accept", "text/html, application/vnd.api+json; version=2"}}}), 1u);
  EXPECT_EQ(match(routes, {"/", "GET", "", {{"Accept", "text/html"}, {"Accept", "text/csv;q=0.1"}}}), 1u);
  EXPECT_EQ(match(routes, {"/", "GET", "", {{"Accept", "application/vnd.api+json;version=1, */*"}}}), 0u);
  EXPECT_EQ(match(routes, {"/"}), 0u);
}

TEST(RouterConditions, GrpcServicesAndMethodsArePathsOfGrpcRequests) {
  Route service, get, rest;
  service.grpc = config::GrpcMatch{"shop.v1.Orders"};
  get.grpc = config::GrpcMatch{"shop.v1.Orders", "Get"};
  const std::vector<Route> routes = {rest, service, get};
  const std::vector<http::Field> grpc = {{"content-type", "application/grpc+proto"}};
  EXPECT_EQ(match(routes, {"/shop.v1.Orders/Get", "POST", "", grpc}), 2u);
  EXPECT_EQ(match(routes, {"/shop.v1.Orders/Put", "POST", "", grpc}), 1u);
  EXPECT_EQ(match(routes, {"/shop.v1.OrdersOld/Get", "POST", "", grpc}), 0u);
  EXPECT_EQ(match(routes, {"/shop.v1.Orders/Get", "POST", "", {{"content-type", "application/json"}}}), 0u);
}

TEST(RouterConditions, TlsIsLookedAtWhereARouteAsks) {
  Route modern, named, ops, rest;
  modern.tls = config::TlsMatch{{"1.3"}, {"a.example"}};
  named.tls = config::TlsMatch{{}, {"*.shop.example"}};
  ops.tls = config::TlsMatch{{}, {}, "CN=ops(,.*)?"};
  const Router router({ops, modern, named, rest});
  EXPECT_TRUE(router.looks_at_tls());
  EXPECT_FALSE(Router({rest}).looks_at_tls());
  const auto match = [&router](TlsFacts facts) { return router.match({.host = "h", .path = "/", .tls = facts}); };
  EXPECT_EQ(match({"TLSv1.3", "A.example", ""}), 1u);
  EXPECT_EQ(match({"TLSv1.2", "a.example", ""}), 3u);
  EXPECT_EQ(match({"TLSv1.2", "x.Shop.example", ""}), 2u);
  EXPECT_EQ(match({"TLSv1.2", "shop.example", ""}), 3u);
  EXPECT_EQ(match({"TLSv1.2", "", "CN=ops,O=Example"}), 0u);
  EXPECT_EQ(match({"TLSv1.2", "", "CN=opsx"}), 3u);
  EXPECT_EQ(match({}), 3u) << "in the clear";
  const auto reasons = router.explain({.host = "h", .path = "/", .tls = {"TLSv1.2", "", ""}});
  EXPECT_EQ(reasons[0].why, "no verified client certificate has its client_subject");
  EXPECT_EQ(reasons[1].why, "the TLS version is none of its versions");
  EXPECT_EQ(reasons[2].why, "the server name that the client asked for is none of its sni");
}

TEST(RouterConditions, APathTemplateComesBetweenExactAndRegex) {
  Route whole, user, me, tail, regex, prefix;
  whole.path = "/users/7";
  user.path_template = "/users/{id}";
  me.path_template = "/users/{id}/photos";
  tail.path_template = "/users/{rest...}";
  regex.path_regex = "/users/.*";
  prefix.path_prefix = "/users";
  const std::vector<Route> routes = {prefix, regex, tail, user, me, whole};
  EXPECT_EQ(match(routes, {"/users/7"}), 5u);
  EXPECT_EQ(match(routes, {"/users/8/photos"}), 4u);
  EXPECT_EQ(match(routes, {"/users/8"}), 2u) << "as many literal bytes: the first in the file";
  EXPECT_EQ(match({user, tail, regex}, {"/users/8"}), 0u);
  EXPECT_EQ(match(routes, {"/users/8/9"}), 2u);
  EXPECT_EQ(match(routes, {"/users/"}), 1u);
  EXPECT_EQ(match(routes, {"/users"}), 0u);
}

TEST(RouterConditions, MoreSpecificOnesGoFirstAndOthersTakeTheRest) {
  Route any, method, header, headers, query, client;
  method.methods = {"GET"};
  header.headers = {exact("A", "1")};
  headers.headers = {exact("A", "1")};
  headers.cookies = {exact("b", "2")};
  query.query = {exact("q", "1")};
  client.clients = {*IpPrefix::parse("10.0.0.0/8")};
  const std::vector<Route> routes = {any, client, query, header, headers, method};
  const std::vector<http::Field> both = {{"A", "1"}, {"Cookie", "b=2"}};
  EXPECT_EQ(match(routes, {"/", "GET", "q=1", both, "10.0.0.1"}), 5u);
  EXPECT_EQ(match(routes, {"/", "PUT", "q=1", both, "10.0.0.1"}), 4u);
  EXPECT_EQ(match(routes, {"/", "PUT", "q=1", {{"A", "1"}}, "10.0.0.1"}), 3u);
  EXPECT_EQ(match(routes, {"/", "PUT", "q=1", {}, "10.0.0.1"}), 2u);
  EXPECT_EQ(match(routes, {"/", "PUT", "", {}, "10.0.0.1"}), 1u);
  EXPECT_EQ(match(routes, {"/", "PUT"}), 0u);
}

TEST(RouterConditions, ExplainSaysWhichConditionDoesNotHold) {
  Route route;
  route.methods = {"POST"};
  route.headers = {exact("X-Api", "v2")};
  const Router router({route});
  EXPECT_EQ(router.explain(RouteAsk{"h", "/", "GET"})[0].why, "method GET is none of its methods");
  EXPECT_EQ(router.explain(RouteAsk{"h", "/", "POST"})[0].why, "header X-Api exact \"v2\" does not hold");
}

// Few words, so that routes and requests often meet.
TEST(RouterConditions, TheIndexFindsWhatAWalkThroughAllRoutesFinds) {
  std::mt19937 random(5);
  const auto one_of = [&random](const std::vector<const char*>& words) { return std::string(words[random() % words.size()]); };
  for (int round = 0; round < 1'000; ++round) {
    std::vector<Route> routes(1 + random() % 12);
    for (Route& route : routes) {
      if (random() % 2) route.hosts = {one_of({"a.b", "*.b", "b", "*.a.b"})};
      switch (random() % 5) {
        case 0: route.path = one_of({"/", "/a", "/a/b"}); break;
        case 1: route.path_prefix = one_of({"/", "/a", "/a/b", "/a/"}); break;
        case 2: route.path_regex = one_of({"/a.*", "/.", ".*b"}); break;
        case 3: route.path_template = one_of({"/{x}", "/a/{x}", "/{x}/b", "/{x...}", "/a/{x...}"}); break;
        default: break;
      }
      if (random() % 3 == 0) route.methods = {one_of({"GET", "PUT"})};
      if (random() % 3 == 0) route.query = {exact("q", random() % 2 ? "1" : "2")};
      route.priority = random() % 4 ? 0 : 1;
    }
    const Router router(routes);
    for (int i = 0; i < 20; ++i) {
      const std::string host = one_of({"a.b", "b", "x.b", "x.a.b", "c"}), path = one_of({"/", "/a", "/a/b", "/a/b/c", "/ab", "*"});
      const std::string method = one_of({"GET", "PUT"}), query = one_of({"", "q=1", "q=2"});
      const RouteAsk ask{host, path, method, query};
      std::size_t first = kNone;
      for (const Router::Reason& reason : router.explain(ask)) {
        const bool takes = reason.is_match || reason.why.starts_with("would match");
        if (takes && first == kNone) first = reason.route;
      }
      ASSERT_EQ(router.match(ask), first) << host << path << " " << method << " " << query;
    }
  }
}

TEST(TrueClient, IsTheLastOneThatNoTrustedProxyIs) {
  const std::vector<IpPrefix> trusted = {*IpPrefix::parse("10.0.0.0/8")};
  struct Row {
    std::vector<http::Field> fields;
    const char* client;
  };
  const Row rows[] = {
      {{}, "10.0.0.1"},
      {{{"X-Forwarded-For", "1.1.1.1, 2.2.2.2"}}, "2.2.2.2"},
      {{{"X-Forwarded-For", "1.1.1.1 ,10.0.0.9"}}, "1.1.1.1"},
      {{{"X-Forwarded-For", "1.1.1.1"}, {"x-forwarded-for", "10.0.0.9,10.0.0.8"}}, "1.1.1.1"},
      {{{"X-Forwarded-For", "10.0.0.3, unknown, 10.0.0.9"}}, "10.0.0.9"},
      {{{"X-Forwarded-For", "2001:db8::1,"}}, "10.0.0.1"},
  };
  for (const Row& row : rows) {
    http::Fields fields;
    for (const http::Field& field : row.fields) fields.add(field);
    EXPECT_EQ(to_string(true_client(*IpAddress::parse("10.0.0.1"), fields, trusted)), row.client);
  }
}

}  // namespace
}  // namespace gatehouse::l7
