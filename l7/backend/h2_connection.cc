#include "l7/backend/h2_connection.h"

#include <algorithm>

#include "l7/backend/backend.h"
#include "l7/exchange.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr H2Session::Limits kLimits{0, 64 * 1024, 64 * 1024};
constexpr Duration kSilence{5'000};             // after which a connection that does not answer a PING is dead
constexpr std::uint32_t kLastIds = 0x7fff0000;  // streams beyond are not begun
constexpr nghttp2_settings_entry kSettings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                                {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kLimits.stream_window},
                                                {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kLimits.max_header}};

}  // namespace

H2Connection::H2Connection(WorkerContext& context, Backend& backend, std::unique_ptr<Stream> stream)
    : BackendConnection(context, backend, std::move(stream)), H2Session(context, wire()) {
  start(Role::kClient, kLimits, kSettings);
}

H2Connection::~H2Connection() { GH_CHECK(streams() == 0); }

bool H2Connection::has_room(std::uint32_t most) const {
  if (is_lost_ || is_going_away_) return false;
  return streams() < std::min(most, nghttp2_session_get_remote_settings(session(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS));
}

H2BackendStream* H2Connection::lease_to(BackendUser& user) {
  H2BackendStream* stream = context().h2_backend_streams.take(context().buffers).release();
  add(*stream, 0);
  stream->set_backend(owner());
  stream->connection_ = this;
  stream->user_ = &user;
  stream->is_begun_ = stream->is_turned_away_ = stream->has_head_ = stream->is_head_too_large_ = false;
  count_request();
  wake();
  return stream;
}

void H2Connection::warm(const config::Pool& pool) {
  is_alone_ = true;
  plan_rest(pool);
  expect_open(pool.connect_timeout);
}

void H2Connection::retire(ConnectionEnd end) {
  go_away(end);
  end_if_done();
}

// Of several reasons the first counts.
void H2Connection::go_away(ConnectionEnd end) {
  if (!std::exchange(is_going_away_, true)) end_ = end;
}

StreamStatus H2Connection::open() {
  if (is_lost_) return StreamStatus::kFailed;
  if (is_open_) return StreamStatus::kDone;
  StreamStatus status = wire().open();
  if (status == StreamStatus::kBlocked) return status;
  has_other_protocol_ = status == StreamStatus::kDone && !identity.empty() && wire().protocol() != "h2";
  if (has_other_protocol_) status = StreamStatus::kFailed;
  is_open_ = status == StreamStatus::kDone;
  if (is_open_) {
    flush_later();
  } else {
    lose();
  }
  return status;
}

// Every stream learns of it when it is asked.
void H2Connection::lose() {
  is_lost_ = true;
  stop();
  close_all(NGHTTP2_INTERNAL_ERROR);
}

void H2Connection::on_ready() {
  if (!is_open_) {
    if (open() == StreamStatus::kBlocked) return;
    if (std::exchange(is_alone_, false) && is_open_ && streams() == 0) {
      has_served_ = true;  // it may be closed just as a request leaves
      rest();
    }
    for_each_stream([this](H2Stream& stream) { make_ready(stream); });
  }
  if (!is_lost_) {
    if (receive()) silence_.cancel();
    const bool is_over = wire().has_failed() || wire().is_at_end() || H2Session::is_over();
    if (is_over) lose();
    flush_later();
  }
  run_ready();
  end_if_done();
}

void H2Connection::after_flush() {
  if (!is_lost_ && is_open_ && (wire().has_write_failed() || H2Session::is_over())) lose();
  run_ready();
  end_if_done();
}

void H2Connection::on_stream_ready(H2Stream& stream) { of(stream).user_->on_backend_event(); }

bool H2Connection::on_head_done(H2Stream& ready, bool is_too_large) {
  H2BackendStream& stream = of(ready);
  stream.has_head_ = true;
  stream.is_head_too_large_ = is_too_large;
  const bool is_interim = !is_too_large && http::is_interim_h2(stream.head());
  // An interim one must be taken before the next comes; nothing is sent on this connection meanwhile.
  if (is_interim) {
    stream.user_->on_backend_event();
  } else {
    make_ready(stream);
  }
  return !is_interim;
}

void H2Connection::on_frame(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_GOAWAY) go_away(ConnectionEnd::kBackend);  // nghttp2 closes those it refuses
  if (frame.hd.type == NGHTTP2_SETTINGS && !(frame.hd.flags & NGHTTP2_FLAG_ACK)) turn_excess_away();
}

void H2Connection::on_frame_sent(const nghttp2_frame& frame) {
  if (frame.hd.type != NGHTTP2_HEADERS) return;
  auto* stream = static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(session(), frame.hd.stream_id));
  if (stream) of(*stream).is_begun_ = true;
}

