// The step in which bytes flow: request body to the backend, response head and body to the client. Each direction takes
// only what the other side has room for; what has no room stays in the kernel, and the peer's window closes.
#include <algorithm>

#include "l7/backend/pool.h"
#include "l7/exchange.h"
#include "l7/http/websocket.h"
#include "l7/shed_reason.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr int kRoundsPerTurn = 16;  // then the worker's other connections have their turn

}  // namespace

Exchange::Next Exchange::relay() {
  bool has_moved = false;
  for (int round = 0; round < kRoundsPerTurn; ++round) {
    is_decided_ = false;
    if (hedge_.side && run_hedge() && step_ != kRelay) return Next::kGo;
    bool is_moving = !is_request_done_ && relay_request();
    if (is_decided_) return decision_;
    const bool has_flushed = backend_->flush();
    has_moved |= has_flushed;
    is_moving |= has_flushed && !is_request_done_;  // makes room for what is still to come
    is_moving |= relay_response();
    if (is_decided_) return decision_;
    if (is_response_done_ && (!is_tunnel_ || is_request_done_)) {
      client_->flush();
      return go(kFinish);
    }
    is_moving |= client_->flush();
    if (client_->is_lost()) return break_off("the client closed the connection");
    has_moved |= is_moving;
    if (is_moving) continue;
    if (has_moved) set_wait_limit();
    return Next::kWait;
  }
  set_wait_limit();
  client_->resume_later();
  return Next::kWait;
}

bool Exchange::relay_request() {
  using Status = http::BodyPiece::Status;
  bool has_moved = false;
  if (sent_again_ < kept_body_.size()) has_moved = resend_body();
  while (!is_request_done_ && sent_again_ == kept_body_.size()) {
    const std::size_t room = backend_->body_room();
    if (room == 0) break;
    const http::BodyPiece piece = client_->read_body(room);
    if (piece.status == Status::kNothing) break;
    if (piece.status == Status::kData) request_bytes_ += piece.data.size();
    if (piece.status == Status::kCut) {
      decide(break_off("the client closed the connection within its request"));
    } else if (piece.status == Status::kMalformed) {
      decide(answer(400, piece.reason));
    } else if (!is_tunnel_ && request_bytes_ > terms().max_body()) {
      decide(answer(413, "the request body is larger than what is taken here"));
    }
    if (is_decided_) return true;
    is_request_done_ = is_body_read_ = piece.is_last;
    keep_body(piece);
    if (mirror_) mirror_body(piece);
    backend_->send_body(piece.data, piece.is_last && !piece.trailers);
    if (piece.trailers) backend_->send_trailers(*piece.trailers);
    client_->consume_body();
    has_moved = true;
  }
  if (has_moved && is_request_done_) expect_answer();
  return has_moved;
}

bool Exchange::relay_response() {
  using Status = http::BodyPiece::Status;
  bool has_moved = !is_response_begun_;
  if (!is_response_begun_ && !receive_head()) return false;
  while (!is_response_done_) {
    const std::size_t room = client_->body_room();
    if (room == 0) break;
    const http::BodyPiece piece = backend_->read_body(room);
    if (piece.status == Status::kNothing) break;
    if (piece.status != Status::kData) {
      pool_->note_failure(*chosen_);
      const bool is_cut = piece.status == Status::kCut;
      decide(break_off(is_cut ? "the backend closed the connection within its body"
                              : std::string("the backend's body is malformed: ") + piece.reason));
      return true;
    }
    response_bytes_ += piece.data.size();
    is_response_done_ = piece.is_last;
    client_->send_body(piece.data, piece.is_last && !piece.trailers);
    if (piece.trailers) client_->send_trailers(*piece.trailers);
    backend_->consume_body();
    has_moved = true;
  }
  return has_moved;
}

// Returns whether the head is in the client's output now.
bool Exchange::receive_head() {
  using Status = BackendSide::HeadStatus;
  for (;;) {
    const BackendSide::Head head = backend_->receive_head(is_head_request_);
    switch (head.status) {
      case Status::kNothing: return false;
      case Status::kDone: break;
      case Status::kLost: decide(after_lost_backend()); return false;
      case Status::kCut: decide_failure("the backend closed the connection within its header section"); return false;
      case Status::kMalformed: decide_failure(std::string("the backend's answer is malformed: ") + head.reason); return false;
    }
    if (context_.response.status >= 200) return start_response(head.length);
    if (context_.response.status == 101) return start_tunnel(head.length);
    if (!forward_interim(head.length)) return false;
  }
}

void Exchange::decide_failure(std::string_view why) {
  pool_->note_failure(*chosen_);
  decide(answer(502, why));
}

bool Exchange::forward_interim(std::size_t length) {
  http::ResponseStyle interim;
  interim.via = context_.via;
  if (client_->send_interim(context_.response, length, interim) != ClientSide::Sent::kDone) {
    decide(break_off("no room for an interim response"));
    return false;
  }
  backend_->consume_head();
  return true;
}

