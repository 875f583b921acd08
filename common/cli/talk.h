// How commands talk: to a daemon by its socket, to people on standard output and error.
#pragma once

#include <signal.h>

#include <nlohmann/json.hpp>
#include <string>

#include "common/cli/command_line.h"
#include "common/result.h"
#include "common/units.h"

namespace gatehouse::cli {

inline constexpr Duration kPatience{10'000};  // with a daemon

void print(const std::string& text);
// To be returned by a command.
int complain(const std::string& text, int exit_code = 1);
std::string as_line(const nlohmann::json& json);

// Asks the daemon of --socket, or the one that runs here.
Result<nlohmann::json> ask(const Invocation& invocation, const char* method, nlohmann::json params,
                           Duration patience = kPatience);

// Of a command that goes on until somebody wants its end: SIGINT and SIGTERM are blocked from now on, and
// waited for.
class Patience {
 public:
  Patience();
  bool wait_a_second() const { return wait(Duration(1'000)); }
  // False: somebody wants this to end.
  bool wait(Duration time) const;

 private:
  sigset_t ends_;
};

}  // namespace gatehouse::cli
