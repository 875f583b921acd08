#include "l7/backend/connection.h"

#include "l7/backend/backend.h"
#include "l7/exchange.h"

namespace gatehouse::l7 {

BackendConnection::BackendConnection(EventLoop& loop, Backend& backend, std::unique_ptr<Stream> stream, BufferPool& buffers)
    : backend_(backend), wire_(buffers, std::move(stream)) {
  watch_.start<&BackendConnection::on_event>(loop, wire_.fd(), EventLoop::kEdge, this);
}

void BackendConnection::lease_to(Exchange& exchange) {
  exchange_ = &exchange;
  idle_timer_.cancel();
}

void BackendConnection::rest(EventLoop& loop, Duration idle_timeout) {
  exchange_ = nullptr;
  is_reused_ = true;
  idle_timer_.arm<&BackendConnection::on_idle_timeout>(loop, idle_timeout, this);
}

void BackendConnection::detach() {
  exchange_ = nullptr;
  watch_.stop();
  idle_timer_.cancel();
}

void BackendConnection::on_event(std::uint32_t events) {
  wire_.note(events);
  if (exchange_) return exchange_->on_backend_event();
  if (!idle_timer_.is_armed()) return;
  // Nothing is expected while idle: bytes would answer nobody, and an end is an end. An edge alone says nothing: it may
  // be of bytes that were read with those before them.
  if (wire_.fill() || wire_.is_at_end() || wire_.has_failed()) backend_.drop_idle(*this);
}

void BackendConnection::on_idle_timeout() { backend_.drop_idle(*this); }

}  // namespace gatehouse::l7
