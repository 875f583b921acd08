// What operators ask for: history, the way back, and a change that goes back by itself.
#include <gtest/gtest.h>

#include "common/json_fields.h"
#include "tests/common/versions/version_site.h"

namespace gatehouse::versions {
namespace {

class RequestsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(site_.settle()) << site_.standing(); }

  Result<Json> ask(std::string_view method, Json params) {
    std::optional<Result<Json>> answer;
    site_.host("l4a").requests->on_request("uid 0 (root)", method, parse_json(params.dump()),
                                           [&](Result<Json> result) { answer = std::move(result); });
    control::turn_until(site_.loop(), [&] { return answer.has_value(); });
    return answer ? *answer : Error{"no answer"};
  }
  Result<Json> apply(const std::string& mark, Json more = Json::object()) {
    Json params = {{"text", site_text(mark)},
                   {"comment", "for " + mark},
                   {"base", site_.host("l4a").config.digest},
                   {"dry_run", false},
                   {"absent_ok", false}};
    params.update(more);
    return ask("apply", std::move(params));
  }
  Result<Json> rollback(std::uint64_t number) {
    return ask("rollback", {{"number", number}, {"absent_ok", false}});
  }
  std::string in_use() { return site_.host("n1").config.text; }
  std::vector<std::string> states() {
    std::vector<std::string> states;
    const Json history = *ask("history", Json::object());
    for (const Json& version : history["versions"])
      states.push_back(version["number"].dump() + " " + version["state"].get<std::string>());
    return states;
  }
  // A second in which clients get so many answers.
  void second(std::uint64_t all, std::uint64_t errors) {
    counted_ = {counted_.all + all, counted_.errors + errors};
    Requests& requests = *site_.host("l4a").requests;
    requests.rate().hear("n1/0", 1, counted_);
    requests.on_second();
  }

  VersionSite site_;
  Answers counted_;
};

Json watch(int seconds, int least, double rise) {
  Json params = Json::object();
  params["watch"] = {{"seconds", seconds}, {"least", least}, {"rise", rise}};
  return params;
}

using States = std::vector<std::string>;

TEST_F(RequestsTest, HistoryTellsWhatWasWhenByWhomAndWhy) {
  ASSERT_TRUE(apply("first"));
  ASSERT_TRUE(apply("second"));
  const Json history = *ask("history", Json::object());
  ASSERT_EQ(history["versions"].size(), 3u) << history.dump(1);
  const Json& latest = history["versions"][0];
  EXPECT_EQ(latest["who"], "uid 0 (root)");
  EXPECT_EQ(latest["comment"], "for second");
  EXPECT_EQ(latest["coordinator"], "l4a");
  EXPECT_GT(latest["time"], 1'600'000'000);
  EXPECT_EQ(states(), (States{"3 in use", "2 replaced", "1 replaced"}));
  EXPECT_EQ(history["versions"][2]["comment"], "the file, as it was");
}

TEST_F(RequestsTest, ARollbackIsANewVersionWithTheContentOfAnEarlierOne) {
  ASSERT_TRUE(apply("first"));
  ASSERT_TRUE(apply("second"));
  const auto back = rollback(0);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ((*back)["number"], 4);
  EXPECT_EQ(in_use(), site_text("first"));
  EXPECT_EQ(states(), (States{"4 in use", "3 taken back", "2 replaced", "1 replaced"}));
  ASSERT_TRUE(rollback(1));
  EXPECT_EQ(in_use(), site_text("file"));
  EXPECT_TRUE(site_.settle()) << site_.standing();
}

TEST_F(RequestsTest, AWayBackThatIsNoneIsRefused) {
  EXPECT_EQ(rollback(0).error().message, "there is no version yet: this host runs its file");
  ASSERT_TRUE(apply("first"));
  EXPECT_EQ(rollback(2).error().message, "version 2 is in use");
  EXPECT_NE(rollback(9).error().message.find("there is no version 9"), std::string::npos);
}

TEST_F(RequestsTest, WhatIsNoRequestIsRefusedWithTheField) {
  EXPECT_EQ(ask("apply", Json::object()).error().message, "apply.text: expected a text");
  EXPECT_EQ(ask("rollback", {{"number", -1}}).error().message.substr(0, 16), "rollback.number:");
  EXPECT_EQ(ask("version", {{"number", "x"}}).error().message.substr(0, 15), "version.number:");
  EXPECT_NE(apply("x", watch(0, 1, 0.1)).error().message.find("watch.seconds"), std::string::npos);
  EXPECT_NE(apply("x", watch(60, 1, 2)).error().message.find("watch.rise"), std::string::npos);
  EXPECT_EQ(in_use(), site_text("file"));
}

TEST_F(RequestsTest, ErrorsThatRiseTakeAWatchedVersionBackAndTheHistorySaysSo) {
  ASSERT_TRUE(apply("first"));
  second(1'000, 0);
  ASSERT_TRUE(apply("second", watch(60, 100, 0.01)));
  EXPECT_EQ(states()[0], "3 watched");
  second(1'000, 5);
  second(1'000, 200);
  control::turn_until(site_.loop(), [&] { return in_use() == site_text("first"); });
  EXPECT_TRUE(site_.settle()) << site_.standing();
  EXPECT_EQ(states(), (States{"4 in use", "3 taken back", "2 replaced", "1 replaced"}));
  const Json history = *ask("history", Json::object());
  EXPECT_EQ(history["versions"][0]["who"], "the watch over 3");
  EXPECT_EQ(history["versions"][0]["comment"],
            "by itself, back to 2: errors rose from 0.00 % to 10.25 % of answers (205 of 2000)");
}

TEST_F(RequestsTest, AHostThatTheChangeTookAwayDoesNotKeepItFromGoingBack) {
  ASSERT_TRUE(apply("first", watch(60, 1, 0.01)));
  site_.kill("n3");
  second(0, 0);
  second(1'000, 200);
  control::turn_until(site_.loop(), [&] { return in_use() == site_text("file"); });
  site_.start("n3");
  EXPECT_TRUE(site_.settle()) << site_.standing();
}

TEST_F(RequestsTest, AWatchedVersionWithFewErrorsStays) {
  second(100, 0);
  ASSERT_TRUE(apply("first", watch(60, 100, 0.01)));
  for (int i = 0; i < 10; ++i) second(1'000, 5);
  EXPECT_EQ(states()[0], "2 watched");
  EXPECT_EQ(in_use(), site_text("first"));
}

TEST_F(RequestsTest, AnotherChangeEndsTheWatchOverTheOneBefore) {
  ASSERT_TRUE(apply("first", watch(60, 1, 0.01)));
  ASSERT_TRUE(apply("second"));
  second(1'000, 0);
  second(1'000, 1'000);
  EXPECT_EQ(states()[0], "3 in use");
}

}  // namespace
}  // namespace gatehouse::versions