// A new connection was given requests before the backend said how many it takes: the rest need not wait here.
void H2Connection::turn_excess_away() {
  const std::size_t most = nghttp2_session_get_remote_settings(session(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  std::size_t excess = streams() > most ? streams() - most : 0;
  for_each_stream([&](H2Stream& stream) {  // the newest first
    H2BackendStream& each = of(stream);
    if (excess == 0 || each.id() <= 0 || each.is_begun_ || each.H2Stream::has_unsent()) return;
    each.is_turned_away_ = true;
    make_ready(each);
    --excess;
  });
}

void H2Connection::release(H2BackendStream& stream, const config::Pool& pool) {
  has_served_ = true;
  remove(stream);
  context().h2_backend_streams.give(std::unique_ptr<H2BackendStream>(&stream));
  if (nghttp2_session_get_next_stream_id(session()) > kLastIds) go_away(ConnectionEnd::kRequests);
  if (const auto end = wear(pool)) go_away(*end);
  plan_rest(pool);
  is_alone_ = false;
  if (streams() == 0 && is_open_) rest();
  flush_later();
  owner().count_lease(-1);
}

// A stream was given up without a sign of life: if the whole connection gives none, the others need not wait as long.
void H2Connection::check_alive() {
  if (silence_.is_armed() || is_lost_) return;
  nghttp2_submit_ping(session(), NGHTTP2_FLAG_NONE, nullptr);
  silence_.arm<&H2Connection::on_silence>(context().loop, kSilence, this);
  flush_later();
}

void H2Connection::on_silence() {
  lose();
  run_ready();
  end_if_done();
}

void H2Connection::on_idle_timeout() {
  if (streams() > 0) return;
  if (!is_open_) {
    lose();
    is_alone_ = false;
    return end_if_done();
  }
  terminate(NGHTTP2_NO_ERROR);
  go_away(rest_end());
}

// Once: the backend takes it out and this object ends with the turn.
void H2Connection::end_if_done() {
  const bool is_unused = streams() == 0 && (is_lost_ || (!is_open_ && !is_alone_) || (is_going_away_ && wire().output().is_empty()));
  if (is_unused && !std::exchange(is_ended_, true)) {
    stop();
    silence_.cancel();
    owner().drop(*this, end_);
  }
}

StreamStatus H2BackendStream::open() { return connection_->open(); }
std::string H2BackendStream::failure() const {
  return connection_->has_other_protocol_ ? "TLS: the backend did not agree to h2" : connection_->wire().failure();
}

void H2BackendStream::send_head(const http::RequestHead& head, http::Framing, bool is_last) {
  http::H2Fields fields;
  fields.assign(head.fields);
  if (connection_->submit_request(*this, fields, is_last) < 0) connection_->go_away(ConnectionEnd::kRequests);
  connection_->flush_later();
}

std::size_t H2BackendStream::body_room() { return room(); }
void H2BackendStream::send_body(std::string_view data, bool is_last) { write(data, is_last); }
void H2BackendStream::send_trailers(const http::Fields& trailers) { write_trailers(trailers); }

bool H2BackendStream::flush() {
  connection_->flush_later();
  return false;
}

bool H2BackendStream::has_unsent() const { return H2Stream::has_unsent() || is_starved(); }

BackendSide::Head H2BackendStream::receive_head(bool is_head_request) {
  if (!has_head_) return {is_closed() || is_turned_away_ ? HeadStatus::kLost : HeadStatus::kNothing};
  if (is_head_too_large_) return {HeadStatus::kMalformed, 0, "the header section is too large"};
  const http::ParseResult head = read_h2_response(this->head(), whole_body(), is_head_request, connection_->context().response);
  if (head.status != http::ParseStatus::kDone) return {HeadStatus::kMalformed, 0, head.reason};
  return {HeadStatus::kDone, head.length};
}

void H2BackendStream::consume_head() {
  head().release();
  has_head_ = false;
}

http::BodyPiece H2BackendStream::read_body(std::size_t most) { return read(most, connection_->context().trailers); }
void H2BackendStream::consume_body() { consume(); }
bool H2BackendStream::is_refused() const { return is_turned_away_ || id() < 0 || error() == NGHTTP2_REFUSED_STREAM; }
bool H2BackendStream::is_leaving() const { return is_turned_away_ || id() < 0 || connection_->is_going_away_; }
bool H2BackendStream::is_reused() const { return connection_->has_served_; }

void H2BackendStream::release(bool is_complete, const config::Pool& pool) {
  const bool has_begun = id() > 0;
  if (has_begun && !is_closed() && (!is_complete || H2Stream::has_unsent())) {
    reset(NGHTTP2_CANCEL);
    if (!is_input_ended()) connection_->check_alive();
  }
  connection_->release(*this, pool);
}

// Others that wait for the connection go on to do so.
void H2BackendStream::leave_behind(const config::Pool& pool) {
  H2Connection& connection = *connection_;
  connection.release(*this, pool);
  if (connection.streams() > 0) return;
  connection.forget_requests();
  connection.warm(pool);
}

}  // namespace gatehouse::l7
