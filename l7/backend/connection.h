// A connection to a backend, of whatever protocol: the socket, its events, and the time that it may rest unused.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "common/event_loop.h"
#include "l7/wire.h"

namespace gatehouse::l7 {

class Backend;

class BackendConnection {
 public:
  // `stream` may still be connecting. The backend has counted it; the count ends with it.
  BackendConnection(EventLoop& loop, Backend& backend, std::unique_ptr<Stream> stream, BufferPool& buffers);
  virtual ~BackendConnection();
  BackendConnection(const BackendConnection&) = delete;

  std::string identity;  // of TlsClientContext: a connection serves only those who would have made the same

  Wire& wire() { return wire_; }
  const Wire& wire() const { return wire_; }
  void detach();  // it is ending: events are for nobody any more

 protected:
  Backend& owner() { return owner_; }
  void rest(Duration idle_timeout);
  void wake() { idle_timer_.cancel(); }
  bool is_resting() const { return idle_timer_.is_armed(); }

 private:
  virtual void on_ready() = 0;  // the wire has noted an event
  virtual void on_idle_timeout() = 0;
  void on_event(std::uint32_t events);

  EventLoop& loop_;
  Backend& owner_;
  std::atomic<std::uint32_t>* count_;  // of open ones, on the board
  Wire wire_;
  Watch watch_;
  Timer idle_timer_;
};

}  // namespace gatehouse::l7
