// The manual page and the completion have all that the command line has, and nothing else.
#include "common/cli/documentation.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "common/cli/commands.h"

namespace gatehouse::cli {
namespace {

std::string output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  char buffer[4096];
  for (std::size_t got; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, got);
  pclose(pipe);
  return text;
}

// What bash offers after `words` ("gatehouse sta").
std::string completed(const std::string& words) {
  const std::string file = testing::TempDir() + "/completion-" + std::to_string(getpid());
  FILE* script = fopen(file.c_str(), "w");
  const std::string text = bash_completion(commands());
  fwrite(text.data(), 1, text.size(), script);
  fclose(script);
  const std::string answer =
      output_of("cd / && bash -c 'source " + file + "; COMP_WORDS=(" + words +
                " \"\"); [ -n \"$1\" ] && COMP_WORDS[-1]=$1; COMP_CWORD=$((${#COMP_WORDS[@]}-1)); "
                "_gatehouse; echo \"${COMPREPLY[*]}\"' 2>&1");
  std::remove(file.c_str());
  return answer;
}

TEST(Documentation, TheManualPageNamesEveryCommandAndFlag) {
  const std::string page = manual_page(commands());
  for (const Command& command : commands()) {
    EXPECT_NE(page.find("gatehouse " + std::string(command.name)), page.npos) << command.name;
    for (const Flag& flag : command.flags) {
      std::string name;
      for (const char letter : flag.name) name += letter == '-' ? "\\-" : std::string(1, letter);
      EXPECT_NE(page.find("    " + name), page.npos) << command.name << " " << flag.name;
    }
  }
}

TEST(Documentation, RoffHasNothingToSayAgainstThePage) {
  if (output_of("command -v groff").empty()) GTEST_SKIP() << "groff is not installed";
  const std::string file = testing::TempDir() + "/manual-" + std::to_string(getpid());
  FILE* page = fopen(file.c_str(), "w");
  const std::string text = manual_page(commands());
  fwrite(text.data(), 1, text.size(), page);
  fclose(page);
  EXPECT_EQ(output_of("groff -man -Tascii -ww -z " + file + " 2>&1"), "");
  std::remove(file.c_str());
}

TEST(Documentation, BashCompletesCommandsThenTheirFlags) {
  std::string all = "--socket --help";
  for (const Command& command : commands()) all += " " + std::string(command.name);
  EXPECT_EQ(completed("gatehouse"), all + "\n");
  EXPECT_EQ(completed("gatehouse status"), "--socket --help --json --watch\n");
  EXPECT_EQ(completed("gatehouse --socket /x status"), "--socket --help --json --watch\n");
  EXPECT_NE(completed("gatehouse check").find("etc"), std::string::npos) << "files, where one is wanted";
  EXPECT_EQ(completed("gatehouse nonsense"), "\n");
}

}  // namespace
}  // namespace gatehouse::cli
