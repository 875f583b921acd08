#include "l7/backend/connection.h"

#include "l7/backend/backend.h"

namespace gatehouse::l7 {

BackendConnection::BackendConnection(EventLoop& loop, Backend& backend, std::unique_ptr<Stream> stream, BufferPool& buffers)
    : loop_(loop), owner_(backend), count_(backend.connection_count()), wire_(buffers, std::move(stream)) {
  watch_.start<&BackendConnection::on_event>(loop, wire_.fd(), EventLoop::kEdge, this);
}

BackendConnection::~BackendConnection() {
  if (count_) count_->fetch_sub(1);
}

void BackendConnection::rest(Duration idle_timeout) {
  idle_timer_.arm<&BackendConnection::on_idle_timeout>(loop_, idle_timeout, this);
}

void BackendConnection::detach() {
  watch_.stop();
  idle_timer_.cancel();
}

void BackendConnection::on_event(std::uint32_t events) {
  wire_.note(events);
  on_ready();
}

}  // namespace gatehouse::l7
