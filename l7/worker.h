// A worker: one process, one thread, one event loop; listeners, client connections, backend pools. It is told what
// to serve by set_config/set_listeners and knows nothing of the control protocol (worker_main.cc connects the two).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/event_loop.h"
#include "common/fd.h"
#include "l7/board.h"
#include "l7/cookie_seal.h"
#include "l7/runtime.h"
#include "l7/tls/ticket_keys.h"

namespace gatehouse::l7 {

struct WorkerIdentity {
  std::uint32_t index = 0;      // place on the board
  std::string node;             // node name, for the access log
};

// A listening socket of a configured listener. A listener may have several (addresses, or one for steering).
struct ListenerSocket {
  std::string listener;         // config::Listener::name
  std::string key;              // stays the same across reloads for the same socket
  Fd socket;
};

class Worker {
 public:
  Worker(EventLoop& loop, Board& board, WorkerIdentity identity);
  ~Worker();

  // New connections and new requests use it at once; a request that has begun ends with the one it began with. Returns
  // the config's digest; an Error (a certificate is not usable) changes nothing.
  Result<std::uint64_t> set_config(config::Config config, const TlsFiles& files);
  // The backends of a pool as discovery knows them now: of its next requests. Nothing else changes.
  void set_backends(std::string_view pool, std::span<const config::Backend> backends);
  // Before the first, sessions are not resumed.
  void set_ticket_keys(const TicketWindow& keys);
  // Before the first, cookies of ours are neither read nor set.
  void set_cookie_keys(const CookieKeys& keys);
  // Adds the sockets whose key is new (closing others passed in) and closes those whose key is absent.
  void set_listeners(std::vector<ListenerSocket> sockets);
  void set_access_log(Fd file);  // append mode; lines are written once per turn
  // Stops accepting (pending connections of the accept queue are still served), finishes exchanges, closes idle
  // keep-alive connections, then calls on_drained; at the latest after `timeout`.
  void drain(Duration timeout, std::function<void()> on_drained);
  // The same for a worker in whose place another serves on, in a client's own time: connections that are idle stay until their
  // next request, whose answer says that it is the last. Its sockets go on accepting for `handshakes`: clients whose
  // handshake has begun have been promised them.
  void leave_gently(Duration timeout, Duration handshakes, std::function<void()> on_drained);
  // Of all listeners, to be handed on; they stay this worker's, too.
  struct Lent {
    std::string key;
    int socket;
  };
  std::vector<Lent> sockets() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gatehouse::l7
