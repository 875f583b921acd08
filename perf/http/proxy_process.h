// One launched proxy, pinned to CPU 0, in a session of its own. It and all its children end with this object.
// While it runs, its pid stands in a file, so that perf/run can end it should the benchmark itself die.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/event_loop.h"
#include "perf/http/proxies.h"

namespace gatehouse::perf {

class ProxyProcess {
 public:
  // Returns when the proxy accepts connections; `loop` turns meanwhile, as its backend lives there.
  static Result<std::unique_ptr<ProxyProcess>> start(EventLoop& loop, const lab::Arguments& command,
                                                     const Setup& setup, const std::string& pid_file);
  ~ProxyProcess();
  ProxyProcess(const ProxyProcess&) = delete;
  ProxyProcess& operator=(const ProxyProcess&) = delete;

  std::vector<pid_t> tree() const;

 private:
  ProxyProcess(EventLoop& loop, lab::ProcessId process, std::string pid_file);

  EventLoop& loop_;
  lab::ProcessId process_;
  std::string pid_file_;
};

// A port of 127.0.0.1 that was free a moment ago.
std::uint16_t free_port();
bool can_connect(std::uint16_t port);

// What the server there agrees on with this process, which offers `protocol` by ALPN.
struct NegotiatedTls {
  std::string cipher;    // version included
  std::string protocol;  // empty: none
};
Result<NegotiatedTls> negotiated_tls(std::uint16_t port, std::string_view protocol);

}  // namespace gatehouse::perf
