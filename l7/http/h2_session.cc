#include "l7/http/h2_session.h"

#include <algorithm>

#include "common/check.h"
#include "l7/http/h2_callbacks.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr int kReadsPerTurn = 16;                    // then the worker's other connections have their turn
constexpr int kWritesPerTurn = 16;
constexpr std::size_t kMostUnsent = 16 * 1024;       // of a stream
constexpr std::ptrdiff_t kMostUnsentOfAll = 256 * 1024;
constexpr std::size_t kMostQueued = 128;             // frames that wait for the socket
constexpr std::size_t kLeastRoom = 1024;             // for a frame, before what is there is written
constexpr std::int32_t kWindowsOfConnection = 16;    // streams' windows that the connection's own is worth

nghttp2_session* make_session(bool is_server, H2Session* owner) {
  nghttp2_option* option = nullptr;
  GH_CHECK(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_outbound_ack(option, 200);
  nghttp2_option_set_max_settings(option, 32);
  nghttp2_option_set_peer_max_concurrent_streams(option, 100);
  nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
  // The budget of resets is ours: H2Guard.
  nghttp2_option_set_stream_reset_rate_limit(option, 1'000'000, 1'000'000);
  nghttp2_session* session = nullptr;
  const auto make = is_server ? nghttp2_session_server_new2 : nghttp2_session_client_new2;
  GH_CHECK(make(&session, h2_callbacks(), owner, option) == 0);
  nghttp2_option_del(option);
  return session;
}

}  // namespace

BufferPool& H2Session::buffers_of(WorkerContext& context) { return context.buffers; }
EventLoop::Clock::time_point H2Session::now() const { return context_.loop.now(); }

H2Session::~H2Session() {
  context_.forget(*this);
  nghttp2_session_del(session_);
}

void H2Session::start(Role role, const Limits& limits, std::span<const nghttp2_settings_entry> settings) {
  limits_ = limits;
  session_ = make_session(role == Role::kServer, this);
  GH_CHECK(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
  const auto window = static_cast<std::int32_t>(limits.stream_window) * kWindowsOfConnection;
  GH_CHECK(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, window) == 0);
  flush_later();
}

bool H2Session::receive() {
  Buffer& input = wire_.input();
  for (int i = 0; i < kReadsPerTurn && (!input.is_empty() || wire_.fill()) && !has_failed_; ++i) {
    is_receiving_ = true;
    const std::string_view bytes = input.view();
    const ssize_t taken = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    is_receiving_ = false;
    if (taken < 0) fail(static_cast<int>(taken));
    run_ready();  // what arrived is still in the input
    input.consume(input.size());
    flush_later();
  }
  return !has_failed_ && nghttp2_session_want_read(session_);
}

// nghttp2 answers what is wrong with a frame itself; what it gives up at is abuse, or no HTTP/2 at all.
void H2Session::fail(int error) {
  const bool is_abuse = error == NGHTTP2_ERR_FLOODED || error == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS || error == NGHTTP2_ERR_TOO_MANY_SETTINGS;
  if (is_abuse) on_abuse(error);
  terminate(is_abuse ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
  pump();
  has_failed_ = true;
}

void H2Session::terminate(std::uint32_t code) {
  nghttp2_session_terminate_session(session_, code);
  flush_later();
}

void H2Session::make_ready(H2Stream& stream) {
  if (stream.is_ready_) return;
  stream.is_ready_ = true;
  ready_.push_back(&stream);
}

void H2Session::run_ready() {
  for (std::size_t i = 0; i < ready_.size(); ++i) {
    H2Stream& stream = *ready_[i];
    if (stream.session_ != this || !stream.is_ready_) continue;  // gone meanwhile
    stream.is_ready_ = false;
    on_stream_ready(stream);
    stream.keep_arrived();
  }
  ready_.clear();
}

void H2Session::add(H2Stream& stream, std::int32_t id) {
  stream.begin(*this, id);
  stream.moved_ = now();
  stream.previous_ = nullptr;
  stream.next_ = first_;
  if (first_) first_->previous_ = &stream;
  first_ = &stream;
  ++count_;
}

void H2Session::remove(H2Stream& stream) {
  stream.discard_input();
  count_unsent(-static_cast<std::ptrdiff_t>(stream.unsent_.size()));
  if (!stream.is_closed_) nghttp2_session_set_stream_user_data(session_, stream.id_, nullptr);
  if (head_stream_ == &stream) head_stream_ = nullptr;
  (stream.previous_ ? stream.previous_->next_ : first_) = stream.next_;
  if (stream.next_) stream.next_->previous_ = stream.previous_;
  --count_;
  stream.end();
}

void H2Session::close_all(std::uint32_t error) {
  for_each_stream([&](H2Stream& stream) {
    if (stream.is_closed_) return;
    nghttp2_session_set_stream_user_data(session_, stream.id_, nullptr);
    stream.is_closed_ = true;
    stream.error_ = error;
    make_ready(stream);
  });
}

bool H2Session::submit_response(H2Stream& stream, const http::H2Fields& fields, bool is_last) {
  const nghttp2_data_provider body{{}, h2_read_body};
  stream.is_output_ended_ = is_last;
  return nghttp2_submit_response(session_, stream.id_, fields.data(), fields.count(), is_last ? nullptr : &body) == 0;
}

bool H2Session::submit_interim(H2Stream& stream, const http::H2Fields& fields) {
  return nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id_, nullptr, fields.data(), fields.count(), nullptr) == 0;
}

