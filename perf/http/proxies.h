// The proxies, each with the same task: one worker, one listener, one backend, connections kept alive on both
// sides, no access log. The peers do no more than that; gatehouse-l7 also writes the forwarding fields that
// it always writes. The floor is our own relay, two reads and two writes per request and nothing looked at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "tests/lab/process.h"

namespace gatehouse::perf {

enum class Proxy {
  kDirect,  // none: the client talks to the backend
  kGatehouse,
  kGatehouseFull,       // access log, health checks, a thousand routes
  kGatehouseDeciding,   // a thousand routes; eight backends, least-request, limits, retries, ejection
  kHaproxy,
  kNginx,
  kFloor,
};

struct Setup {
  std::string folder;  // of this launch; configs and state go there
  std::uint16_t port = 0;
  std::uint16_t backend_port = 0;
  std::vector<std::string> backends = {};  // addresses of it, more than one
  bool uses_tls = false;
  bool is_h2 = false;         // on the client side; HTTP/1.1 to the backend always
  bool is_tcp = false;        // a relay of bytes instead of a proxy of HTTP
  int workers = 1;            // of gatehouse-l7: to resume sessions on another one
  std::size_t in_flight = 0;  // idle connections to the backend are kept for as many
  std::string chain;          // PEM files
  std::string key;
};

// What each program is told (configs.cc).
std::string gatehouse_config(const Setup& setup, Proxy proxy);
std::string haproxy_config(const Setup& setup);
std::string nginx_config(const Setup& setup);

// Writes the config; returns the command.
Result<lab::Arguments> prepare(Proxy proxy, const Setup& setup);

}  // namespace gatehouse::perf
