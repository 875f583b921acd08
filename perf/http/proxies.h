// The three proxies, each with the same task: one worker, one listener, one backend, connections kept alive
// on both sides, no access log. The peers do no more than that; gatehouse-l7 also writes the forwarding
// fields that it always writes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"
#include "tests/lab/process.h"

namespace gatehouse::perf {

enum class Proxy {
  kGatehouse,
  kHaproxy,
  kNginx,
  kHaproxyAgain
};  // the last: control, how far two equals differ
std::string_view to_string(Proxy proxy);

struct Setup {
  std::string folder;  // of this launch; configs and state go there
  std::uint16_t port = 0;
  std::uint16_t backend_port = 0;
  bool uses_tls = false;
  std::string chain;  // PEM files
  std::string key;
};

// Writes the config; returns the command.
Result<lab::Arguments> prepare(Proxy proxy, const Setup& setup);

}  // namespace gatehouse::perf
