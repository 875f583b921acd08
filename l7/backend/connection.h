// One connection to a backend: idle in its Backend, or leased to one exchange, which hears of every event.
#pragma once

#include <memory>
#include <string>

#include "common/event_loop.h"
#include "l7/wire.h"

namespace gatehouse::l7 {

class Backend;
class Exchange;

class BackendConnection {
 public:
  // `wire` may still be connecting.
  BackendConnection(EventLoop& loop, Backend& backend, std::unique_ptr<Stream> stream, BufferPool& buffers);

  Wire& wire() { return wire_; }
  Backend& backend() { return backend_; }
  bool is_reused() const { return is_reused_; }

  std::string identity;  // of TlsClientContext: a connection serves only those who would have made the same

  // Both directions of the lease; called by Backend.
  void lease_to(Exchange& exchange);
  void rest(EventLoop& loop, Duration idle_timeout);
  void detach();  // it is ending: events are for nobody any more

 private:
  void on_event(std::uint32_t events);
  void on_idle_timeout();

  Backend& backend_;
  Wire wire_;
  Watch watch_;
  Timer idle_timer_;
  Exchange* exchange_ = nullptr;
  bool is_reused_ = false;
};

}  // namespace gatehouse::l7
