// An HTTP/2 connection to a backend, shared by the exchanges that leased a stream of it. Owned by its Backend, which opens
// another when this one has no room, and forgets it when it is going away and its last stream is over.
#pragma once

#include "l7/backend/backend_side.h"
#include "l7/backend/connection.h"
#include "l7/http/h2_session.h"

namespace gatehouse::l7 {

class H2Connection;

class H2BackendStream final : public BackendSide, public H2Stream {
 public:
  explicit H2BackendStream(BufferPool& buffers) : H2Stream(buffers) {}

  StreamStatus open() override;
  std::string failure() const override;
  void send_first(std::string_view) override {}  // config does not allow it
  void send_head(const http::RequestHead& head, http::Framing framing, bool is_last) override;
  std::size_t body_room() override;
  void send_body(std::string_view data, bool is_last) override;
  void send_trailers(const http::Fields& trailers) override;
  bool flush() override;
  bool has_unsent() const override;
  Head receive_head(bool is_head_request) override;
  void consume_head() override;
  void start_tunnel() override { consume_head(); }
  http::BodyPiece read_body(std::size_t most) override;
  void consume_body() override;
  bool is_refused() const override;
  bool is_leaving() const override;
  bool is_reused() const override;
  void release(bool is_complete, const config::Pool& pool) override;
  void leave_behind(const config::Pool& pool) override;

 private:
  friend class H2Connection;
  H2Connection* connection_ = nullptr;
  BackendUser* user_ = nullptr;
  bool is_begun_ = false;        // its head has been sent
  bool is_turned_away_ = false;  // before that: the backend has no room for it
  bool has_head_ = false;
  bool is_head_too_large_ = false;
};

class H2Connection final : public BackendConnection, private H2Session {
 public:
  H2Connection(WorkerContext& context, Backend& backend, std::unique_ptr<Stream> stream);
  ~H2Connection() override;

  // Whether another stream may be begun, of `most` at once.
  bool has_room(std::uint32_t most) const;
  H2BackendStream* lease_to(BackendUser& user);
  // Nobody waits for it: it is there when it is connected.
  void warm(const config::Pool& pool);
  // Begins no further streams; without any it ends.
  void retire(ConnectionEnd end);

 private:
  friend class H2BackendStream;
  static H2BackendStream& of(H2Stream& stream) { return static_cast<H2BackendStream&>(stream); }

  StreamStatus open();
  void go_away(ConnectionEnd end);
  void release(H2BackendStream& stream, const config::Pool& pool);
  void lose();
  void turn_excess_away();
  void check_alive();
  void on_silence();
  void end_if_done();

  void on_ready() override;
  void on_idle_timeout() override;

  H2Stream* begin_stream(std::int32_t) override { return nullptr; }  // a backend pushes nothing
  bool on_head_done(H2Stream& stream, bool is_too_large) override;
  void on_large_head(std::size_t) override {}
  void on_frame(const nghttp2_frame& frame) override;
  void on_frame_sent(const nghttp2_frame& frame) override;
  void on_stream_ready(H2Stream& stream) override;
  void after_flush() override;

  bool is_open_ = false;        // connected; TLS and its ALPN are done
  bool has_other_protocol_ = false;  // by ALPN
  bool is_alone_ = false;       // warm(), until it is open
  bool is_lost_ = false;        // nothing can come or go any more
  bool is_going_away_ = false;  // said so, or has no more streams to give
  ConnectionEnd end_ = ConnectionEnd::kBackend;
  bool has_served_ = false;
  bool is_ended_ = false;       // its owner has been told
  Timer silence_;               // after a question whether it is alive
};

}  // namespace gatehouse::l7
