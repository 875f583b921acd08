// Changes of a site's config in two phases: who must agree, what is said when somebody does not, and how
// those that were away come to what they missed.
#include <gtest/gtest.h>

#include "common/json_fields.h"
#include "tests/common/versions/version_site.h"

namespace gatehouse::versions {
namespace {

class CoordinatorTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(site_.settle()) << site_.standing(); }

  // Applies at `l4` and waits; the answer's text.
  std::string apply(const std::string& mark, bool is_good, bool absent_ok = false,
                    const std::string& l4 = "l4a") {
    const auto answer = site_.apply(l4, site_text(mark), absent_ok);
    site_.wait_for(*answer);
    EXPECT_EQ(answer->is_good, is_good) << answer->text;
    return answer->text;
  }
  VersionId committed(const std::string& host) { return site_.host(host).participant->state().committed; }
  bool runs(const std::string& host, const std::string& mark) {
    return site_.host(host).config.text == site_text(mark);
  }
  bool all_run(const std::string& mark) {
    return std::all_of(site_.hosts().begin(), site_.hosts().end(),
                       [&](const auto& entry) { return runs(entry.first, mark); });
  }
  // Turns until `host` has prepared something, and not a turn longer.
  void turn_until_prepared(const std::string& host) {
    control::turn_until(site_.loop(),
                        [&] { return site_.host(host).participant->state().prepared.has_value(); });
  }

  VersionSite site_;
};

TEST_F(CoordinatorTest, AllHostsSwitchWhenAllHaveAgreed) {
  const Json answer = parse_json(apply("first", true));
  EXPECT_EQ(answer["number"], 2);
  EXPECT_EQ(answer["hosts"], (Json{{"l4a", "ok"}, {"l4b", "ok"}, {"n1", "ok"}, {"n2", "ok"}, {"n3", "ok"}}));
  EXPECT_TRUE(all_run("first"));
  EXPECT_TRUE(site_.settle()) << site_.standing();
}

TEST_F(CoordinatorTest, OneRefusalKeepsAllOnTheOldVersion) {
  apply("first", true);
  site_.host("n2").refusal = "site.toml:3: no such certificate";
  const std::string why = apply("second", false);
  EXPECT_EQ(why, "n2: site.toml:3: no such certificate");
  site_.host("n2").refusal.clear();
  EXPECT_TRUE(site_.settle()) << site_.standing();
  EXPECT_TRUE(all_run("first"));
}

TEST_F(CoordinatorTest, TheCoordinatorMayRefuseToo) {
  site_.host("l4a").refusal = "no room for so many VIPs";
  EXPECT_EQ(apply("first", false), "l4a: no room for so many VIPs");
  EXPECT_TRUE(all_run("file"));
}

TEST_F(CoordinatorTest, AnInvalidTextIsRefusedBeforeAnybodyIsAsked) {
  const auto answer = site_.apply("l4a", "[[vip]]\nnmae = \"x\"\n");
  ASSERT_TRUE(answer->is_there);
  EXPECT_NE(answer->text.find("site.toml:2: unknown key \"nmae\""), std::string::npos) << answer->text;
  EXPECT_TRUE(all_run("file"));
}

TEST_F(CoordinatorTest, ATrialAsksEverybodyAndChangesNothing) {
  site_.host("n3").refusal = "not I";
  Change trial;
  trial.text = site_text("first");
  trial.is_trial = true;
  const auto answer = site_.change("l4a", trial);
  site_.wait_for(*answer);
  ASSERT_TRUE(answer->is_good) << answer->text;
  EXPECT_EQ(parse_json(answer->text)["hosts"],
            (Json{{"l4a", "ok"}, {"l4b", "ok"}, {"n1", "ok"}, {"n2", "ok"}, {"n3", "not I"}}));
  EXPECT_TRUE(all_run("file"));
  EXPECT_FALSE(committed("l4a").exists());
}

TEST_F(CoordinatorTest, AHostThatIsAwayIsNamedAndChangesNothing) {
  site_.kill("n3");
  const std::string why = apply("first", false);
  EXPECT_NE(why.find("away: n3. --absent-ok"), std::string::npos) << why;
  EXPECT_TRUE(runs("n1", "file"));
}

TEST_F(CoordinatorTest, AHostThatWasAwayTakesTheVersionWhenItIsBack) {
  site_.kill("n3");
  site_.kill("l4b");
  const Json answer = parse_json(apply("first", true, true));
  EXPECT_EQ(answer["hosts"]["n3"], "away");
  site_.start("n3");
  site_.start("l4b");
  EXPECT_TRUE(site_.settle()) << site_.standing();
  EXPECT_TRUE(all_run("first"));
}

TEST_F(CoordinatorTest, AHostRestartsWithTheLastVersionWithoutAnybodysHelp) {
  apply("first", true);
  site_.kill("n1");
  site_.start("n1");
  EXPECT_TRUE(runs("n1", "first"));
}

TEST_F(CoordinatorTest, AHostThatDiesBetweenThePhasesLeavesAllOnTheOldVersion) {
  const auto answer = site_.apply("l4a", site_text("first"));
  turn_until_prepared("n1");
  site_.kill("n2");
  site_.wait_for(*answer);
  EXPECT_FALSE(answer->is_good);
  site_.start("n2");
  EXPECT_TRUE(site_.settle()) << site_.standing();
  EXPECT_TRUE(all_run("file"));
}

