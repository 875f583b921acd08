#include "l7/http/h1_client.h"

#include "l7/client_connection.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kMostUnread = BufferPool::kSmall / 2;  // of answers, before further requests are taken

}  // namespace

H1Client::H1Client(WorkerContext& context, ClientConnection& connection)
    : context_(context), wire_(connection.wire()), body_(context.buffers) {
  set_connection(&connection);
}

H1Client::~H1Client() { abort("the worker ended"); }

void H1Client::abort(std::string_view why) {
  if (!exchange_) return;
  exchange_->abort(why);
  finish_exchange();
}

Codec::Next H1Client::advance() {
  Next next = Next::kGo;
  while (next == Next::kGo) next = exchange_ ? run_exchange() : read_request();
  return next;
}

// A client that pipelines and does not read is read no further.
bool H1Client::must_wait_for_output() {
  if (wire_.output().size() > kMostUnread) wire_.flush();
  if (wire_.output().size() <= kMostUnread || wire_.has_failed()) return false;
  connection().set_deadline(connection().listener().config.idle_timeout);
  return true;
}

Codec::Next H1Client::read_request() {
  if (must_wait_for_output()) return Next::kWait;
  Buffer& input = wire_.input();
  connection().take_runtime();
  for (;;) {
    if (!input.is_empty()) {
      const http::ParseResult result = http::parse_request(input.view(), connection().listener().limits, scanned_, context_.request);
      if (result.status == http::ParseStatus::kDone) return start_exchange(result.length);
      if (result.status != http::ParseStatus::kNeedMore) return refuse(http::response_status(result.status), result.reason);
    }
    if (wire_.fill() || (!input.is_empty() && input.room() == 0 && input.grow())) continue;
    return wait_for_request();
  }
}

Codec::Next H1Client::start_exchange(std::size_t length) {
  const http::Request& request = context_.request;
  scanned_ = 0;
  has_begun_head_ = false;
  connection().clear_deadline();
  head_length_ = length;
  body_.begin(request.framing, request.content_length);
  const std::uint32_t most = connection().listener().config.max_requests;
  is_keep_alive_ = request.is_keep_alive && (most == 0 || served_ + 1 < most) && !connection().is_aged();
  is_minor_version_0_ = request.minor_version == 0;
  takes_trailers_ = request.has_te_trailers;
  exchange_ = context_.exchanges.take(context_);
  return take(exchange_->start(*this, length));
}

Codec::Next H1Client::wait_for_request() {
  wire_.flush();
  if (wire_.is_at_end() || wire_.has_failed()) return Next::kClose;
  if (wire_.input().is_empty()) {
    // The first request of a connection is on its way, and must come as soon as its header would have to.
    if (served_ > 0 && context_.is_draining && !context_.keeps_idle) return Next::kClose;
    if (served_ > 0) connection().set_deadline(connection().listener().config.idle_timeout);
  } else if (!has_begun_head_) {
    has_begun_head_ = true;
    connection().set_deadline(connection().listener().config.header_timeout);
  }
  return Next::kWait;
}

Codec::Next H1Client::run_exchange() {
  if (!wire_.is_hung_up()) return take(exchange_->run());
  abort("the client closed the connection");
  return Next::kLost;
}

Codec::Next H1Client::take(Exchange::Outcome outcome) {
  switch (outcome) {
    case Exchange::Outcome::kWait:
      wire_.flush();  // answers before this one do not wait with it
      return Next::kWait;
    case Exchange::Outcome::kAbort:
      abort("broken off");
      return Next::kBreakOff;
    case Exchange::Outcome::kDone: break;
  }
  finish_exchange();
  wire_.input().prefer_large(false);
  wire_.output().prefer_large(false);
  if (is_keep_alive_) return Next::kGo;
  return body_.is_done() ? Next::kClose : Next::kLinger;
}

void H1Client::finish_exchange() {
  ++served_;
  context_.exchanges.give(std::move(exchange_));
}