bool Exchange::start_response(std::size_t length) {
  const http::Response& response = context_.response;
  if (is_answer_tried_again()) return false;
  const bool is_last = response.framing == http::Framing::kNone ||
                       (response.framing == http::Framing::kLength && response.content_length == 0);
  http::ResponseStyle out = style();
  if (response.is_h2) out.via = context_.via_h2;
  const ClientSide::Sent sent = client_->send_head(response, length, out, is_last);
  if (sent == ClientSide::Sent::kTooLarge) decide(answer(502, "the backend's header section is too large to forward"));
  if (sent != ClientSide::Sent::kDone) return false;
  status_ = response.status;
  pool_->note_wait(*chosen_, asked_, status_ < 500);
  on_answered();
  if (status_ >= 500) {
    pool_->note_failure(*chosen_, pool_->config().ejection.counts_5xx);
  } else {
    pool_->note_success(*chosen_);
  }
  try_expires_ = EventLoop::Clock::time_point::max();
  drop_hedge();
  forget_body();
  is_response_begun_ = true;
  is_response_done_ = is_last;
  backend_->consume_head();
  return true;
}

bool Exchange::start_tunnel(std::size_t length) {
  http::Response& response = context_.response;
  const http::Field* upgrade = response.fields.find("upgrade");
  const bool is_wanted = is_upgrade_ && upgrade && equals_ignoring_case(upgrade->value, "websocket");
  if (!is_wanted) {
    decide_failure("the backend switched protocols without being asked to");
    return false;
  }
  const http::Field* accept = response.fields.find("sec-websocket-accept");
  if (!websocket_key_.empty() && (!accept || accept->value != http::websocket_accept(websocket_key_))) {
    decide_failure("the backend did not accept the WebSocket");
    return false;
  }
  const ClientSide::Sent sent = client_->start_tunnel(response, length, style());
  if (sent == ClientSide::Sent::kTooLarge) decide(answer(502, "the backend's header section is too large to forward"));
  if (sent != ClientSide::Sent::kDone) return false;
  status_ = 101;
  on_answered();
  pool_->note_success(*chosen_);
  try_expires_ = EventLoop::Clock::time_point::max();
  forget_body();
  is_tunnel_ = is_response_begun_ = true;
  is_request_done_ = is_response_done_ = false;
  backend_->start_tunnel();
  if (pool_->config().end_when_down) stay_.join<&Exchange::on_backend_down>(chosen_->stays(), this);
  return true;
}

void Exchange::wait_at_most(Duration limit) {
  const auto end = std::min({expires_, try_expires_, hedge_at_});
  if (end == EventLoop::Clock::time_point::max()) return deadline_.set(limit);
  const auto left = std::chrono::ceil<Duration>(end - context_.loop.now());
  deadline_.set(std::clamp(left, Duration(0), limit));
}

bool Exchange::is_expired() const { return expires_ <= context_.loop.now(); }

// Whoever has to move next has his own patience; streams that live on their own have another.
void Exchange::set_wait_limit() {
  const bool is_stream = is_tunnel_ || (is_grpc_ && (is_response_begun_ || !is_request_done_));
  if (is_stream) return wait_at_most(listener_->config.stream_timeout);
  const bool waits_for_client = (!is_request_done_ && !backend_->has_unsent()) || client_->has_unsent();
  wait_at_most(waits_for_client ? listener_->config.idle_timeout : terms().response_timeout());
}

// Nobody has said anything for long: both sides are told that nothing more comes.
Exchange::Next Exchange::end_tunnel() {
  error_ = "the WebSocket was idle";
  if (!is_response_done_) client_->send_body({}, true);
  client_->flush();
  return go(kFinish);
}

// By the caller's word, or ours.
Exchange::Next Exchange::after_expiry() {
  const Duration limit = terms().request_timeout();
  if (limit.count() == 0 || started_ + limit > context_.loop.now()) return answer(504, "the call's own deadline has passed");
  context_.board.worker(context_.index).request_timeouts.fetch_add(1, std::memory_order_relaxed);
  return answer(504, "the request took too long", "no whole answer within " + to_string(limit));
}

void Exchange::on_deadline() {
  if (!is_active() || (!backend_ && step_ != kPause && step_ != kQueue && step_ != kAnswer)) return;
  const std::string address = chosen_ ? to_string(chosen_->address()) : "";
  if (step_ == kAnswer) {
    decision_ = break_off("the client does not read");
  } else if (is_expired()) {
    decision_ = after_expiry();
  } else if (hedge_at_ <= context_.loop.now() && step_ == kRelay) {
    begin_hedge();
    set_wait_limit();
    decision_ = Next::kWait;
  } else if (step_ == kPause) {
    decision_ = Next::kGo;
  } else if (step_ == kQueue) {
    decision_ = shed(kQueueTimeout, "no place was free in time");
  } else if (step_ == kConnect) {
    decision_ = after_slow_connect();
  } else if (is_tunnel_) {
    decision_ = end_tunnel();
  } else if (!is_request_done_ && !backend_->has_unsent() && !is_response_begun_) {
    decision_ = answer(408, "the request body stopped coming");
  } else if (!is_response_begun_) {
    decision_ = after_timeout();
  } else {
    decision_ = break_off(client_->has_unsent() ? "the client does not read" : "the backend's body stopped coming");
  }
  if (decision_ == Next::kAbort) return client_->break_off();
  client_->on_backend_event();
}

}  // namespace gatehouse::l7
