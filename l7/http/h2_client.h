// HTTP/2 towards a client (RFC 9113): every stream is the client side of an exchange of its own, balanced on its own. The
// connection ends when the client leaves it unused, ends it, or drives it beyond what H2Guard allows; when the worker
// leaves, it says so and finishes the streams that were begun. Owned by its ClientConnection.
#pragma once

#include <memory>

#include "l7/client_side.h"
#include "l7/exchange.h"
#include "l7/http/codec.h"
#include "l7/http/h2_guard.h"
#include "l7/http/h2_session.h"

namespace gatehouse::l7 {

class H2Client;

class H2ClientStream final : public ClientSide, public H2Stream {
 public:
  explicit H2ClientStream(BufferPool& buffers) : H2Stream(buffers) {}

  void consume_head() override;
  http::BodyPiece read_body(std::size_t most) override;
  void consume_body() override;
  Sent send_interim(const http::Response& response, std::size_t length, const http::ResponseStyle& style) override;
  Sent send_head(const http::Response& response, std::size_t length, const http::ResponseStyle& style, bool is_last) override;
  Sent start_tunnel(http::Response& response, std::size_t length, const http::ResponseStyle& style) override;
  std::size_t body_room() override;
  void send_body(std::string_view data, bool is_last) override;
  void send_trailers(const http::Fields& trailers) override;
  bool flush() override;
  bool has_unsent() const override;
  bool speaks_h2() const override { return true; }
  bool is_lost() const override;
  void on_backend_event() override;
  void resume_later() override;
  void break_off() override;

 private:
  friend class H2Client;
  H2Client* client_ = nullptr;
  std::unique_ptr<Exchange> exchange_;  // while it runs
  bool is_head_new_ = false;            // complete, and nobody has looked at it
  bool is_head_too_large_ = false;
  bool is_tunnel_ = false;
};

class H2Client final : public Codec, private H2Session {
 public:
  H2Client(WorkerContext& context, ClientConnection& connection);
  ~H2Client() override;

  Next advance() override;
  Next on_deadline() override;
  void drain() override;
  void abort(std::string_view why) override;

 private:
  friend class H2ClientStream;
  static H2ClientStream& of(H2Stream& stream) { return static_cast<H2ClientStream&>(stream); }

  H2Stream* begin_stream(std::int32_t id) override;
  bool on_head_done(H2Stream& stream, bool is_too_large) override;
  void on_large_head(std::size_t bytes) override;
  void on_frame(const nghttp2_frame& frame) override;
  void on_frame_begun(std::uint8_t type) override;
  void on_frame_sent(const nghttp2_frame& frame) override;
  void on_abuse(int error) override;
  void on_stream_ready(H2Stream& stream) override;
  void on_end_sent(H2Stream& stream) override;
  void after_flush() override;

  void start_exchange(H2ClientStream& stream);
  void run(H2ClientStream& stream);
  void take(H2ClientStream& stream, Exchange::Outcome outcome);
  void finish_exchange(H2ClientStream& stream);
  void release(H2ClientStream& stream);
  void spend(H2Offence offence);
  void end_with(H2Offence offence);
  void count(H2Offence offence);
  void say_goodbye();
  void set_deadline();
  bool is_stalled(H2ClientStream& stream) const;
  void end_stalled();
  Next judge();

  enum class Drain : std::uint8_t { kNone, kAnnounced, kFinal };
  enum class Patience : std::uint8_t { kNone, kHead, kIdle, kStall, kLastWord };  // what the connection's deadline is for
  ClientConnection& connection_;
  H2Guard guard_;
  Drain drain_ = Drain::kNone;
  Patience patience_ = Patience::kNone;
  bool has_offended_ = false;
  std::uint32_t served_ = 0;
  EventLoop::Clock::time_point announced_{};
};

}  // namespace gatehouse::l7
