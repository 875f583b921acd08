#include "l7/wire.h"

#include <sys/epoll.h>

namespace gatehouse::l7 {

void Wire::note(std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) is_readable_ = true;
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) is_writable_ = true;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) may_end_ = true;
  if (events & (EPOLLHUP | EPOLLERR)) is_hung_up_ = true;
}

bool Wire::read() {
  const std::size_t room = input_.room();
  if (room == 0) return false;
  const StreamResult result = stream_->read(input_.tail(), room);
  if (result.status == StreamStatus::kDone) {
    input_.commit(result.bytes);
    if (result.is_drained && !may_end_) is_readable_ = false;
    return true;
  }
  if (result.status == StreamStatus::kBlocked) is_readable_ = result.waits_for_write;
  if (result.status == StreamStatus::kClosed) is_at_end_ = true;
  if (result.status == StreamStatus::kFailed) has_read_failed_ = true;
  if (input_.is_empty()) input_.release();
  return false;
}

bool Wire::write() {
  bool has_progress = false;
  while (!output_.is_empty() && is_writable_ && !has_write_failed_) {
    const std::string_view bytes = output_.view();
    const StreamResult result = stream_->write(bytes.data(), bytes.size());
    if (result.status == StreamStatus::kDone) {
      output_.consume(result.bytes);
      has_progress = true;
      continue;
    }
    if (result.status == StreamStatus::kBlocked) is_writable_ = false;
    // What the peer sent before it went is still there to be read, and its event may not have come yet.
    if (result.status != StreamStatus::kBlocked) has_write_failed_ = is_readable_ = may_end_ = true;
  }
  return has_progress;
}

}  // namespace gatehouse::l7
