// A stream as the client side of its exchange: everything is said through the session, nothing is written at once.
#include "l7/client_connection.h"
#include "l7/http/h2_client.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {

void H2ClientStream::consume_head() { head().release(); }

http::BodyPiece H2ClientStream::read_body(std::size_t most) { return read(most, client_->context().trailers); }
void H2ClientStream::consume_body() { consume(); }

ClientSide::Sent H2ClientStream::send_interim(const http::Response& response, std::size_t, const http::ResponseStyle& style) {
  http::H2Fields fields;
  const bool is_sent = fields.assign(response, style) && client_->submit_interim(*this, fields);
  return is_sent ? Sent::kDone : Sent::kTooLarge;
}

ClientSide::Sent H2ClientStream::send_head(const http::Response& response, std::size_t, const http::ResponseStyle& style, bool is_last) {
  if (client_->is_congested()) {
    want_room();
    return Sent::kNoRoom;
  }
  http::ResponseStyle out = style;
  out.framing = response.framing;
  // A length that nobody said is said by the end of the stream.
  const bool is_implied = response.is_h2 && response.framing == http::Framing::kLength && !response.fields.find("content-length");
  if (is_implied) out.framing = http::Framing::kChunked;
  http::H2Fields fields;
  if (!fields.assign(response, out)) return Sent::kTooLarge;
  return client_->submit_response(*this, fields, is_last) ? Sent::kDone : Sent::kTooLarge;
}

// RFC 8441 §5: what is 101 elsewhere is 200 here, and proves nothing.
ClientSide::Sent H2ClientStream::start_tunnel(http::Response& response, std::size_t length, const http::ResponseStyle& style) {
  response.status = 200;
  response.framing = http::Framing::kUntilClose;
  response.fields.remove("sec-websocket-accept");
  is_tunnel_ = true;
  return send_head(response, length, style, false);
}

std::size_t H2ClientStream::body_room() { return room(); }
void H2ClientStream::send_body(std::string_view data, bool is_last) { write(data, is_last); }
void H2ClientStream::send_trailers(const http::Fields& trailers) { write_trailers(trailers); }

bool H2ClientStream::flush() {
  client_->flush_later();
  return false;
}

bool H2ClientStream::has_unsent() const { return H2Stream::has_unsent() || is_starved(); }
// Closed, and not because both sides have said all.
bool H2ClientStream::is_lost() const { return is_closed() && !(is_input_ended() && is_end_sent()); }
void H2ClientStream::on_backend_event() { client_->run(*this); }

void H2ClientStream::resume_later() {
  client_->make_ready(*this);
  client_->context().resume_later(connection());
}

void H2ClientStream::break_off() { client_->take(*this, Exchange::Outcome::kAbort); }

}  // namespace gatehouse::l7
