// One HTTP/2 connection, of either role: nghttp2 between a Wire and the streams. Bytes that come are worked through whole
// before any exchange runs; frames that go out are gathered in the wire's output and written once per turn of the loop,
// which stream's is next being nghttp2's choice by RFC 9218. It holds no more for a peer than the windows that it opened
// and a bounded amount of what the peer does not take. The codecs derive from it: H2Client, H2Connection.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "l7/http/h2_head.h"
#include "l7/http/h2_stream.h"
#include "l7/wire.h"

namespace gatehouse::l7 {

struct WorkerContext;

class H2Session {
 public:
  struct Limits {
    std::uint32_t max_streams = 100;          // of the peer, at once
    std::uint32_t stream_window = 64 * 1024;  // at most what H2Stream can hold
    std::uint32_t max_header = 16 * 1024;     // bytes of a header section; of trailers too
  };

  H2Session(WorkerContext& context, Wire& wire) : context_(context), wire_(wire), crumbs_(buffers_of(context)) {}
  H2Session(const H2Session&) = delete;

  EventLoop::Clock::time_point now() const;
  // The loop's turn ends: writes what has gathered.
  void on_turn_end();
  bool is_flush_due = false;  // in WorkerContext's list

 protected:
  enum class Role : std::uint8_t { kServer, kClient };
  virtual ~H2Session();

  void start(Role role, const Limits& limits, std::span<const nghttp2_settings_entry> settings);
  nghttp2_session* session() const { return session_; }
  WorkerContext& context() { return context_; }

  // Works through what there is to read. False: nothing more can be read, the connection is to end.
  bool receive();
  // Calls on_stream_ready() for every stream that something has happened to.
  void run_ready();
  void make_ready(H2Stream& stream);
  void flush_later();
  // Ends the connection with a GOAWAY; exchanges are the codec's to abort.
  void terminate(std::uint32_t code);
  bool is_over() const { return has_failed_ || (frame_.empty() && !nghttp2_session_want_read(session_) && !nghttp2_session_want_write(session_)); }
  void stop() { is_stopped_ = true; }  // nothing goes out any more
  bool is_within_head() const { return head_stream_ != nullptr; }
  bool has_unsent() const { return unsent_ > 0; }

  void add(H2Stream& stream, std::int32_t id);
  void remove(H2Stream& stream);
  void close_all(std::uint32_t error);  // the connection is gone under them
  std::size_t streams() const { return count_; }
  template <typename Visit>
  void for_each_stream(Visit visit) {
    for (H2Stream *stream = first_, *next; stream; stream = next) {
      next = stream->next_;
      visit(*stream);
    }
  }
  // A head for a stream: of a response or an interim one (server), or of a request (client), which names the stream.
  bool submit_response(H2Stream& stream, const http::H2Fields& fields, bool is_last);
  bool submit_interim(H2Stream& stream, const http::H2Fields& fields);
  std::int32_t submit_request(H2Stream& stream, const http::H2Fields& fields, bool is_last);
  // The peer takes so little that further heads must wait.
  bool is_congested() const;
  // Since when it has taken nothing of what is there for it to take.
  static EventLoop::Clock::time_point moved_at(const H2Stream& stream) { return stream.moved_; }

 private:
  friend class H2Stream;
  friend struct H2Callbacks;

  // What happens, told while bytes are worked through: nothing may be sent then.
  virtual H2Stream* begin_stream(std::int32_t id) = 0;  // of the peer; nullptr: not taken
  // Whether it was the message's head, behind which only trailers come. Of one that is too large the rest is missing.
  virtual bool on_head_done(H2Stream& stream, bool is_too_large) = 0;
  virtual void on_large_head(std::size_t bytes) = 0;  // at every field beyond the limit
  virtual void on_frame(const nghttp2_frame& frame) = 0;
  virtual void on_frame_begun(std::uint8_t) {}  // of every type, those that are passed over too
  virtual void on_abuse(int) {}  // nghttp2's error, before the connection ends
  // And when it is over: the stream has a head or a body to be read, or has room, or is closed.
  virtual void on_stream_ready(H2Stream& stream) = 0;
  virtual void on_end_sent(H2Stream&) {}  // our half of the stream; while frames go out, as the next
  virtual void on_frame_sent(const nghttp2_frame&) {}
  virtual void after_flush() = 0;

  static BufferPool& buffers_of(WorkerContext& context);
  std::size_t room_of(const H2Stream& stream) const;
  void send(H2Stream& stream);
  void open_window(H2Stream& stream, std::size_t bytes);
  void reset(H2Stream& stream, std::uint32_t code);
  void count_unsent(std::ptrdiff_t change) { unsent_ += change; }
  void pump();
  bool make_room();
  void wake_starved();
  void fail(int error);

  WorkerContext& context_;
  Wire& wire_;
  nghttp2_session* session_ = nullptr;
  Limits limits_;
  std::vector<H2Stream*> ready_;
  H2Stream* first_ = nullptr;
  std::size_t count_ = 0;
  H2Stream* head_stream_ = nullptr;  // whose header section is not complete
  std::size_t head_bytes_ = 0;
  Buffer crumbs_;                    // of its cookie (RFC 9113 §8.2.3)
  std::string_view frame_;           // nghttp2's, not yet in the output
  std::ptrdiff_t unsent_ = 0;        // bytes in the buffers of all streams
  bool is_receiving_ = false;
  bool is_pumping_ = false;
  bool is_held_ = false;
  bool has_starved_ = false;
  bool has_failed_ = false;
  bool is_stopped_ = false;
};

}  // namespace gatehouse::l7
