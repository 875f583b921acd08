// The command line of a daemon: parsed, printed and documented from one table.
#include "common/daemon_flags.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

constexpr DaemonFlag kFlags[] = {{"config", "FILE", "the config", true},
                                 {"host", "NAME", "who we are"},
                                 {"detach", "", "ends"},
                                 {"generic", "", "-x .y"},
                                 {"hidden", "", ""}};
using Flags = std::map<std::string, std::string>;

Result<Flags> parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "gatehouse-l4");
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  return parse_daemon_flags(static_cast<int>(pointers.size()), pointers.data(), kFlags);
}

TEST(DaemonFlags, TakeValuesAndSwitches) {
  const struct {
    std::vector<std::string> arguments;
    Flags flags;
  } rows[] = {
      {{}, {}},
      {{"--config", "a.toml"}, {{"config", "a.toml"}}},
      {{"--detach"}, {{"detach", "true"}}},
      {{"--host", "l4a", "--generic", "--config", "b"},
       {{"config", "b"}, {"generic", "true"}, {"host", "l4a"}}},
      {{"--config", "a", "--config", "b"}, {{"config", "b"}}},
      {{"--config", ""}, {{"config", ""}}},
      {{"--config", "--detach"}, {{"config", "--detach"}}},
  };
  for (const auto& row : rows) {
    const auto flags = parse(row.arguments);
    ASSERT_TRUE(flags) << flags.error().message;
    EXPECT_EQ(*flags, row.flags) << testing::PrintToString(row.arguments);
  }
}

TEST(DaemonFlags, SayWhichThereAre) {
  const std::string known = "; known: --config, --host, --detach, --generic";
  const struct {
    std::vector<std::string> arguments;
    std::string error;
  } rows[] = {
      {{"--confg", "a"}, "unknown flag \"--confg\"; did you mean \"--config\"?"},
      {{"a.toml"}, "unknown flag \"a.toml\"" + known},
      {{"-config", "a"}, "unknown flag \"-config\"; did you mean \"--config\"?"},
      {{"--config=a"}, "unknown flag \"--config=a\"; did you mean \"--config\"?"},
      {{"--"}, "unknown flag \"--\"" + known},
      {{""}, "unknown flag \"\"" + known},
      {{"--detach", "true"}, "unknown flag \"true\"" + known},
      {{"--detach", "--config"}, "--config needs a value"},
  };
  for (const auto& row : rows) {
    const auto flags = parse(row.arguments);
    ASSERT_FALSE(flags) << testing::PrintToString(row.arguments);
    EXPECT_EQ(flags.error().message, row.error);
  }
}

TEST(DaemonFlags, UsageIsMadeOfThem) {
  EXPECT_EQ(usage_of({"gatehouse-x", "does x", "Does X.", kFlags}),
            "usage: gatehouse-x --config FILE [--host NAME] [--detach] [--generic]\n"
            "  --config FILE  the config\n"
            "  --host NAME    who we are\n"
            "  --detach       ends\n"
            "  --generic      -x .y\n");
}

TEST(DaemonFlags, TheManualPageIsMadeOfThem) {
  const std::string page = manual_of({"gatehouse-x", "does x", ".Does X\\\n.y", kFlags});
  EXPECT_TRUE(page.starts_with(".TH GATEHOUSE\\-X 8 \"\" \"gatehouse ")) << page;
  EXPECT_NE(page.find(".SH NAME\ngatehouse\\-x \\- does x\n"), page.npos) << page;
  EXPECT_NE(page.find(".TP\n\\fB\\-\\-config FILE\\fR\nthe config\n"), page.npos) << page;
  EXPECT_NE(page.find("\n\\&.Does X\\e\n\\&.y\n"), page.npos) << "text is no command of roff: " << page;
  EXPECT_EQ(page.find("hidden"), page.npos);
}

}  // namespace
}  // namespace gatehouse