TEST_F(CoordinatorTest, ACoordinatorThatDiesBeforeItDecidesHasAborted) {
  site_.apply("l4a", site_text("first"));
  turn_until_prepared("n1");
  site_.kill("l4a");
  site_.turn(4);
  EXPECT_TRUE(site_.host("n1").participant->state().prepared);  // it may not presume
  site_.start("l4a");
  EXPECT_TRUE(site_.settle()) << site_.standing();
  EXPECT_TRUE(all_run("file"));
}

TEST_F(CoordinatorTest, ACoordinatorThatDiesAfterItDecidedHasCommitted) {
  site_.apply("l4a", site_text("first"));
  control::turn_until(site_.loop(), [&] { return committed("l4a").exists(); });
  site_.kill("l4a");
  EXPECT_FALSE(committed("n1").exists());  // it has not heard
  site_.start("l4a");
  EXPECT_TRUE(site_.settle()) << site_.standing();
  EXPECT_TRUE(all_run("first"));
}

TEST_F(CoordinatorTest, WhatOneNodeHasHeardTheOtherL4HostTellsTheRest) {
  site_.apply("l4a", site_text("first"));
  control::turn_until(site_.loop(), [&] { return committed("l4a").exists(); });
  site_.cut("l4a", "l4b");
  site_.cut("l4a", "n2");
  site_.cut("l4a", "n3");
  control::turn_until(site_.loop(), [&] { return committed("n1").exists(); });
  site_.kill("l4a");
  site_.report();
  control::turn_until(site_.loop(), [&] {
    site_.report();
    return runs("n2", "first") && runs("n3", "first") && runs("l4b", "first");
  });
}

TEST_F(CoordinatorTest, WhoWaitsForADeadCoordinatorTakesNothingElseUnlessTheOperatorSaysSo) {
  site_.apply("l4a", site_text("first"));
  turn_until_prepared("n1");
  site_.kill("l4a");
  const std::string why = apply("second", false, false, "l4b");
  EXPECT_NE(why.find("away: l4a"), std::string::npos) << why;
  apply("second", true, true, "l4b");
  site_.start("l4a");
  EXPECT_TRUE(site_.settle()) << site_.standing();
  EXPECT_TRUE(all_run("second"));
}

TEST_F(CoordinatorTest, TwoChangesAtATimeAreOneTooMany) {
  const auto first = site_.apply("l4a", site_text("first"));
  const auto again = site_.apply("l4a", site_text("again"));
  ASSERT_TRUE(again->is_there);
  EXPECT_NE(again->text.find("another change is under way: 2 ("), std::string::npos) << again->text;
  const auto other = site_.apply("l4b", site_text("other"));
  site_.wait_for(*first);
  site_.wait_for(*other);
  EXPECT_FALSE(other->is_good && first->is_good);
  EXPECT_TRUE(site_.settle()) << site_.standing();
}

TEST_F(CoordinatorTest, AChangeThatWasMadeFromAnOlderConfigIsRefused) {
  Change change;
  change.text = site_text("second");
  change.base = site_.host("l4a").config.digest;
  apply("first", true);
  const auto answer = site_.change("l4a", change);
  ASSERT_TRUE(answer->is_there);
  EXPECT_NE(answer->text.find("was changed in between"), std::string::npos) << answer->text;
}

TEST_F(CoordinatorTest, AHostWithoutRoomOnItsDiskRefuses) {
  site_.host("n1").room = 100;
  const std::string why = apply("first", false);
  EXPECT_NE(why.find("n1: cannot write"), std::string::npos) << why;
  site_.host("n1").room = -1;
  EXPECT_TRUE(site_.settle()) << site_.standing();
  EXPECT_TRUE(all_run("file"));
}

TEST_F(CoordinatorTest, AHostThatSaysNothingIsWaitedForAndThenCountsAsANo) {
  VersionSite site(Duration(20));
  ASSERT_TRUE(site.settle());
  site.host("n2").is_deaf = true;
  const auto answer = site.apply("l4a", site_text("first"));
  site.wait_for(*answer);
  EXPECT_EQ(answer->text, "n2: no answer within 20ms");
  site.host("n2").is_deaf = false;
  EXPECT_TRUE(site.settle()) << site.standing();
}

TEST_F(CoordinatorTest, AHostThatWasBehindIsNoPlaceToChangeAnythingFrom) {
  site_.kill("l4b");
  apply("first", true, true);
  site_.kill("l4a");
  site_.start("l4b");
  site_.connect();
  site_.turn(4);
  const std::string why = apply("second", false, false, "l4b");
  EXPECT_NE(why.find("has version 2 ("), std::string::npos) << why;
  EXPECT_NE(why.find("this host none"), std::string::npos) << why;
}

TEST_F(CoordinatorTest, ANodeIsNotBelievedAConfig) {
  Host& node = site_.host("n1");
  node.participant->take(make_version(9, site_text("forged")), [](const Result<Json>&) {});
  for (int i = 0; i < 20; ++i) {
    site_.report();
    site_.turn(4);
  }
  EXPECT_TRUE(runs("n2", "file"));
  EXPECT_TRUE(runs("l4a", "file"));
  EXPECT_FALSE(committed("l4a").exists());
}

}  // namespace
}  // namespace gatehouse::versions
