// One request each, over a Unix socket.
#include "common/cli/talk.h"

#include <unistd.h>

#include <cstdio>

#include "common/control/channel.h"

namespace gatehouse::cli {
namespace {

using Json = nlohmann::json;

constexpr const char* kSockets[] = {"/run/gatehouse-l4/control.sock", "/run/gatehouse-l7/control.sock"};

}  // namespace

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

int complain(const std::string& text, int exit_code) {
  std::fprintf(stderr, "gatehouse: %s\n", text.c_str());
  return exit_code;
}

std::string as_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Json> ask(const Invocation& invocation, const char* method, Json params, Duration patience) {
  std::string socket = invocation.socket;
  for (const char* candidate : kSockets) {
    if (socket.empty() && ::access(candidate, F_OK) == 0) socket = candidate;
  }
  if (!socket.empty()) return control::call_unix(socket, method, std::move(params), patience);
  return Error{std::string("no daemon runs here: there is neither ") + kSockets[0] + " nor " + kSockets[1] +
               "; name another with --socket PATH"};
}

Patience::Patience() {
  sigemptyset(&ends_);
  sigaddset(&ends_, SIGINT);
  sigaddset(&ends_, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends_, nullptr);
}

bool Patience::wait(Duration time) const {
  const timespec most{time.count() / 1'000, time.count() % 1'000 * 1'000'000};
  return sigtimedwait(&ends_, nullptr, &most) < 0;
}

}  // namespace gatehouse::cli
