// What waits for clients on a listening socket: takes every one that came, and stands still for a moment when
// there are no descriptors left, so that those who wait stay in the kernel's queue and the loop does not spin.
#pragma once

#include <functional>

#include "common/address.h"
#include "common/event_loop.h"
#include "common/fd.h"
#include "common/result.h"

namespace gatehouse {

// A TCP socket that listens on `address` (port 0: one that is free), non-blocking. Errors name the address.
Result<Fd> listen_tcp(const Endpoint& address, int backlog);

class Acceptor {
 public:
  // `take` gets each client's socket, non-blocking and close-on-exec.
  Acceptor(EventLoop& loop, Fd socket, std::function<void(Fd)> take);

 private:
  void on_ready(std::uint32_t events);
  void resume();

  static constexpr Duration kPause{100};

  EventLoop& loop_;
  Fd socket_;
  std::function<void(Fd)> take_;
  Watch watch_;
  Timer pause_;
};

}  // namespace gatehouse
