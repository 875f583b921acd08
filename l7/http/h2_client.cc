#include "l7/http/h2_client.h"

#include <utility>

#include "l7/client_connection.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr Duration kGoodbye{1'000};            // for the client to hear of the first GOAWAY
constexpr Duration kLastWord{1'000};           // for an offender to take the last one
constexpr std::size_t kBomb = 8;               // times the largest header section: no mistake any more
constexpr std::uint8_t kGoodbyePing[8] = {'g', 'o', 'o', 'd', 'b', 'y', 'e', 0};

}  // namespace

H2Client::H2Client(WorkerContext& context, ClientConnection& connection)
    : H2Session(context, connection.wire()), connection_(connection), guard_(context.loop.now()) {
  const config::Listener& listener = connection.listener().config;
  const Limits limits{listener.max_streams, static_cast<std::uint32_t>(listener.stream_window.bytes),
                      static_cast<std::uint32_t>(listener.max_header.bytes)};
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.max_streams}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits.max_header},    {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  start(Role::kServer, limits, settings);
}

H2Client::~H2Client() { abort("the worker ended"); }

void H2Client::abort(std::string_view why) {
  stop();
  for_each_stream([&](H2Stream& stream) {
    H2ClientStream& each = of(stream);
    if (each.exchange_) {
      each.exchange_->abort(why);
      context().exchanges.give(std::move(each.exchange_));
    }
    release(each);
  });
}

Codec::Next H2Client::advance() {
  receive();
  run_ready();
  if (connection_.wire().has_failed() || connection_.wire().is_hung_up() || connection_.wire().is_at_end()) {
    abort("the client closed the connection");
    return Next::kLost;
  }
  if (!connection_.wire().output().is_empty()) flush_later();
  set_deadline();
  return judge();
}

void H2Client::after_flush() {
  set_deadline();
  const Next next = judge();
  if (next != Next::kWait) connection_.act(next);
}

Codec::Next H2Client::judge() {
  if (!is_over()) return Next::kWait;
  abort("the connection was ended");
  return has_offended_ ? Next::kLinger : Next::kClose;
}

H2Stream* H2Client::begin_stream(std::int32_t id) {
  H2ClientStream* stream = context().h2_client_streams.take(context().buffers).release();
  add(*stream, id);
  stream->client_ = this;
  stream->set_connection(&connection_);
  stream->is_head_new_ = stream->is_head_too_large_ = stream->is_tunnel_ = false;
  return stream;
}

bool H2Client::on_head_done(H2Stream& stream, bool is_too_large) {
  of(stream).is_head_new_ = true;
  of(stream).is_head_too_large_ = is_too_large;
  make_ready(stream);
  return true;
}

void H2Client::on_stream_ready(H2Stream& ready) {
  H2ClientStream& stream = of(ready);
  if (stream.is_lost() && stream.exchange_) {
    stream.exchange_->abort("the client reset the stream");
    context().exchanges.give(std::move(stream.exchange_));
  }
  if (stream.exchange_) {
    run(stream);
  } else if (stream.is_closed()) {
    release(stream);
  } else if (std::exchange(stream.is_head_new_, false)) {
    start_exchange(stream);
  }
}

void H2Client::start_exchange(H2ClientStream& stream) {
  connection_.take_runtime();
  const http::HeadLimits& limits = connection_.listener().limits;
  http::ParseResult head{http::ParseStatus::kFieldsTooLarge, 0, "the header section is too large"};
  if (!stream.is_head_too_large_) head = read_h2_request(stream.head(), limits, stream.whole_body(), context().request);
  stream.exchange_ = context().exchanges.take(context());
  if (++served_ == connection_.listener().config.max_requests) say_goodbye();
  if (connection_.is_aged()) drain();
  if (head.status == http::ParseStatus::kDone) return take(stream, stream.exchange_->start(stream, head.length));
  stream.exchange_->refuse(stream, http::response_status(head.status), head.reason);
  finish_exchange(stream);
}

