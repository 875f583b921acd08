// `gatehouse weight`: what the words ask a node for, and how its answer looks.
#include <gtest/gtest.h>

#include "common/cli/adjust_command.h"
#include "common/cli/report.h"
#include "common/json_fields.h"

namespace gatehouse::cli {
namespace {

TEST(WeightCommand, BecomesARequest) {
  EXPECT_EQ(*weight_request({"shop", "v2", "0"}), (Json{{"route", "shop"}, {"pool", "v2"}, {"weight", 0}}));
  EXPECT_EQ(*weight_request({"shop", "v2", "config"}),
            (Json{{"route", "shop"}, {"pool", "v2"}, {"weight", nullptr}}));
  for (const char* wrong : {"", "5%", "-1", "0x5", " 5", "99999999999"}) {
    const auto refused = weight_request({"shop", "v2", wrong});
    ASSERT_FALSE(refused.has_value()) << wrong;
    EXPECT_EQ(refused.error().message,
              "\"" + std::string(wrong) +
                  "\" is no weight: expected a number such as 5, or \"config\" for the config's");
  }
}

TEST(BackendCommand, BecomesARequestAndItsAnswerALine) {
  EXPECT_EQ(*backend_request({"p", "192.0.2.7:80", "drain"}),
            (Json{{"pool", "p"}, {"address", "192.0.2.7:80"}, {"action", "drain"}}));
  EXPECT_EQ(*backend_request({"p", "[2001:DB8::7]:80", "weight", "5"}),
            (Json{{"pool", "p"}, {"address", "[2001:db8::7]:80"}, {"action", "weight"}, {"weight", 5}}));
  EXPECT_EQ(
      backend_report({{"pool", "p"}, {"address", "192.0.2.7:80"}, {"state", "draining"}, {"weight", 1}}),
      "backend 192.0.2.7:80 of pool p is draining, weight 1\n");
}

TEST(BackendCommand, SaysWhatIsWrong) {
  const std::pair<std::vector<std::string>, const char*> rows[] = {
      {{"p", "192.0.2.7", "drain"},
       "\"192.0.2.7\" is no address with a port, such as 192.0.2.7:80 or [2001:db8::7]:80"},
      {{"p", "192.0.2.7:80", "darin"}, "unknown action of backend \"darin\"; did you mean \"drain\"?"},
      {{"p", "192.0.2.7:80", "weight"}, "backend POOL ADDRESS weight takes a weight"},
      {{"p", "192.0.2.7:80", "drain", "5"}, "backend POOL ADDRESS drain takes nothing more"},
      {{"p", "192.0.2.7:80", "weight", "much"},
       "\"much\" is no weight: expected a number such as 5, or \"config\" for the config's"}};
  for (const auto& [words, text] : rows) {
    const auto refused = backend_request(words);
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_EQ(refused.error().message, text);
  }
}

TEST(BackendCommand, OfAnL4HostNamesWhoDidItAndWhoDidNot) {
  const Json done = {{"pool", "p"}, {"address", "192.0.2.7:80"}, {"state", "draining"}, {"weight", 1}};
  Json other = done;
  other["weight"] = 5;
  const Json answer = {{"nodes",
                        {{{"node", "n1"}, {"answer", done}},
                         {{"node", "n2"}, {"error", "there is no pool \"p\""}},
                         {{"node", "n3"}, {"answer", done}},
                         {{"node", "n4"}, {"answer", other}}}}};
  const AdjustReport report = adjust_report(answer, backend_report);
  EXPECT_EQ(report.text,
            "n1, n3: backend 192.0.2.7:80 of pool p is draining, weight 1\n"
            "n4: backend 192.0.2.7:80 of pool p is draining, weight 5\n");
  EXPECT_EQ(report.missed, "n2: there is no pool \"p\"\n");
  EXPECT_EQ(adjust_report(done, backend_report).text, backend_report(done));
}

const Json kRoute = parse_json(
    R"({"name": "shop", "pools": [{"name": "v1", "weight": 9999, "weight_now": 9999, "share": 0.9999, "requests": 12},
  {"name": "v2", "weight": 5, "weight_now": 1, "share": 0.0001, "requests": 0}]})");

TEST(WeightCommand, ShowsTheRouteAsItIsNow) {
  EXPECT_EQ(arms_report(kRoute),
            "ROUTE  POOL  WEIGHT   NOW    SHARE  REQUESTS\n"
            "shop   v1      9999  9999  99.99 %        12\n"
            "shop   v2         5     1   0.01 %         0\n");
  EXPECT_EQ(arms_report(Json()), "");
  EXPECT_NE(status_report({{"routes", Json::array({kRoute})}}).find("shop   v2         5     1   0.01 %"),
            std::string::npos);
}

TEST(ExplainReport, ShowsSharesAndWhoseBackendsTheyAre) {
  const Json answer = {
      {"route", "shop"},
      {"pool", "v2"},
      {"sticky", "cookie c says 0.97 of 1"},
      {"pools", kRoute["pools"]},
      {"backends", Json::array({{{"pool", "v1"}, {"address", "192.0.2.7:80"}, {"is_healthy", true}}})}};
  EXPECT_EQ(explain_report(answer),
            "route   shop\npool    v2\nsticky  cookie c says 0.97 of 1\n\n"
            "POOL  WEIGHT  SHARE\nv1    9999    99.99 %\nv2    1       0.01 %\n\n"
            "POOL  BACKEND       HEALTH\nv1    192.0.2.7:80  ok\n");
}

TEST(ReloadReport, SaysWhatBecameOfWeightsOfTheRunTime) {
  EXPECT_EQ(reload_report(
                {{"digest", "1f"}, {"notes", {"route shop: pool v2 has weight 0, set at run time over 5"}}})
                .text,
            "config 1f is in use\nroute shop: pool v2 has weight 0, set at run time over 5\n");
}

}  // namespace
}  // namespace gatehouse::cli
