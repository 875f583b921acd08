// How many TLS handshakes begin in one turn of the loop. A handshake is a hundred times the work of a
// request: a flood of them waits here in order of arrival, and connections that are open have their turns in
// between.
#pragma once

#include <cstdint>
#include <list>

#include "common/event_loop.h"

namespace gatehouse::l7 {

class ClientConnection;

class HandshakeQueue {
 public:
  using Place = std::list<ClientConnection*>::iterator;

  explicit HandshakeQueue(EventLoop& loop) : loop_(loop) {}
  void set_limit(std::uint32_t handshakes_per_turn) { limit_ = handshakes_per_turn; }

  // Whether `connection` may begin its handshake now. If not, its advance() is called in one of the next
  // turns.
  bool admit(ClientConnection& connection);
  // A handshake that was admitted did begin.
  void spend() { ++spent_; }
  void forget(ClientConnection& connection);  // harmless when it does not wait
  std::size_t size() const { return waiting_.size(); }

 private:
  void begin_turn();
  void run_later();
  void run();

  EventLoop& loop_;
  std::list<ClientConnection*> waiting_;
  EventLoop::Clock::time_point turn_{};
  std::uint32_t limit_ = 8;
  std::uint32_t spent_ = 0;
  bool is_due_ = false;
  bool is_running_ = false;
};

}  // namespace gatehouse::l7
