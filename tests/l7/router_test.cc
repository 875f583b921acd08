// Which route takes a request, in what order they are tried, and that explain() tells the same story.
#include "l7/router.h"

#include <gtest/gtest.h>

#include <random>

namespace gatehouse::l7 {
namespace {

config::Route route(std::vector<std::string> hosts, std::string path = "", std::string prefix = "",
                    std::int32_t priority = 0) {
  config::Route made;
  made.hosts = std::move(hosts);
  made.path = std::move(path);
  made.path_prefix = std::move(prefix);
  made.priority = priority;
  return made;
}

struct Asked {
  const char* host;
  const char* path;
  std::size_t route;
};

constexpr std::size_t kNone = Router::kNoRoute;

void expect_all(const std::vector<config::Route>& routes, const std::vector<Asked>& cases) {
  const Router router(routes);
  for (const Asked& row : cases)
    EXPECT_EQ(router.match(row.host, row.path), row.route) << row.host << row.path;
}

TEST(Router, WithoutRoutesNothingMatches) { expect_all({}, {{"a.example", "/", kNone}, {"", "/", kNone}}); }

TEST(Router, AnExactHostGoesBeforeTheLongestWildcardBeforeAny) {
  expect_all({route({}), route({"*.example"}), route({"*.b.example"}), route({"a.b.example"})},
             {
                 {"a.b.example", "/", 3},
                 {"c.b.example", "/", 2},
                 {"x.c.b.example", "/", 2},
                 {"b.example", "/", 1},
                 {"c.example", "/", 1},
                 {"example", "/", 0},
                 {"other", "/", 0},
                 {"", "/", 0},
                 {"[2001:db8::1]", "/", 0},
             });
}

TEST(Router, AWildcardStandsForOneLabelOrMoreAndNeverForNone) {
  expect_all({route({"*.example.com"})}, {
                                             {"a.example.com", "/", 0},
                                             {"a.b.example.com", "/", 0},
                                             {"example.com", "/", kNone},
                                             {".example.com", "/", kNone},
                                             {"badexample.com", "/", kNone},
                                             {"example.com.evil", "/", kNone},
                                             {"a.example.com.evil", "/", kNone},
                                         });
}

TEST(Router, CaseAndATrailingDotOfTheHostDoNotMatter) {
  const std::vector<config::Route> routes = {route({"Shop.Example"}), route({"*.Shop.Example."})};
  expect_all(routes, {
                         {"shop.example", "/", 0},
                         {"SHOP.EXAMPLE", "/", 0},
                         {"shop.example.", "/", 0},
                         {"A.shop.example.", "/", 1},
                         {"shop.example..", "/", kNone},
                     });
}

TEST(Router, TheHostComesWithoutAPort) {
  expect_all({route({"a.example"})}, {{"a.example", "/", 0}, {"a.example:80", "/", kNone}});
}

TEST(Router, AHostLongerThanAnyNameIsOnlyForRoutesOfAnyHost) {
  const std::string longest = std::string(247, 'a') + ".example", too_long = "a" + longest;
  const Router router({route({}), route({"*.example"})});
  EXPECT_EQ(router.match(longest, "/"), 1u);
  EXPECT_EQ(router.match(too_long, "/"), 0u);
  EXPECT_EQ(router.match(std::string(100'000, '.'), "/"), 0u);
}

TEST(Router, AnExactPathGoesBeforeTheLongestPrefix) {
  expect_all({route({}), route({}, "", "/api"), route({}, "", "/api/v2"), route({}, "/api/v2/item")},
             {
                 {"h", "/", 0},
                 {"h", "/apix", 0},
                 {"h", "/api", 1},
                 {"h", "/api/", 1},
                 {"h", "/api/v20", 1},
                 {"h", "/api/v2", 2},
                 {"h", "/api/v2/", 2},
                 {"h", "/api/v2/item", 3},
                 {"h", "/api/v2/item/", 2},
                 {"h", "/api/v2/items", 2},
                 {"h", "/API", 0},
                 {"h", "*", 0},
             });
}

TEST(Router, ASlashAtTheEndOfAPrefixChangesNothing) {
  expect_all({route({}, "", "/api/"), route({}, "", "/")}, {
                                                               {"h", "/api", 0},
                                                               {"h", "/api/x", 0},
                                                               {"h", "/apix", 1},
                                                               {"h", "/", 1},
                                                           });
}

TEST(Router, TheHostDecidesBeforeThePath) {
  expect_all({route({"a.example"}, "", "/"), route({"*.example"}, "/exact"), route({}, "/exact")},
             {
                 {"a.example", "/exact", 0},
                 {"b.example", "/exact", 1},
                 {"b.example", "/other", kNone},
                 {"c", "/exact", 2},
             });
}

TEST(Router, WhereTheBetterHostHasNoSuchPathTheNextOneMay) {
  expect_all({route({"a.example"}, "", "/api"), route({"*.example"}, "", "/img"), route({}, "", "/img/big"),
              route({})},
             {
                 {"a.example", "/api/1", 0},
                 {"a.example", "/img/1", 1},
                 {"a.example", "/img/big", 1},
                 {"a.example", "/", 3},
             });
}

TEST(Router, PriorityGoesBeforeEverything) {
  expect_all({route({"a.example"}, "/exact"), route({}, "", "", 10), route({"*.example"}, "", "", -1)},
             {
                 {"a.example", "/exact", 1},
                 {"b.example", "/", 1},
             });
  expect_all({route({"a.example"}, "/exact", "", -1), route({})}, {{"a.example", "/exact", 1}});
}

TEST(Router, AmongEqualsTheFirstInTheFileWins) {
  expect_all({route({"a.example"}, "", "/x"), route({"a.example"}, "", "/x"),
              route({"*.example", "a.example"}, "", "/x")},
             {{"a.example", "/x", 0}, {"b.example", "/x", 2}});
}

TEST(Router, ExplainGivesAReasonForEveryRoute) {
  const Router router({route({"a.example"}, "", "/api"), route({"*.example"}), route({"b.example"})});
  const auto reasons = router.explain("A.Example.", "/img");
  ASSERT_EQ(reasons.size(), 3u);
  EXPECT_EQ(reasons[0].route, 0u);
  EXPECT_EQ(reasons[0].why, "path \"/img\" is not below /api");
  EXPECT_EQ(reasons[1].route, 2u);
  EXPECT_EQ(reasons[1].why, "host \"a.example\" is not b.example");
  EXPECT_EQ(reasons[2].route, 1u);
  EXPECT_TRUE(reasons[2].is_match);
  EXPECT_EQ(reasons[2].why, "host *.example, any path");
}

// Routes and requests of few words, so that they often meet.
class Words {
 public:
  explicit Words(unsigned seed) : random_(seed) {}
  bool coin() { return random_() % 2; }
  template <std::size_t Size>
  std::string one_of(const char* const (&words)[Size]) {
    return words[random_() % Size];
  }
  std::string host() {
    std::string text = one_of({"a", "b", "A", ""});
    for (int labels = static_cast<int>(random_() % 3); labels > 0; --labels)
      text += one_of({".a", ".b", ".B", "."});
    return text;
  }
  std::string path() {
    std::string text = one_of({"", "/", "/a", "/b"});
    for (int segments = static_cast<int>(random_() % 3); segments > 0; --segments)
      text += one_of({"/a", "/b", "a", "/"});
    return text;
  }
  config::Route route() {
    config::Route made;
    for (int hosts = static_cast<int>(random_() % 3); hosts > 0; --hosts) {
      const std::string name = one_of({"a", "b.a", "a.b", "b.b.a", "A.B"});
      made.hosts.push_back((coin() ? "*." : "") + name);
    }
    const std::string chosen = one_of({"/", "/a", "/a/", "/a/b", "/b/a"});
    if (coin()) (coin() ? made.path : made.path_prefix) = chosen;
    made.priority = random_() % 4 ? 0 : static_cast<int>(random_() % 3) - 1;
    return made;
  }

 private:
  std::mt19937 random_;
};

TEST(Router, ExplainAgreesWithMatch) {
  Words words(17);
  for (int round = 0; round < 2'000; ++round) {
    std::vector<config::Route> routes(words.coin() ? 3 : 8);
    for (config::Route& one : routes) one = words.route();
    const Router router(routes);
    for (int request = 0; request < 10; ++request) {
      const std::string host = words.host(), path = words.path();
      const std::size_t winner = router.match(host, path);
      std::size_t told = kNone;
      for (const Router::Reason& reason : router.explain(host, path)) {
        const bool would = reason.why.starts_with("would match");
        ASSERT_FALSE(would && told == kNone)
            << host << path << ": one that matches comes before the one that won";
        ASSERT_FALSE(reason.is_match && told != kNone);
        if (reason.is_match) told = reason.route;
      }
      ASSERT_EQ(told, winner) << host << path;
    }
  }
}

}  // namespace
}  // namespace gatehouse::l7
