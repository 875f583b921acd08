// Paths that two servers could read in two ways, by the rules of a listener: alone, and through a worker.
#include "l7/path_rules.h"

#include <gtest/gtest.h>

#include "tests/l7/support/loopback_worker.h"

namespace gatehouse {
namespace {

// What becomes of it, or "refused: " and why.
std::string outcome_of(const l7::PathRules& rules, std::string_view path) {
  std::string scratch = "left from another request";
  const std::string_view before = path;
  const char* why = rules.apply(path, scratch);
  EXPECT_TRUE(!why || path == before) << before;
  return why ? "refused: " + std::string(why) : std::string(path);
}

l7::PathRules rules(const char* dots, const char* encoded, const char* doubled) {
  return l7::PathRules(config::PathRules{dots, encoded, doubled});
}

constexpr const char* kHidden = "refused: a dot segment in the path that servers read in different ways";
constexpr const char* kMalformed = "refused: malformed percent-encoding in the path";
constexpr const char* kEncoded = "refused: an encoded slash in the path";

struct Row {
  const char* path;
  const char* outcome;
};

void expect_all(const l7::PathRules& rules, std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    EXPECT_EQ(outcome_of(rules, row.path), row.outcome) << row.path;
    const std::string outcome = outcome_of(rules, row.path);
    EXPECT_TRUE(outcome.starts_with("refused") || outcome_of(rules, outcome) == outcome) << outcome << " is plain and must stay";
  }
}

TEST(PathRules, AreSafeByDefault) {
  expect_all(l7::PathRules(), {
                                  {"/", "/"},
                                  {"*", "*"},
                                  {"", ""},
                                  {"/a/b.html;v=1", "/a/b.html;v=1"},
                                  {"/.well-known/acme", "/.well-known/acme"},
                                  {"/...", "/..."},
                                  {"/..a/b..", "/..a/b.."},
                                  {"/a/./b", "/a/b"},
                                  {"/a/../b", "/b"},
                                  {"/a/..", "/"},
                                  {"/a/b/..", "/a/"},
                                  {"/a/.", "/a/"},
                                  {"/.", "/"},
                                  {"/..", "/"},
                                  {"/../../etc", "/etc"},
                                  {"/a/%2e%2E/b", "/b"},
                                  {"/a/.%2e/b", "/b"},
                                  {"/%61dmin/%7euser", "/admin/~user"},
                                  {"/caf%C3%a9%20x%3F", "/caf%C3%a9%20x%3F"},
                                  {"/%2561", "/%2561"},
                                  {"//", "/"},
                                  {"/a//b///", "/a/b/"},
                                  {"//admin", "/admin"},
                                  {"/a//../b", "/b"},
                                  {"/a%2Fb", kEncoded},
                                  {"/a%5cb", kEncoded},
                                  {"/a\\b", kEncoded},
                                  {"/a/..;/b", kHidden},
                                  {"/a/.;x=1", kHidden},
                                  {"/a/%2e%2e;x", kHidden},
                                  {"/a%", kMalformed},
                                  {"/a%4", kMalformed},
                                  {"/a%4g", kMalformed},
                                  {"/a%00b", kMalformed},
                                  {"/%%34%31", kMalformed},
                                  {"/abcdefghijklmn/../opqrstuvwxyz", "/opqrstuvwxyz"},
                                  {"/abcdefghijklmno/.", "/abcdefghijklmno/"},
                                  {"/abcdefghijklmn//x", "/abcdefghijklmn/x"},
                              });
}

TEST(PathRules, KeepWhatTheyAreToldTo) {
  const char* const odd[] = {"/a/../b", "//a", "/a%2Fb", "/a/..%2fb", "/%", "/a%00", "/..;/x", "/%61"};
  for (const char* path : odd) EXPECT_EQ(outcome_of(rules("keep", "keep", "keep"), path), path);
}

TEST(PathRules, EachHasThreeChoices) {
  expect_all(rules("refuse", "refuse", "refuse"), {{"/a/b", "/a/b"},
                                                   {"/a/./b", "refused: a dot segment in the path"},
                                                   {"/a/%2e%2e", "refused: a dot segment in the path"},
                                                   {"/a//b", "refused: a double slash in the path"},
                                                   {"/a/", "/a/"},
                                                   {"/a%2fb", kEncoded}});
  expect_all(rules("resolve", "decode", "keep"), {{"/a%2F..%5cb", "/b"},
                                                  {"/a\\b", "/a/b"},
                                                  {"/a%2f%2Fb//c", "/a//b//c"},
                                                  {"/a//../b", "/a/b"},
                                                  {"/x/..//y", "//y"}});
  expect_all(rules("resolve", "keep", "merge"), {{"/group%2Fproject//x/../y", "/group%2Fproject/y"},
                                                 {"/a/..%2Fb", kHidden},
                                                 {"/a%2f../b", kHidden},
                                                 {"/a%5C.%5cb", kHidden},
                                                 {"/a\\..", kHidden},
                                                 {"/a%2f...", "/a%2f..."}});
  expect_all(rules("keep", "keep", "merge"), {{"/a/../b//c", "/a/../b/c"}, {"/..;/", "/..;/"}, {"/%61/..%2f", "/a/..%2f"}});
}

TEST(PathRules, NothingGetsBehindARoute) {
  test::LoopbackWorker site;
  test::HttpServer& backend = site.add_server();
  config::Route& admin = site.config.routes.emplace_back();
  admin.name = "admin";
  admin.path_prefix = "/admin";
  admin.response = config::DirectResponse{403};
  site.apply();
  for (const char* path : {"/admin", "//admin/x", "/x/../admin", "/%61dmin", "/./admin", "/x/%2e%2e/admin", "/.//admin"}) {
    EXPECT_EQ(site.ask(test::get(path)).status, 403) << path;
  }
  for (const char* path : {"/x%2f..%2fadmin", "/x/..;/admin", "/admin%2Fx", "/\\admin", "/admin%00"}) {
    EXPECT_EQ(site.ask(test::get(path)).status, 400) << path;
  }
  EXPECT_EQ(backend.requests(), 0u);
  EXPECT_EQ(site.board->worker(0).refused_paths.load(), 5u);
  EXPECT_EQ(site.ask(test::get("/x/../bytes//%31?a=/../b//c%2F")).status, 200) << "the query is nobody's path";
}

}  // namespace
}  // namespace gatehouse