std::int32_t H2Session::submit_request(H2Stream& stream, const http::H2Fields& fields, bool is_last) {
  const nghttp2_data_provider body{{}, h2_read_body};
  stream.is_output_ended_ = is_last;
  stream.id_ = nghttp2_submit_request(session_, nullptr, fields.data(), fields.count(), is_last ? nullptr : &body, &stream);
  return stream.id_;
}

// More of a body than the stream's window, or the connection's, or the peer's socket takes, is not asked for.
std::size_t H2Session::room_of(const H2Stream& stream) const {
  if (unsent_ >= kMostUnsentOfAll) return 0;
  const std::int64_t window = std::min(nghttp2_session_get_stream_remote_window_size(session_, stream.id_),
                                       nghttp2_session_get_remote_window_size(session_));
  const std::int64_t most = std::min<std::int64_t>(window, kMostUnsent);
  return static_cast<std::size_t>(std::max<std::int64_t>(most - static_cast<std::int64_t>(stream.unsent_.size()), 0));
}

bool H2Session::is_congested() const { return nghttp2_session_get_outbound_queue_size(session_) > kMostQueued; }

void H2Session::send(H2Stream& stream) {
  if (std::exchange(stream.is_deferred_, false)) nghttp2_session_resume_data(session_, stream.id_);
  pump();
  flush_later();
}

void H2Session::open_window(H2Stream& stream, std::size_t bytes) {
  if (bytes == 0) return;
  nghttp2_session_consume(session_, stream.id_, bytes);
  flush_later();
}

void H2Session::reset(H2Stream& stream, std::uint32_t code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, code);
  flush_later();
}

// Moves frames into the output until there are none, or the socket takes no more.
void H2Session::pump() {
  if (is_receiving_ || is_pumping_ || is_held_ || has_failed_) return;
  is_pumping_ = true;
  while (true) {
    if (!frame_.empty()) {
      if (!make_room()) break;
      frame_.remove_prefix(wire_.output().append(frame_));
      continue;
    }
    const std::uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
    if (count < 0) has_failed_ = true;
    if (count <= 0) break;
    frame_ = {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count)};
  }
  is_pumping_ = false;
}

bool H2Session::make_room() {
  Buffer& output = wire_.output();
  if (output.room() >= kLeastRoom) return true;
  wire_.flush();
  return output.room() >= kLeastRoom;
}

void H2Session::flush_later() { context_.flush_later(*this); }

void H2Session::on_turn_end() {
  if (is_stopped_) return;
  for (int i = 0; i < kWritesPerTurn; ++i) {
    pump();
    wire_.flush();
    run_ready();  // streams that ended with what was sent
    if (has_starved_) wake_starved();
    const bool has_more = !frame_.empty() || nghttp2_session_want_write(session_);
    if (!wire_.output().is_empty() || has_failed_ || !has_more) return after_flush();
  }
  flush_later();
  after_flush();
}

// All of them have their turn before any of it is sent: which goes first is then a choice by priority.
void H2Session::wake_starved() {
  has_starved_ = false;
  for_each_stream([this](H2Stream& stream) {
    if (stream.is_starved_ && room_of(stream) > 0) {
      stream.is_starved_ = false;
      make_ready(stream);
    }
    has_starved_ |= stream.is_starved_;
  });
  is_held_ = ready_.size() > 1;
  run_ready();
  is_held_ = false;
}

}  // namespace gatehouse::l7
