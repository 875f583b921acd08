// The command line as data: what commands and flags there are, and what somebody typed. Help text and errors
// are made from the same table that is parsed, so that neither can lag behind. Pure: nothing is printed or
// run here.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"

namespace gatehouse::cli {

struct Flag {
  std::string_view name;   // "--json"
  std::string_view value;  // "PATH"; empty: the flag takes no value
  std::string_view help;
};

struct Invocation;

struct Command {
  std::string_view name;
  std::string_view arguments;  // "METHOD URL"; one word each, all of them needed but those in brackets; "[X...]": any number
  std::string_view help;
  std::vector<Flag> flags;
  int (*run)(const Invocation&);  // returns the exit code
};

struct Invocation {
  const Command* command = nullptr;  // none: the help of all commands is wanted
  bool wants_help = false;
  std::string socket;  // empty: the default
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string_view, std::string>> flags;  // in the order given

  bool has(std::string_view flag) const;
  std::vector<std::string> values(std::string_view flag) const;
};

// `words`: without the program's name. Errors say what was expected and what was probably meant.
Result<Invocation> parse_command_line(std::span<const Command> commands,
                                      const std::vector<std::string>& words);

// Understood before and after every command.
std::span<const Flag> global_flags();

std::string help_text(std::span<const Command> commands);
std::string help_text(const Command& command);

}  // namespace gatehouse::cli