void H2Client::run(H2ClientStream& stream) { take(stream, stream.exchange_->run()); }

void H2Client::take(H2ClientStream& stream, Exchange::Outcome outcome) {
  flush_later();
  if (outcome == Exchange::Outcome::kWait) return;
  if (outcome == Exchange::Outcome::kAbort) {
    stream.exchange_->abort("broken off");
    if (is_stalled(stream)) {
      end_stalled();
    } else {
      stream.reset(NGHTTP2_INTERNAL_ERROR);
    }
  } else {
    guard_.earn_by_request();
  }
  finish_exchange(stream);
}

void H2Client::finish_exchange(H2ClientStream& stream) {
  context().exchanges.give(std::move(stream.exchange_));
  stream.refuse_input();
  if (stream.is_closed()) {
    release(stream);
  } else if (stream.is_tunnel_ && stream.is_end_sent() && !stream.is_input_ended()) {
    stream.reset(NGHTTP2_NO_ERROR);
  }
}

void H2Client::release(H2ClientStream& stream) {
  remove(stream);
  context().h2_client_streams.give(std::unique_ptr<H2ClientStream>(&stream));
}

// The answer is whole and the request is not: the rest of it is for nobody (RFC 9113 §8.1), but in a tunnel that is open.
void H2Client::on_end_sent(H2Stream& sent) {
  H2ClientStream& stream = of(sent);
  const bool is_open = stream.is_tunnel_ && stream.exchange_;
  if (!stream.is_input_ended() && !is_open) stream.reset(NGHTTP2_NO_ERROR);
}

// What says nothing to us: old priorities (RFC 9113 §5.3.2) and frames of unknown types; and what hardly does.
void H2Client::on_frame_begun(std::uint8_t type) {
  if (type == NGHTTP2_PRIORITY || type > NGHTTP2_CONTINUATION) spend(H2Offence::kPriorities);
}

void H2Client::on_frame(const nghttp2_frame& frame) {
  switch (frame.hd.type) {
    case NGHTTP2_RST_STREAM: return spend(H2Offence::kResets);
    case NGHTTP2_WINDOW_UPDATE: return spend(H2Offence::kWindowUpdates);
    case NGHTTP2_DATA:
      if (frame.hd.length == 0 && !(frame.hd.flags & NGHTTP2_FLAG_END_STREAM)) spend(H2Offence::kEmptyFrames);
      return;
    case NGHTTP2_SETTINGS:
      if (!(frame.hd.flags & NGHTTP2_FLAG_ACK)) spend(H2Offence::kSettings);
      return;
    case NGHTTP2_PING:
      if (!(frame.hd.flags & NGHTTP2_FLAG_ACK)) return spend(H2Offence::kPings);
      if (drain_ == Drain::kAnnounced) say_goodbye();
      return;
    default: return;
  }
}

void H2Client::on_frame_sent(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_DATA) return guard_.earn_by_data();
  if (frame.hd.type == NGHTTP2_RST_STREAM) {
    const std::uint32_t code = frame.rst_stream.error_code;
    const bool is_their_fault = code == NGHTTP2_PROTOCOL_ERROR || code == NGHTTP2_FLOW_CONTROL_ERROR || code == NGHTTP2_STREAM_CLOSED ||
                                code == NGHTTP2_FRAME_SIZE_ERROR || code == NGHTTP2_REFUSED_STREAM;
    if (is_their_fault) spend(H2Offence::kInvalidFrames);
  }
  if (frame.hd.type != NGHTTP2_GOAWAY || frame.goaway.error_code == NGHTTP2_NO_ERROR || has_offended_) return;
  const std::uint32_t code = frame.goaway.error_code;  // of nghttp2's own decision
  count(code == NGHTTP2_FLOW_CONTROL_ERROR     ? H2Offence::kWindowOverflow
        : code == NGHTTP2_ENHANCE_YOUR_CALM ? H2Offence::kSettings
                                            : H2Offence::kProtocolError);
}

