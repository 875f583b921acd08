// Command-line flags of the tests' tools: `--name VALUE` or `--name`, each declared once with what it means,
// so that
// --help cannot lag behind. A wrong line ends the program with exit code 2 and a sentence.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <vector>

namespace gatehouse::test {

struct Flag {
  std::string_view name;   // "--connect"
  std::string_view value;  // "ADDR:PORT"; empty: the flag takes no value
  std::string_view help;
  std::function<bool(std::string_view)> take;  // false: not a value of this flag
};

[[noreturn]] inline void print_help(std::string_view program, const std::vector<Flag>& flags) {
  std::printf("usage: %.*s [flags]\n", static_cast<int>(program.size()), program.data());
  for (const Flag& flag : flags) {
    std::printf("  %-26.*s %-10.*s %.*s\n", static_cast<int>(flag.name.size()), flag.name.data(),
                static_cast<int>(flag.value.size()), flag.value.data(), static_cast<int>(flag.help.size()),
                flag.help.data());
  }
  std::exit(0);
}

inline void parse_flags(int argc, char** argv, const std::vector<Flag>& flags) {
  const auto refuse = [&](std::string_view what, std::string_view text) {
    std::fprintf(stderr, "%s: %.*s %.*s (see --help)\n", argv[0], static_cast<int>(what.size()), what.data(),
                 static_cast<int>(text.size()), text.data());
    std::exit(2);
  };
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--help") print_help(argv[0], flags);
    const Flag* flag = nullptr;
    for (const Flag& candidate : flags) {
      if (candidate.name == name) flag = &candidate;
    }
    if (!flag) refuse("unknown flag", name);
    if (!flag->value.empty() && i + 1 == argc) refuse("missing value of", name);
    const std::string_view value = flag->value.empty() ? std::string_view() : argv[++i];
    if (!flag->take(value)) refuse("wrong value of", name);
  }
}

}  // namespace gatehouse::test
