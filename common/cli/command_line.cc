// Parsing and help of the command line, both from the table of commands.
#include "common/cli/command_line.h"

#include <algorithm>

#include "common/cli/text_table.h"
#include "common/config/findings.h"

namespace gatehouse::cli {
namespace {

constexpr Flag kGlobalFlags[] = {
    {"--socket", "PATH",
     "the daemon's control socket; default: that of gatehouse-l4 here, else of gatehouse-l7"},
    {"--help", "", "this text; after a command, what the command takes"}};

Error unknown(std::string_view what, std::string_view word, const std::vector<std::string>& known) {
  return Error{"unknown " + std::string(what) + " \"" + std::string(word) + "\"" +
               config::suggest(word, known)};
}

// How many arguments a command takes.
struct Range {
  std::size_t least, most;
};
Range count_arguments(std::string_view text) {
  const std::size_t words = text.empty() ? 0 : static_cast<std::size_t>(std::count(text.begin(), text.end(), ' ')) + 1;
  const std::size_t optional = static_cast<std::size_t>(std::count(text.begin(), text.end(), '['));
  return {words - optional, text.ends_with("...]") ? std::string_view::npos : words};
}

std::string usage(const Command& command) {
  std::string text = "gatehouse " + std::string(command.name);
  if (!command.arguments.empty()) text += " " + std::string(command.arguments);
  for (const Flag& flag : command.flags) {
    text += " [" + std::string(flag.name) + (flag.value.empty() ? "" : " " + std::string(flag.value)) + "]";
  }
  return text;
}

std::string flag_table(std::span<const Flag> flags) {
  TextTable table;
  for (const Flag& flag : flags) {
    table.add_row({"  " + std::string(flag.name) + " " + std::string(flag.value), std::string(flag.help)});
  }
  return table.text();
}

class Parser {
 public:
  Parser(std::span<const Command> commands, const std::vector<std::string>& words)
      : commands_(commands), words_(words) {}

  Result<Invocation> parse() {
    while (next_ < words_.size()) {
      const std::string& word = words_[next_++];
      const bool is_flag = word.size() > 1 && word[0] == '-';
      if (Status status = is_flag ? take_flag(word) : take_word(word); !status) return status.error();
    }
    if (invocation_.wants_help) return invocation_;
    if (!invocation_.command) return Error{"a command is missing"};
    return check_arguments();
  }

 private:
  Result<Invocation> check_arguments() const {
    const Command& command = *invocation_.command;
    const auto [least, most] = count_arguments(command.arguments);
    const std::size_t given = invocation_.arguments.size();
    if (given >= least && given <= most) return invocation_;
    const std::string name(command.name);
    if (most == 0) return Error{name + " takes no arguments"};
    return Error{name + " takes " + std::string(command.arguments) + ", not " + std::to_string(given) +
                 (given == 1 ? " argument" : " arguments")};
  }

  Status take_word(const std::string& word) {
    if (invocation_.command) {
      invocation_.arguments.push_back(word);
      return {};
    }
    if (word == "help") {
      invocation_.wants_help = true;
      return {};
    }
    std::vector<std::string> known;
    for (const Command& command : commands_) {
      if (command.name == word) {
        invocation_.command = &command;
        return {};
      }
      known.emplace_back(command.name);
    }
    return unknown("command", word, known);
  }

  Status take_flag(const std::string& word) {
    if (word == "--help" || word == "-h") {
      invocation_.wants_help = true;
      return {};
    }
    // "--flag=value" is what many will type.
    const std::size_t equals = word.starts_with("--") ? word.find('=') : word.npos;
    const std::string name = word.substr(0, equals);
    const Flag* flag = find_flag(name);
    if (!flag) return unknown_flag(name);
    if (equals != word.npos && flag->value.empty()) return Error{name + " takes no value"};
    std::string value;
    if (equals != word.npos) {
      value = word.substr(equals + 1);
    } else if (!flag->value.empty() && next_ < words_.size()) {
      value = words_[next_++];
    }
    if (value.empty() && !flag->value.empty()) {
      return Error{name + " needs a value: " + name + " " + std::string(flag->value)};
    }
    if (flag->name == "--socket") {
      invocation_.socket = value;
    } else {
      invocation_.flags.emplace_back(flag->name, value);
    }
    return {};
  }

  const Flag* find_flag(std::string_view name) const {
    const auto is_it = [name](const Flag& flag) { return flag.name == name; };
    if (const auto found = std::ranges::find_if(kGlobalFlags, is_it); found != std::end(kGlobalFlags))
      return found;
    if (!invocation_.command) return nullptr;
    const std::vector<Flag>& flags = invocation_.command->flags;
    const auto found = std::ranges::find_if(flags, is_it);
    return found == flags.end() ? nullptr : &*found;
  }

  Error unknown_flag(std::string_view name) const {
    std::vector<std::string> known;
    for (const Flag& flag : kGlobalFlags) known.emplace_back(flag.name);
    if (!invocation_.command) return unknown("flag", name, known);
    for (const Flag& flag : invocation_.command->flags) known.emplace_back(flag.name);
    return unknown("flag of " + std::string(invocation_.command->name), name, known);
  }

  std::span<const Command> commands_;
  const std::vector<std::string>& words_;
  std::size_t next_ = 0;
  Invocation invocation_;
};

}  // namespace

bool Invocation::has(std::string_view flag) const {
  return std::ranges::any_of(flags, [flag](const auto& given) { return given.first == flag; });
}

std::vector<std::string> Invocation::values(std::string_view flag) const {
  std::vector<std::string> result;
  for (const auto& [name, value] : flags) {
    if (name == flag) result.push_back(value);
  }
  return result;
}

Result<Invocation> parse_command_line(std::span<const Command> commands,
                                      const std::vector<std::string>& words) {
  return Parser(commands, words).parse();
}

std::span<const Flag> global_flags() { return kGlobalFlags; }

std::string help_text(std::span<const Command> commands) {
  TextTable table;
  for (const Command& command : commands) {
    table.add_row(
        {"  " + std::string(command.name) + " " + std::string(command.arguments), std::string(command.help)});
  }
  return "usage: gatehouse [--socket PATH] COMMAND ...\n\n" + table.text() + "\n" + flag_table(kGlobalFlags);
}

std::string help_text(const Command& command) {
  std::string text = "usage: " + usage(command) + "\n\n" + std::string(command.help) + "\n";
  if (!command.flags.empty()) text += "\n" + flag_table(command.flags);
  return text;
}

}  // namespace gatehouse::cli