void H2Client::on_abuse(int error) {
  const bool is_settings = error == NGHTTP2_ERR_TOO_MANY_SETTINGS;
  count(error == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS ? H2Offence::kContinuations : is_settings ? H2Offence::kSettings : H2Offence::kPings);
}

void H2Client::on_large_head(std::size_t bytes) {
  if (bytes > kBomb * connection_.listener().config.max_header.bytes) end_with(H2Offence::kHeaderBomb);
}

void H2Client::spend(H2Offence offence) {
  if (!guard_.spend(offence, now())) end_with(offence);
}

void H2Client::end_with(H2Offence offence) {
  if (has_offended_) return;
  count(offence);
  terminate(NGHTTP2_ENHANCE_YOUR_CALM);
}

void H2Client::count(H2Offence offence) {
  has_offended_ = true;
  context().board.worker(context().index).h2_offences[static_cast<std::size_t>(offence)].fetch_add(1, std::memory_order_relaxed);
}

// In two steps (RFC 9113 §6.8): requests that are on their way when we begin to leave are still answered.
void H2Client::drain() {
  if (drain_ == Drain::kNone) {
    drain_ = Drain::kAnnounced;
    announced_ = now();
    nghttp2_submit_shutdown_notice(session());
    nghttp2_submit_ping(session(), NGHTTP2_FLAG_NONE, kGoodbyePing);
    flush_later();
  } else if (drain_ == Drain::kAnnounced && now() - announced_ > kGoodbye) {
    say_goodbye();
  }
}

void H2Client::say_goodbye() {
  drain_ = Drain::kFinal;
  nghttp2_submit_goaway(session(), NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session()), NGHTTP2_NO_ERROR, nullptr, 0);
  flush_later();
}

void H2Client::set_deadline() {
  const config::Listener& listener = connection_.listener().config;
  const Patience wanted = has_offended_ ? Patience::kLastWord : is_within_head() ? Patience::kHead : streams() == 0 ? Patience::kIdle : has_unsent() ? Patience::kStall : Patience::kNone;
  if (wanted == patience_) return;
  patience_ = wanted;
  if (wanted == Patience::kNone) return connection_.clear_deadline();
  if (wanted == Patience::kLastWord) return connection_.set_deadline(kLastWord);
  connection_.set_deadline(wanted == Patience::kHead ? listener.header_timeout : listener.idle_timeout);
}

Codec::Next H2Client::on_deadline() {
  switch (std::exchange(patience_, Patience::kNone)) {
    case Patience::kHead: end_with(H2Offence::kSlowHead); break;
    case Patience::kIdle:
      if (drain_ != Drain::kFinal) {
        say_goodbye();
        break;
      }
      abort("the client does not read");  // not even that
      return Next::kClose;
    case Patience::kLastWord: abort("the connection was ended"); return Next::kBreakOff;
    case Patience::kStall: end_stalled(); break;
    case Patience::kNone: break;
  }
  flush_later();
  return Next::kWait;
}

bool H2Client::is_stalled(H2ClientStream& stream) const {
  return stream.has_unsent() && now() - moved_at(stream) >= connection_.listener().config.idle_timeout;
}

// Answers that were asked for and are not taken hold memory. A stream that alone is stalled is reset; when nothing moves at
// all the connection ends.
void H2Client::end_stalled() {
  bool is_any_moving = false;
  for_each_stream([&](H2Stream& stream) { is_any_moving |= !is_stalled(of(stream)); });
  if (!is_any_moving) return end_with(H2Offence::kStall);
  for_each_stream([&](H2Stream& stream) {
    if (is_stalled(of(stream))) of(stream).reset(NGHTTP2_ENHANCE_YOUR_CALM);
  });
}

}  // namespace gatehouse::l7
