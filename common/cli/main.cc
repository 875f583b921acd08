// gatehouse: the operator's command line for both tiers.
#include <cstdio>

#include "common/cli/commands.h"

int main(int argc, char** argv) {
  using namespace gatehouse;
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto invocation = cli::parse_command_line(cli::commands(), words);
  if (!invocation) {
    std::fprintf(stderr, "gatehouse: %s (see gatehouse --help)\n", invocation.error().message.c_str());
    return 2;
  }
  if (invocation->wants_help) {
    const cli::Command* command = invocation->command;
    std::fputs((command ? cli::help_text(*command) : cli::help_text(cli::commands())).c_str(), stdout);
    return 0;
  }
  return invocation->command->run(*invocation);
}
