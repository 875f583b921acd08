// One launch: a fresh proxy process on CPU 0, warm-up, a window of load, CPU time of the proxy's process tree
// over the requests that were answered in that window. Load client and backend live in this process, on one
// event loop on the last CPU: a backend process of its own would fight with the client for that CPU. That
// loop never sleeps, so that no proxy pays for waking it and slower ones do not get a quieter neighbour.
// Anything that would make the figure mean something else (a failed request, connections not kept alive,
// another cipher) is an Error.
#pragma once

#include <functional>
#include <string>

#include "perf/http/proxy_process.h"
#include "perf/http/reading.h"
#include "tests/support/http_server.h"
#include "tests/support/load_client.h"

namespace gatehouse::perf {

struct Load {
  enum class Kind {
    kKeepAlive,
    kFullHandshakes,
    kResumedHandshakes
  };  // the last two: a connection per request
  Kind kind = Kind::kKeepAlive;
  bool uses_tls = false;
  bool is_h2 = false;
  bool is_tcp = false;  // the proxy relays bytes
  std::uint32_t body_bytes = 128;
  std::size_t connections = 64;
  std::size_t streams = 1;  // per connection, HTTP/2
  std::size_t in_flight =
      0;            // requests at once over all connections in turn; 0: one per connection or stream
  double rate = 0;  // requests per second, Poisson; 0: as fast as answers come
};

class HttpBench {
 public:
  struct Options {
    std::string folder;
    Duration warm_up{700};
    Duration window{1'500};
    Duration settle{2'000};  // before memory is read
    Duration longest_wait_for_quiet{
        10'000};  // before a launch; and in all, so that a busy machine ends the run, too:
    Duration patience{300'000};
    bool sleeps = false;  // for comparison: this process waits for events in the kernel
  };

  explicit HttpBench(Options options);
  ~HttpBench();
  Status start();

  Result<Window> launch(Proxy proxy, const Load& load, Task task);
  const std::string& tls() const { return tls_; }  // version and cipher, once a TLS case has run

 private:
  Status prime(std::uint16_t port, const Load& load);
  Status wait_for_answers(test::LoadClient& client, std::size_t count);
  Status check_tls(std::uint16_t port, const Load& load);
  test::LoadOptions client_options(std::uint16_t port, const Load& load) const;
  Result<Window> drive(std::uint16_t port, const Load& load, Task task, const std::vector<pid_t>& proxy);
  template <typename Client>
  Result<Window> measure(Client& client, const Load& load, Task task, const std::vector<pid_t>& proxy);
  Result<Window> measure_idle_memory(std::uint16_t port, const Load& load, const std::vector<pid_t>& proxy);
  Status turn_for(Duration duration, const std::function<void()>& poll);
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
