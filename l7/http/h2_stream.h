// The two bodies of one HTTP/2 stream. What has come waits here until the exchange takes it, and only then is the peer's
// window opened again; what goes out is taken by the session when it is the stream's turn, straight from the exchange's
// hands when that is now, else from a bounded buffer. Owned and pooled by the connection's codec.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/event_loop.h"
#include "l7/buffer.h"
#include "l7/http/field_block.h"
#include "l7/http/message.h"

namespace gatehouse::l7 {

class H2Session;

class H2Stream {
 public:
  explicit H2Stream(BufferPool& buffers);
  virtual ~H2Stream() = default;
  H2Stream(const H2Stream&) = delete;

  std::int32_t id() const { return id_; }

 protected:
  // What is to come.
  bool is_input_ended() const { return is_input_ended_; }
  std::optional<std::size_t> whole_body() const;  // its length, when it has come and no trailers with it
  bool is_closed() const { return is_closed_; }  // both ways, by whatever cause
  std::uint32_t error() const { return error_; }  // NGHTTP2_NO_ERROR: it ended as it should
  http::FieldBlock& head() { return head_; }
  http::BodyPiece read(std::size_t most, http::Fields& trailers);
  void consume();
  void discard_input();
  void refuse_input();  // what still comes is for nobody

  // What goes out. The head has been given to the session.
  std::size_t room();
  void want_room();  // none now: tell when there is
  void write(std::string_view data, bool is_last);
  void write_trailers(const http::Fields& trailers);
  bool has_unsent() const { return !unsent_.is_empty() || !direct_.empty(); }
  bool is_starved() const { return is_starved_; }  // somebody waits for room()
  bool is_end_sent() const { return is_end_sent_; }
  void reset(std::uint32_t code);

  H2Session* session_ = nullptr;  // while it is in use

 private:
  friend class H2Session;
  friend struct H2Callbacks;
  void begin(H2Session& session, std::int32_t id);
  void end();
  void receive(std::string_view data);
  void keep_arrived();
  std::string_view input() const { return incoming_.is_empty() ? arrived_ : incoming_.view(); }
  std::string_view output() const { return unsent_.is_empty() ? direct_ : unsent_.view(); }
  void output_taken(std::size_t bytes);

  std::int32_t id_ = 0;
  http::FieldBlock head_;
  std::string_view arrived_;  // in the connection's input, while that is being worked through
  Buffer incoming_;           // behind it nothing has arrived_
  std::size_t piece_ = 0;     // handed out, not consumed
  http::FieldBlock trailers_;
  http::FieldBlock trailers_out_;
  std::string_view direct_;   // in the hands of who calls write()
  Buffer unsent_;             // before direct_
  EventLoop::Clock::time_point moved_{};  // when the peer last took something, or had nothing to take
  std::uint32_t error_ = 0;
  bool is_input_ended_ = false;
  bool is_input_unwanted_ = false;
  bool is_output_ended_ = false;   // nothing more will be written
  bool is_end_sent_ = false;
  bool is_writing_ = false;        // its exchange is just handing something out
  bool is_deferred_ = false;       // nghttp2 asked for more when there was none
  bool is_starved_ = false;        // somebody asked for room when there was none
  bool is_ready_ = false;          // in the session's list
  bool is_closed_ = false;
  bool is_head_done_ = false;
  H2Stream* next_ = nullptr;       // in the session's list of all
  H2Stream* previous_ = nullptr;
};

}  // namespace gatehouse::l7
