// A daemon's command line, declared once: what is parsed, what --help prints and the manual page are made of
// it.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/result.h"

namespace gatehouse {

struct DaemonFlag {
  std::string_view name;   // "config"
  std::string_view value;  // "FILE"; empty: a switch
  std::string_view help;   // empty: for ourselves only
  bool is_needed = false;
};

struct DaemonProgram {
  std::string_view name;
  std::string_view summary;
  std::string_view description;  // paragraphs, of the manual page
  std::span<const DaemonFlag> flags;
};

// Flags by name; that of a switch is "true". Errors say which flags exist.
Result<std::map<std::string, std::string>> parse_daemon_flags(int argc, char** argv,
                                                              std::span<const DaemonFlag> flags);

// What a daemon's main() was called with: --help, --manual and mistakes are answered already.
class DaemonCommand {
 public:
  DaemonCommand(int argc, char** argv, const DaemonProgram& program);

  // There is nothing left to do but to end with this.
  const std::optional<int>& exit_status() const { return exit_status_; }
  bool has(const std::string& name) const { return flags_.contains(name); }
  std::string value(const std::string& name, const char* otherwise = "") const;

  // Each prints why, and is what to end with.
  int misused() const;
  int failed(const Error& error) const;

 private:
  const DaemonProgram& program_;
  std::map<std::string, std::string> flags_;
  std::optional<int> exit_status_;
};

std::string usage_of(const DaemonProgram& program);
std::string manual_of(const DaemonProgram& program);

}  // namespace gatehouse
