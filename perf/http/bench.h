// One launch: a fresh proxy process on CPU 0, warm-up, a window of saturated load, CPU time of the proxy's
// process tree over the requests that were answered in that window. Load client and backend live in this
// process, on one event loop on the last CPU: a backend process of its own would fight with the client for
// that CPU. Anything that would make the figure mean something else (a failed request, connections not kept
// alive, another cipher) is an Error.
#pragma once

#include <string>

#include "perf/http/proxy_process.h"
#include "tests/support/http_server.h"
#include "tests/support/load_client.h"

namespace gatehouse::perf {

struct Load {
  bool uses_tls = false;
  std::uint32_t body_bytes = 100;
};
std::string to_string(const Load& load);

struct Window {
  double cpu_us_per_request = 0;      // of the proxy
  double harness_us_per_request = 0;  // of client and backend together
  double requests_per_second = 0;
  double proxy_cores = 0;
  double harness_cores = 0;
  double foreign_cores = 0;  // what others used of the machine
  bool is_quiet() const { return foreign_cores <= 0.10; }
};

class HttpBench {
 public:
  struct Options {
    std::string folder;
    Duration warm_up{700};
    Duration window{2'000};
    Duration longest_wait_for_quiet{20'000};
  };

  explicit HttpBench(Options options);
  ~HttpBench();
  Status start();

  Result<Window> launch(Proxy proxy, const Load& load);
  Result<Window> direct(const Load& load);         // no proxy: what the harness alone costs
  const std::string& tls() const { return tls_; }  // version and cipher, once a TLS case has run

 private:
  struct Reading;
  Result<Window> measure(std::uint16_t port, const Load& load, const std::vector<pid_t>& proxy);
  test::LoadOptions client_options(std::uint16_t port, const Load& load) const;
  Status check_tls(std::uint16_t port);
  Reading read(test::LoadClient& client, const std::vector<pid_t>& proxy) const;
  Status turn_for(Duration duration);
  Status wait_for_quiet();

  Options options_;
  EventLoop loop_;
  test::HttpServer backend_;
  std::string chain_, key_, ca_;
  std::string tls_;
};

// A SIGINT or SIGTERM makes every call of a bench return an Error, so that everything ends in order.
void stop_on_signals();

}  // namespace gatehouse::perf
