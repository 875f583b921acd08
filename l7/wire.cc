#include "l7/wire.h"

#include <fcntl.h>
#include <sys/epoll.h>

#include <cerrno>

namespace gatehouse::l7 {

void Wire::note(std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) is_readable_ = true;
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) is_writable_ = true;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) may_end_ = true;
  if (events & (EPOLLHUP | EPOLLERR)) is_hung_up_ = true;
}

bool Wire::read(Buffer& to) {
  const std::size_t room = to.room();
  if (room == 0) return false;
  const StreamResult result = stream_->read(to.tail(), room);
  if (result.status == StreamStatus::kDone) {
    to.commit(result.bytes);
    if (result.is_drained && !may_end_) is_readable_ = false;
    return true;
  }
  if (result.status == StreamStatus::kBlocked) is_readable_ = result.waits_for_write;
  if (result.status == StreamStatus::kClosed) is_at_end_ = true;
  if (result.status == StreamStatus::kFailed) has_read_failed_ = true;
  if (to.is_empty()) to.release();
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
    if (result.status != StreamStatus::kBlocked) note_write_failure(result.is_reset);
  }
  return has_progress;
}

// What the peer sent before it went is still there to be read, and its event may not have come yet.
void Wire::note_write_failure(bool is_reset) {
  has_write_failed_ = is_readable_ = may_end_ = true;
  is_reset_ |= is_reset;
}

std::size_t Wire::splice_to(int pipe, std::size_t most) {
  if (!is_readable_ || is_at_end_ || has_read_failed_) return 0;
  const ssize_t count = splice(fd(), nullptr, pipe, nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (count > 0) return static_cast<std::size_t>(count);
  if (count == 0) {
    is_at_end_ = true;
  } else if (errno == EAGAIN) {
    is_readable_ = false;  // the socket is what blocks: the pipe is empty
  } else {
    has_read_failed_ = true;
  }
  return 0;
}

std::size_t Wire::splice_from(int pipe, std::size_t most) {
  if (!is_writable_ || has_write_failed_) return 0;
  const ssize_t count = splice(pipe, nullptr, fd(), nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (count > 0) return static_cast<std::size_t>(count);
  if (errno == EAGAIN) {
    is_writable_ = false;
  } else {
    note_write_failure(errno == ECONNRESET);
  }
  return 0;
}

}  // namespace gatehouse::l7
