// The command line about versions: differences, requests from words, and what is shown of the answers.
#include <gtest/gtest.h>

#include "common/cli/commands.h"
#include "common/cli/diff.h"
#include "common/cli/version_command.h"

namespace gatehouse::cli {
namespace {

using Json = nlohmann::json;

Result<Json> request_of(const std::vector<std::string>& words) {
  const auto invocation = parse_command_line(commands(), words);
  if (!invocation) return invocation.error();
  if (invocation->command->name == "rollback") return rollback_request(*invocation);
  return apply_request(*invocation, "text", {{"config_digest", 7}});
}

TEST(Diff, ShowsWhatDiffersWithThreeLinesAround) {
  EXPECT_EQ(unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\nfive\n6\n7\n8\n", "in use", "new"),
            "--- in use\n+++ new\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

TEST(Diff, OfEqualTextsThereIsNone) {
  EXPECT_EQ(unified_diff("", "", "a", "b"), "");
  EXPECT_EQ(unified_diff("x\n", "x\n", "a", "b"), "");
}

TEST(Diff, WhatIsFarApartStandsInTwoHunksAndWhatIsNearInOne) {
  std::string before, far, near;
  for (int i = 0; i < 30; ++i) {
    const std::string line = std::to_string(i) + "\n";
    before += line;
    far += i == 5 || i == 25 ? "x\n" : line;
    near += i == 5 || i == 12 ? "x\n" : line;
  }
  const auto hunks = [&](const std::string& after) {
    const std::string diff = unified_diff(before, after, "a", "b");
    std::size_t count = 0;
    for (std::size_t at = 0; (at = diff.find("\n@@ ", at)) != diff.npos; ++at) ++count;
    return count;
  };
  EXPECT_EQ(hunks(far), 2u);
  EXPECT_EQ(hunks(near), 1u);
}

TEST(Diff, KnowsBeginningsEndsAndMissingNewlines) {
  EXPECT_EQ(unified_diff("", "a\n", "a", "b"), "--- a\n+++ b\n@@ -0,0 +1 @@\n+a\n");
  EXPECT_EQ(unified_diff("a\n", "", "a", "b"), "--- a\n+++ b\n@@ -1 +0,0 @@\n-a\n");
  EXPECT_EQ(unified_diff("a", "a\n", "a", "b"),
            "--- a\n+++ b\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
}

TEST(Diff, ManyDifferentLinesAreReplacedWhole) {
  std::string before, after;
  for (int i = 0; i < 9'000; ++i) {
    before += "a" + std::to_string(i) + "\n";
    after += "b" + std::to_string(i) + "\n";
  }
  const std::string diff = unified_diff(before, after, "a", "b");
  EXPECT_NE(diff.find("@@ -1,9000 +1,9000 @@\n-a0\n"), std::string::npos);
}

TEST(VersionCommand, WordsBecomeARequest) {
  const auto plain = request_of({"apply", "site.toml"});
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(*plain,
            (Json{{"text", "text"}, {"comment", ""}, {"base", 7}, {"dry_run", false}, {"absent_ok", false}}));
  const auto watched = request_of(
      {"apply", "site.toml", "--watch", "2m", "--max-errors", "0.5%", "--comment", "why", "--absent-ok"});
  ASSERT_TRUE(watched) << watched.error().message;
  EXPECT_EQ((*watched)["watch"], (Json{{"seconds", 120}, {"rise", 0.005}, {"least", 100}}));
  EXPECT_EQ((*watched)["comment"], "why");
  EXPECT_EQ((*watched)["absent_ok"], true);
  EXPECT_EQ(*request_of({"rollback"}), (Json{{"number", 0}, {"absent_ok", false}}));
  EXPECT_EQ(*request_of({"rollback", "7"}), (Json{{"number", 7}, {"absent_ok", false}}));
}

TEST(VersionCommand, WhatIsNoRequestIsRefusedByName) {
  const struct {
    std::vector<std::string> words;
    const char* named;
  } kCases[] = {
      {{"apply", "f", "--watch", "60"}, "--watch"},
      {{"apply", "f", "--watch", "10ms"}, "--watch"},
      {{"apply", "f", "--watch", "60s", "--max-errors", "1"}, "--max-errors"},
      {{"apply", "f", "--watch", "60s", "--max-errors", "200%"}, "--max-errors"},
      {{"apply", "f", "--watch", "60s", "--min-answers", "0"}, "--min-answers"},
      {{"apply", "f", "--max-errors", "1%"}, "go with --watch"},
      {{"rollback", "zero"}, "\"zero\" is no version"},
      {{"rollback", "0"}, "\"0\" is no version"},
      {{"rollback", "1", "2"}, "rollback takes"},
      {{"apply"}, "apply takes FILE"},
  };
  for (const auto& each : kCases) {
    const auto request = request_of(each.words);
    ASSERT_FALSE(request) << each.named;
    EXPECT_NE(request.error().message.find(each.named), std::string::npos) << request.error().message;
  }
}

TEST(VersionCommand, AReportNamesThoseThatDidNotAgree) {
  const Json answer = {{"number", 7},
                       {"digest", "0123456789abcdef"},
                       {"hosts", {{"l4a", "ok"}, {"n1", "ok"}, {"n2", "no certificate"}}},
                       {"notes", {"site.toml:3: odd"}}};
  const ChangeReport trial = change_report(answer, true);
  EXPECT_EQ(trial.text, "site.toml:3: odd\n2 hosts agree; nothing has changed\nn2: no certificate\n");
  EXPECT_FALSE(trial.is_whole);
  EXPECT_EQ(change_report(answer, false).text,
            "site.toml:3: odd\nversion 7 (01234567) is in use on 2 hosts\nn2: no certificate\n");
}

TEST(VersionCommand, AHistoryShowsVersionsAndWhoHasWhich) {
  const Json history = {{"versions",
                         {{{"number", 3},
                           {"time", 0},
                           {"digest", "abcdef0123"},
                           {"who", "uid 0 (root)"},
                           {"state", "watched"},
                           {"comment", "why"}}}},
                        {"watch", {{"number", 3}, {"seconds_left", 12}}},
                        {"hosts",
                         {{"l4a", {{"committed", {{"number", 3}}}, {"problem", ""}}},
                          {"n1",
                           {{"committed", {{"number", 0}}},
                            {"problem", "no room"},
                            {"prepared", {{"number", 4}}},
                            {"coordinator", "l4b"}}}}}};
  const std::string text = history_report(history);
  for (const char* words :
       {"abcdef01", "uid 0 (root)", "watched", "why", "version 3 is watched for another 12 s",
        "l4a   version 3", "its file, waits for l4b to decide on 4: no room"}) {
    EXPECT_NE(text.find(words), std::string::npos) << words << " is not in\n" << text;
  }
  EXPECT_EQ(state_of_version(history, 3), "watched");
  EXPECT_EQ(state_of_version(history, 4), "");
  EXPECT_EQ(history_report(Json::object()), "no version yet: hosts run their files\n");
  EXPECT_EQ(history_report(Json(1)), "no version yet: hosts run their files\n");
}

}  // namespace
}  // namespace gatehouse::cli
