// One socket of a worker with its two buffers and what is known of its readiness. Watched edge-triggered once in its
// life: readiness is remembered here until a read or write says otherwise, so that a side that is paused for the other's
// sake costs no system call to pause or resume.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "l7/buffer.h"
#include "l7/stream.h"

namespace gatehouse::l7 {

class Wire {
 public:
  Wire(BufferPool& pool, std::unique_ptr<Stream> stream) : input_(pool), output_(pool), stream_(std::move(stream)) {}

  int fd() const { return stream_->fd(); }
  void note(std::uint32_t epoll_events);
  StreamStatus open() { return stream_->open(); }
  Stream& stream() { return *stream_; }

  Buffer& input() { return input_; }
  Buffer& output() { return output_; }
  const Buffer& output() const { return output_; }
  // Reads once into the input's room. False when nothing came: blocked, no room, at_end() or has_failed().
  bool fill() { return fill(input_); }
  // The same into another wire's output: for bytes that nobody looks at on their way.
  bool fill(Buffer& to) { return is_readable_ && !is_at_end_ && !has_read_failed_ && read(to); }
  // Writes what the output has. False when nothing left.
  bool flush() { return !output_.is_empty() && is_writable_ && !has_write_failed_ && write(); }
  // Without a copy, of clear streams only: from the socket into a pipe that is empty, and from a pipe to the socket. Return
  // how many bytes; 0 is as false of fill() and flush().
  std::size_t splice_to(int pipe, std::size_t most);
  std::size_t splice_from(int pipe, std::size_t most);
  void close_output() { stream_->close_output(); }

  bool is_readable() const { return is_readable_; }   // as far as is known
  bool is_at_end() const { return is_at_end_; }       // the peer will send nothing more
  bool has_failed() const { return has_read_failed_ || has_write_failed_; }
  // The peer broke the connection off before the end of its bytes. The kernel tells of it once only: when a write was told,
  // reading sees a mere end.
  bool is_cut() const { return has_read_failed_ || (is_at_end_ && is_reset_); }
  bool has_write_failed() const { return has_write_failed_; }
  bool is_hung_up() const { return is_hung_up_; }     // reset, or closed in both directions
  std::string failure() const { return stream_->failure(); }
  TlsDetails tls() const { return stream_->tls(); }
  std::string_view protocol() const { return stream_->protocol(); }

 private:
  bool read(Buffer& to);
  bool write();
  void note_write_failure(bool is_reset);

  Buffer input_;
  Buffer output_;
  std::unique_ptr<Stream> stream_;
  bool is_readable_ = true;
  bool is_writable_ = true;
  bool may_end_ = false;  // the kernel has seen the peer's end: only reading to it tells
  bool is_at_end_ = false;
  bool has_read_failed_ = false;
  bool is_reset_ = false;
  bool has_write_failed_ = false;  // an answer may have come before: reading goes on
  bool is_hung_up_ = false;
};

}  // namespace gatehouse::l7
