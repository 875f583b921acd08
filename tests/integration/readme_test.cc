// What the README tells a newcomer to type exists and runs: its commands, the files that it links, its
// example.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/integration/site.h"

namespace gatehouse::test {
namespace {

namespace fs = std::filesystem;
const fs::path kRoot = GATEHOUSE_SOURCE_DIR;

std::string readme() {
  std::ifstream stream(kRoot / "README.md");
  return std::string((std::istreambuf_iterator<char>(stream)), {});
}

// The lines of all ```language blocks, without comments.
std::vector<std::string> block_lines(const std::string& language) {
  std::vector<std::string> lines;
  std::istringstream stream(readme());
  bool is_inside = false;
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("```")) {
      is_inside = !is_inside && line == "```" + language;
    } else if (is_inside) {
      lines.push_back(line.substr(0, line.find("  #")));
    }
  }
  return lines;
}

lab::Arguments words(const std::string& line) {
  // The shell splits, so that quoting means what it means to the reader.
  const lab::Output output = lab::run({}, {"sh", "-c", "for word in " + line + "; do echo \"$word\"; done"});
  lab::Arguments result;
  std::istringstream stream(output.text);
  for (std::string word; std::getline(stream, word);) result.push_back(word);
  return result;
}

TEST(Readme, ProgramsOfItsCommandsExist) {
  ASSERT_FALSE(block_lines("sh").empty());
  for (const std::string& line : block_lines("sh")) {
    const lab::Arguments argv = words(line);
    if (argv.empty()) continue;
    const bool is_script = argv[0].starts_with("./");
    const fs::path program = is_script ? kRoot / argv[0] : fs::path(binary(argv[0]));
    EXPECT_TRUE(fs::exists(program)) << line;
    EXPECT_NE(fs::status(program).permissions() & fs::perms::owner_exec, fs::perms::none) << line;
  }
}

TEST(Readme, FilesThatItLinksExist) {
  const std::string text = readme();
  for (std::size_t at = text.find("]("); at != text.npos; at = text.find("](", at + 1)) {
    const std::string target = text.substr(at + 2, text.find(')', at) - at - 2);
    const bool is_file = target.find("://") == target.npos;
    EXPECT_TRUE(!is_file || fs::exists(kRoot / target)) << target;
  }
}

TEST(Readme, ItsChecksOfConfigsPass) {
  for (const std::string& line : block_lines("sh")) {
    lab::Arguments argv = words(line);
    if (argv.size() < 3 || argv[0] != "gatehouse" || argv[1] != "check") continue;
    argv[0] = binary("gatehouse");
    argv[2] = kRoot / argv[2];
    const lab::Output output = lab::run({}, argv);
    EXPECT_EQ(output.exit_code, 0) << line << "\n" << output.text << output.errors;
  }
}

TEST(Readme, ItsExampleIsTheFileThatItNames) {
  std::ostringstream shown;
  for (const std::string& line : block_lines("toml")) shown << line << "\n";
  std::ifstream stream(kRoot / "config/examples/minimal.toml");
  EXPECT_EQ(shown.str(), std::string((std::istreambuf_iterator<char>(stream)), {}));
}

TEST(Readme, ItsQuestionsToADaemonAreAnswered) {
  if (const auto reason = lab::Lab::why_unsupported()) GTEST_SKIP() << *reason;
  // The lists of config/examples/protection.toml, and the file that one of them is made equal to; a host that announces.
  const std::string more = "\n[bgp]\n[[prefix_list]]\nname = \"bad\"\n[[prefix_list]]\nname = \"today\"\n";
  auto site = Site::up(quickstart_config() + more);
  ASSERT_TRUE(site) << site.error().message;
  std::ofstream("bad.txt") << "192.0.2.0/24\n";
  std::ofstream("new.toml") << quickstart_config() + more + "# another\n";
  int asked = 0;
  for (const std::string& line : block_lines("sh")) {
    lab::Arguments argv = words(line);
    if (argv.size() < 2 || argv[0] != "gatehouse" || argv[1] == "check") continue;
    std::replace(argv.begin(), argv.end(), std::string("/etc/gatehouse/site.toml"), (kRoot / "config/examples/bgp.toml").string());
    std::replace(argv.begin(), argv.end(), std::string("60s"), std::string("1s"));
    const lab::Output output = (*site)->cli("l4a", lab::Arguments(argv.begin() + 1, argv.end()));
    EXPECT_EQ(output.exit_code, 0) << line << "\n" << output.text << output.errors;
    EXPECT_FALSE(output.text.empty()) << line;
    ++asked;
  }
  fs::remove("bad.txt");
  fs::remove("new.toml");
  EXPECT_GE(asked, 3);
}

// The first command of the README, but for the build: it ends by itself, says what it saw, and leaves nothing.
TEST(Readme, ItsQuickstartShowsRequestsAndSurvivesTheKills) {
  if (const auto reason = lab::Lab::why_unsupported()) GTEST_SKIP() << *reason;
  const std::string script = "GATEHOUSE_LAB=quicktest GATEHOUSE_BUILD=" GATEHOUSE_BINARY_DIR " " + (kRoot / "deploy/quickstart").string();
  const lab::Output output = lab::run({}, {"bash", "-c", script});
  EXPECT_EQ(output.exit_code, 0) << output.text << output.errors;
  for (const char* text : {"ROUTE", "by L4 host", "by node", "by worker", "SIGKILL of a worker", "SIGKILL of everything on n2",
                           "404", "blog", "IPv6", "is pid"}) {
    EXPECT_NE(output.text.find(text), std::string::npos) << text << " is not in\n" << output.text;
  }
  const auto labs = lab::list_labs();
  EXPECT_EQ(std::find(labs.begin(), labs.end(), "quicktest"), labs.end());
}

}  // namespace
}  // namespace gatehouse::test
