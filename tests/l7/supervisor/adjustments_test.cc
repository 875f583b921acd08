// What is changed at run time: what is refused, how long it holds, and what status and explain say of it.
#include "l7/supervisor/adjustments.h"

#include <gtest/gtest.h>

#include "l7/arms.h"
#include "l7/own_cookie.h"
#include "l7/supervisor/node_status.h"

namespace gatehouse::l7 {
namespace {

using Json = nlohmann::json;

struct Node : testing::Test {
  Node() {
    for (const char* name : {"v1", "v2", "other"}) config.pools.emplace_back().name = name;
    config::Route& shop = config.routes.emplace_back();
    shop.name = "shop";
    shop.pools = {{"v1", 95}, {"v2", 5}};
    config::Route& rest = config.routes.emplace_back();
    rest.name = "rest";
    rest.path_prefix = "/rest";
    rest.pool = "other";
    adjustments.settle(config);
  }
  std::string refusal(const Json& params) {
    const auto answer = adjustments.set_weight(config, params);
    return answer ? "" : answer.error().message;
  }
  Result<Json> set(const char* pool, Json weight) {
    return adjustments.set_weight(config, {{"route", "shop"}, {"pool", pool}, {"weight", std::move(weight)}});
  }
  std::uint32_t now(std::size_t arm) { return adjustments.arms_of(config.routes[0])[arm].weight_now; }

