#include "l7/handshake_queue.h"

#include "l7/client_connection.h"

namespace gatehouse::l7 {

bool HandshakeQueue::admit(ClientConnection& connection) {
  if (connection.handshake_place) return false;
  begin_turn();
  // Nobody overtakes those who wait.
  if (spent_ < limit_ && (is_running_ || waiting_.empty())) return true;
  connection.handshake_place = waiting_.insert(waiting_.end(), &connection);
  run_later();
  return false;
}

void HandshakeQueue::forget(ClientConnection& connection) {
  if (!connection.handshake_place) return;
  waiting_.erase(*connection.handshake_place);
  connection.handshake_place.reset();
}

void HandshakeQueue::begin_turn() {
  if (std::exchange(turn_, loop_.now()) != turn_) spent_ = 0;
}

void HandshakeQueue::run_later() {
  if (!std::exchange(is_due_, true)) loop_.defer([this] { run(); });
}

// At the end of a turn, in which newcomers may have had a share of the limit only while nobody waited.
void HandshakeQueue::run() {
  begin_turn();
  is_due_ = false;
  is_running_ = true;
  while (spent_ < limit_ && !waiting_.empty()) {
    ClientConnection& next = *waiting_.front();
    forget(next);
    next.advance();
  }
  is_running_ = false;
  if (!waiting_.empty()) run_later();
}

}  // namespace gatehouse::l7
