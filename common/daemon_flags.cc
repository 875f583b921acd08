// One table, three uses.
#include "common/daemon_flags.h"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "common/config/findings.h"
#include "common/manual.h"

namespace gatehouse {
namespace {

std::string with_value(const DaemonFlag& flag) {
  return "--" + std::string(flag.name) + (flag.value.empty() ? "" : " " + std::string(flag.value));
}

std::string synopsis(const DaemonProgram& program) {
  std::string text(program.name);
  for (const DaemonFlag& flag : program.flags) {
    if (!flag.help.empty()) text += flag.is_needed ? " " + with_value(flag) : " [" + with_value(flag) + "]";
  }
  return text;
}

}  // namespace

Result<std::map<std::string, std::string>> parse_daemon_flags(int argc, char** argv,
                                                              std::span<const DaemonFlag> flags) {
  std::map<std::string, std::string> given;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::string name = word.starts_with("--") ? word.substr(2) : "";
    const auto flag = std::find_if(flags.begin(), flags.end(),
                                   [&name](const DaemonFlag& each) { return each.name == name; });
    if (flag == flags.end()) {
      std::vector<std::string> known;
      for (const DaemonFlag& each : flags) {
        if (!each.help.empty()) known.push_back("--" + std::string(each.name));
      }
      return Error{"unknown flag \"" + word + "\"" + config::suggest(word, known)};
    }
    if (flag->value.empty()) {
      given[name] = "true";
    } else if (i + 1 == argc) {
      return Error{word + " needs a value"};
    } else {
      given[name] = argv[++i];
    }
  }
  return given;
}

DaemonCommand::DaemonCommand(int argc, char** argv, const DaemonProgram& program) : program_(program) {
  auto flags = parse_daemon_flags(argc, argv, program.flags);
  if (!flags) {
    std::fprintf(stderr, "%s: %s\n", std::string(program_.name).c_str(), flags.error().message.c_str());
    exit_status_ = 2;
    return;
  }
  flags_ = std::move(*flags);
  if (!has("help") && !has("manual")) return;
  std::fputs((has("help") ? usage_of(program_) : manual_of(program_)).c_str(), stdout);
  exit_status_ = 0;
}

std::string DaemonCommand::value(const std::string& name, const char* otherwise) const {
  const auto found = flags_.find(name);
  return found == flags_.end() ? otherwise : found->second;
}

int DaemonCommand::misused() const {
  std::fputs(usage_of(program_).c_str(), stderr);
  return 2;
}

int DaemonCommand::failed(const Error& error) const {
  std::fprintf(stderr, "%s: cannot start:\n%s\n", std::string(program_.name).c_str(), error.message.c_str());
  return 1;
}

std::string usage_of(const DaemonProgram& program) {
  std::size_t width = 0;
  for (const DaemonFlag& flag : program.flags) width = std::max(width, with_value(flag).size());
  std::string text = "usage: " + synopsis(program) + "\n";
  for (const DaemonFlag& flag : program.flags) {
    if (flag.help.empty()) continue;
    const std::string left = with_value(flag);
    text += "  " + left + std::string(width - left.size() + 2, ' ') + std::string(flag.help) + "\n";
  }
  return text;
}

std::string manual_of(const DaemonProgram& program) {
  ManualPage page(program.name, 8, program.summary);
  page.begin("SYNOPSIS");
  page.paragraph(synopsis(program));
  page.begin("DESCRIPTION");
  page.paragraph(program.description);
  page.begin("OPTIONS");
  for (const DaemonFlag& flag : program.flags) {
    if (!flag.help.empty()) page.item(with_value(flag), flag.help);
  }
  page.begin("SIGNALS");
  page.item("SIGTERM, SIGINT", "End.");
  page.item("SIGHUP", "Read the config anew. A file with an error changes nothing.");
  page.item("SIGUSR1", "Open log files anew.");
  page.begin("ENVIRONMENT");
  page.item("GATEHOUSE_LOG", "What is logged to standard error: debug, info, warn or error.");
  page.item("NOTIFY_SOCKET, WATCHDOG_USEC",
            "Where and how often the service manager wants to hear of the daemon: sd_notify(3).");
  page.begin("SEE ALSO");
  page.paragraph("gatehouse(1), gatehouse-l4(8), gatehouse-l7(8)");
  return page.text();
}

}  // namespace gatehouse