  std::unique_ptr<Board> board = Board::anonymous();
  Adjustments adjustments{*board};
  config::Config config;
};

TEST_F(Node, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(refusal({{"pool", "v1"}, {"weight", 1}}), "expected route");
  EXPECT_EQ(refusal({{"route", "shop"}, {"weight", 1}}), "expected pool");
  EXPECT_EQ(refusal({{"route", "shop"}, {"pool", "v1"}}), "weight: expected a number from 0 to 1000000");
  EXPECT_EQ(refusal({{"route", "shop"}, {"pool", "v1"}, {"weight", -1}}),
            "weight: expected a number from 0 to 1000000");
  EXPECT_EQ(refusal({{"route", "shop"}, {"pool", "v1"}, {"weight", 1'000'001}}),
            "weight: expected a number from 0 to 1000000");
  EXPECT_EQ(refusal({{"route", "shpo"}, {"pool", "v1"}, {"weight", 1}}),
            "route \"shpo\" does not exist; did you mean \"shop\"?");
  EXPECT_EQ(refusal({{"route", "shop"}, {"pool", "v3"}, {"weight", 1}}),
            "route \"shop\": pool \"v3\" does not exist; did you mean \"v1\"?");
  EXPECT_EQ(refusal({{"route", "rest"}, {"pool", "other"}, {"weight", 1}}),
            "route \"rest\" has no pools with weights");
  EXPECT_EQ(now(0), 95u);
}

TEST_F(Node, SetsAWeightAndGoesBackToTheConfigs) {
  const std::uint64_t version = board->version();
  const auto answer = set("v2", 25);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(
      (*answer)["pools"][1],
      (Json{{"name", "v2"}, {"weight", 5}, {"weight_now", 25}, {"share", 25.0 / 120}, {"requests", 0}}));
  EXPECT_GT(board->version(), version);
  EXPECT_EQ(now(1), 25u);
  ASSERT_TRUE(set("v2", nullptr).has_value());
  EXPECT_EQ(now(1), 5u);
  ASSERT_TRUE(set("v2", 0).has_value());
  EXPECT_EQ(now(1), 0u);
  ASSERT_TRUE(set("v2", 5).has_value());
  EXPECT_TRUE(adjustments.settle(config).empty()) << "the config's own is no adjustment";
}

TEST_F(Node, KeepsAWeightOverReloadsUntilTheConfigHasAnother) {
  ASSERT_TRUE(set("v2", 0).has_value());
  using Notes = std::vector<std::string>;
  EXPECT_EQ(adjustments.settle(config), (Notes{"route shop: pool v2 has weight 0, set at run time over 5"}));
  adjustments.forget_others(config);
  EXPECT_EQ(now(1), 0u);
  config.routes[0].pools[0].weight = 90;
  EXPECT_EQ(adjustments.settle(config).size(), 1u) << "that of another pool";
  config.routes[0].pools[1].weight = 10;
  EXPECT_EQ(adjustments.settle(config),
            (Notes{"route shop: pool v2 has weight 10 in place of 0, which was set at run time"}));
  EXPECT_EQ(now(1), 10u);
  adjustments.forget_others(config);
  config.routes[0].pools[1].weight = 5;
  EXPECT_TRUE(adjustments.settle(config).empty());
  EXPECT_EQ(now(1), 5u) << "what is over does not come back";
}

TEST_F(Node, ForgetsTheWeightOfWhatLeftTheConfig) {
  ASSERT_TRUE(set("v2", 0).has_value());
  config::Config without = config;
  without.routes[0].pools.pop_back();
  adjustments.forget_others(without);
  EXPECT_TRUE(adjustments.settle(config).empty());
  EXPECT_EQ(now(1), 5u);
}

TEST_F(Node, ShowsRoutesWithSeveralPools) {
  board->arm(arm_key("shop", "v1"))->requests = 19;
  const Json routes = adjustments.report(config);
  ASSERT_EQ(routes.size(), 1u);
  EXPECT_EQ(routes[0]["name"], "shop");
  EXPECT_EQ(routes[0]["pools"][0]["requests"], 19);
  EXPECT_DOUBLE_EQ(routes[0]["pools"][0]["share"], 0.95);
}

struct Explained : Node {
  Json explain(const std::string& cookie) {
    const control::NodeReport report;
    const Json params = {
        {"method", "GET"}, {"url", "http://a/"}, {"headers", Json::array({Json::array({"Cookie", cookie})})}};
    const auto answer = explain_request(config, params, {report, &adjustments, keys});
    return answer ? *answer : Json(answer.error().message);
  }
  std::string cookie_at(double place) {
    CookieSeal seal;
    seal.set(*keys);
    std::string text;
    OwnCookie(*config.routes[0].sticky, "sticky")
        .write(text, static_cast<std::uint64_t>(place * 1e18 * 18.446744), seal, std::time(nullptr), 1,
               false);
    return text.substr(0, text.find(';'));
  }
  std::optional<CookieKeys> keys = CookieKeys{derive_cookie_key("s"), std::nullopt};
};

TEST_F(Explained, ARouteWithSeveralPoolsSaysTheirShares) {
  const Json answer = explain("");
  EXPECT_EQ(answer["route"], "shop");
  EXPECT_EQ(answer["pool"], nullptr);
  EXPECT_EQ(answer["pools"][1]["name"], "v2");
  EXPECT_DOUBLE_EQ(answer["pools"][1]["share"], 0.05);
  EXPECT_FALSE(answer.contains("sticky"));
}

TEST_F(Explained, AStickyRouteSaysWhereTheClientBelongs) {
  config.routes[0].sticky = config::OwnCookie{"c"};
  EXPECT_EQ(explain("")["sticky"], "there is no cookie c: by share");
  EXPECT_EQ(explain("c=x")["sticky"], "cookie c is not ours: by share");
  const Json answer = explain(cookie_at(0.97));
  EXPECT_EQ(answer["sticky"], "cookie c says 0.970000 of 1");
  EXPECT_EQ(answer["pool"], "v2");
  ASSERT_TRUE(set("v2", 0).has_value());
  EXPECT_EQ(explain(cookie_at(0.97))["pool"], "v1");
  keys.reset();
  EXPECT_EQ(explain("c=x")["sticky"], "cookie c cannot be read: there is no secret yet");
}

}  // namespace
}  // namespace gatehouse::l7