Codec::Next H1Client::refuse(std::uint16_t status, std::string_view why) {
  body_.begin(http::Framing::kUntilClose, 0);
  is_keep_alive_ = is_minor_version_0_ = false;
  exchange_ = context_.exchanges.take(context_);
  exchange_->refuse(*this, status, why);
  finish_exchange();
  return Next::kLinger;
}

Codec::Next H1Client::on_deadline() {
  if (exchange_) return Next::kWait;
  return has_begun_head_ ? refuse(408, "the header section did not come in time") : Next::kClose;
}

void H1Client::drain() {
  if (!exchange_) connection().advance();
}

void H1Client::consume_head() { wire_.input().consume(head_length_); }

http::BodyPiece H1Client::read_body(std::size_t most) { return body_.read(wire_, most, context_.trailers); }

void H1Client::consume_body() { body_.consume(wire_); }

// 1xx: for clients that know them (RFC 9110 §15.2).
ClientSide::Sent H1Client::send_interim(const http::Response& response, std::size_t length, const http::ResponseStyle& style) {
  if (is_minor_version_0_) return Sent::kDone;
  return http::write_response_head(wire_.output(), response, length, style) ? Sent::kDone : Sent::kNoRoom;
}

ClientSide::Sent H1Client::send_head(const http::Response& response, std::size_t length, const http::ResponseStyle& style, bool is_last) {
  using http::Framing;
  const bool has_unknown_length = response.framing == Framing::kChunked || response.framing == Framing::kUntilClose;
  http::ResponseStyle out = style;
  out.framing = !has_unknown_length ? response.framing : is_minor_version_0_ ? Framing::kUntilClose : Framing::kChunked;
  // A response that comes before the whole request may leave bytes behind that nobody reads: the connection ends with it.
  const bool is_kept = is_keep_alive_ && body_.is_done() && !context_.is_draining && out.framing != Framing::kUntilClose;
  if (!is_kept) out.persistence = http::Persistence::kClose;
  if (is_kept && is_minor_version_0_) out.persistence = http::Persistence::kKeepAlive;
  Buffer& output = wire_.output();
  if (!http::write_response_head(output, response, length, out)) {
    wire_.flush();
    return output.is_empty() ? Sent::kTooLarge : Sent::kNoRoom;  // no room: until the answers before this one have left
  }
  is_keep_alive_ = is_kept;
  response_body_.begin(is_last ? Framing::kNone : out.framing);
  return Sent::kDone;
}

ClientSide::Sent H1Client::start_tunnel(http::Response& response, std::size_t length, const http::ResponseStyle& style) {
  http::ResponseStyle out = style;
  out.persistence = http::Persistence::kUpgrade;
  if (!http::write_response_head(wire_.output(), response, length, out)) return Sent::kTooLarge;
  is_keep_alive_ = false;
  body_.begin(http::Framing::kUntilClose, 0);
  response_body_.begin(http::Framing::kUntilClose);
  is_tunnel_ = true;
  return Sent::kDone;
}

std::size_t H1Client::body_room() { return response_body_.room(wire_.output()); }

void H1Client::send_body(std::string_view data, bool is_last) {
  response_body_.write(wire_.output(), data, is_last);
  ends_output_ = is_tunnel_ && is_last;
}

void H1Client::send_trailers(const http::Fields& trailers) {
  if (!takes_trailers_) return send_body({}, true);
  response_body_.write_trailers(wire_.output(), trailers);
}

bool H1Client::flush() {
  const bool has_flushed = wire_.flush();
  if (ends_output_ && wire_.output().is_empty() && !wire_.has_failed()) {
    ends_output_ = false;
    wire_.close_output();
  }
  return has_flushed;
}
bool H1Client::has_unsent() const { return !wire_.output().is_empty(); }
bool H1Client::is_lost() const { return wire_.has_failed(); }
void H1Client::on_backend_event() { connection().advance(); }
void H1Client::resume_later() { context_.resume_later(connection()); }
void H1Client::break_off() { connection().break_off(); }

}  // namespace gatehouse::l7
