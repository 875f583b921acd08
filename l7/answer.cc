// How an exchange ends: with an answer of our own, with the last byte of the backend's, or broken off; always with a line
// in the log.
#include "l7/backend/pool.h"
#include "l7/client_connection.h"
#include "l7/exchange.h"
#include "l7/http/grpc.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kOwnAnswer = 256;  // status line and Content-Type

}  // namespace

// `why` is for the client; what names backends is for the log only.
Exchange::Next Exchange::answer(std::uint16_t status, std::string_view why, std::string_view detail) {
  if (is_response_begun_) return break_off(detail.empty() ? why : detail);
  if (status >= 400) error_ = detail.empty() ? why : detail;
  if (backend_) release_backend(false);
  status_ = status;
  if (is_grpc_) return answer_grpc(status, why);
  const std::string phrase(http::reason_phrase(status));
  const std::string text = status == 200 ? std::string(why) + "\n" : std::to_string(status) + " " + phrase + ": " + std::string(why) + "\n";
  context_.response.fields.clear();
  if (!reason_.empty()) context_.response.fields.add({"X-Gatehouse-Reason", reason_});
  return send_answer(text, reason_.empty() ? 0 : reason_.size() + 32);
}

// A whole response: status_, the fields that context_.response has, of `fields` bytes, and a short text.
Exchange::Next Exchange::send_answer(std::string_view text, std::size_t fields) {
  const Next next = begin_answer(text, fields);
  if (step_ != kAnswer) return next;
  client_->send_body(text, true);
  response_bytes_ = text.size();
  is_response_done_ = true;
  return go(kFinish);
}

// The same with a text that lives as long as the exchange: it may be longer than what the client takes at once.
Exchange::Next Exchange::begin_answer(std::string_view text, std::size_t fields) {
  http::Response& response = context_.response;
  response.status = status_;
  response.reason = http::reason_phrase(status_);
  response.is_h2 = false;
  response.framing = status_ == 204 ? http::Framing::kNone : http::Framing::kLength;  // RFC 9110 §8.6
  response.content_length = text.size();
  if (!text.empty() && !response.fields.find("content-type")) response.fields.add({"Content-Type", "text/plain; charset=utf-8"});
  const bool is_last = is_head_request_ || text.empty();
  if (client_->send_head(response, fields + kOwnAnswer, style(), is_last) != ClientSide::Sent::kDone) return break_off("no room for an answer");
  is_response_begun_ = true;
  is_response_done_ = is_last;
  if (is_last) response_bytes_ = text.size();
  unsent_answer_ = text;
  return go(is_last ? kFinish : kAnswer);
}

Exchange::Next Exchange::send_text() {
  bool has_moved = response_bytes_ == 0;
  do {
    // Asked until there is none: it is said when there is room again.
    for (std::size_t room = client_->body_room(); room > 0; room = client_->body_room()) {
      const std::string_view piece = unsent_answer_.substr(0, room);
      unsent_answer_.remove_prefix(piece.size());
      response_bytes_ += piece.size();
      is_response_done_ = unsent_answer_.empty();
      client_->send_body(piece, is_response_done_);
      if (is_response_done_) return go(kFinish);
      has_moved = true;
    }
  } while (client_->flush());
  if (client_->is_lost()) return break_off("the client closed the connection");
  if (has_moved) wait_at_most(listener_->config.idle_timeout);
  return Next::kWait;
}

// What the pool's operator wants to be said, to people.
Exchange::Next Exchange::answer_in_panic(const config::PanicAnswer& own) {
  if (is_grpc_) return answer(503, "no healthy backend", "no healthy backend in pool " + pool_->config().name);
  error_ = "no healthy backend in pool " + pool_->config().name;
  status_ = own.status;
  context_.response.fields.clear();
  context_.response.fields.add({"Content-Type", own.content_type});
  return begin_answer(own.body, own.content_type.size());
}

// Trailers only: a head that ends the stream, with the status in gRPC's terms. The log has ours.
Exchange::Next Exchange::answer_grpc(std::uint16_t status, std::string_view why) {
  const std::string code = std::to_string(is_expired() ? http::kGrpcDeadlineExceeded : http::grpc_status(status));
  const std::string message = http::grpc_message(why);
  http::Response& response = context_.response;
  response.status = 200;
  response.reason = "OK";
  response.is_h2 = false;
  response.framing = http::Framing::kNone;
  response.fields.clear();
  response.fields.add({"Content-Type", "application/grpc"});
  response.fields.add({"Content-Length", "0"});
  response.fields.add({"grpc-status", code});
  response.fields.add({"grpc-message", message});
  if (!reason_.empty()) response.fields.add({"X-Gatehouse-Reason", reason_});
  const std::size_t length = message.size() + 256;
  if (client_->send_head(response, length, style(), true) != ClientSide::Sent::kDone) return break_off(why);
  is_response_begun_ = is_response_done_ = true;
  return go(kFinish);
}

Exchange::Next Exchange::break_off(std::string_view why) {
  error_ = why;
  return Next::kAbort;
}

void Exchange::refuse(ClientSide& client, std::uint16_t status, std::string_view why) {
  begin(client);
  for (std::string* text : {&method_, &host_, &path_}) text->clear();
  is_logged_ = true;
  is_request_done_ = is_head_request_ = false;
  step_ = kFinish;
  if (answer(status, why) == Next::kGo) finish();
  abort(why);
}

void Exchange::abort(std::string_view why) {
  if (!is_active()) return;
  if (error_.empty()) error_ = why;
  if (backend_) release_backend(false);
  end();
}

Exchange::Next Exchange::finish() {
  if (backend_) release_backend(is_request_done_ && is_response_done_);
  end();
  return Next::kDone;
}

void Exchange::end() {
  const std::uint64_t duration = duration_us();
  drop_hedge();
  leave_queue();
  count_answer(duration);
  write_log(duration);
  end_waiting();
  if (has_entered_) {
    leave_pool();
    wake_queue();
  }
  head_.release();
  kept_body_.release();
  if (mirror_) drop_mirror();  // nobody has the rest of it
  deadline_.clear();
  holds_.clear();
  runtime_.reset();
  step_ = kIdle;
}

void Exchange::release_backend(bool is_complete) {
  end_waiting();
  stay_.leave();
  std::exchange(backend_, nullptr)->release(is_complete, pool_->config());
}

http::ResponseStyle Exchange::style() const {
  http::ResponseStyle style;
  style.via = context_.via;
  style.request_id = request_id();
  style.date = context_.clock.http_date();
  style.hsts = hsts();
  if (route_ != Router::kNoRoute) style.edits = response_edits();
  return style;
}

// RFC 6797 §7.2: over TLS only.
std::string_view Exchange::hsts() const {
  if (!listener_->tls) return {};
  const std::string& of_listener = listener_->config.hsts;
  if (route_ == Router::kNoRoute) return of_listener;
  const std::string& of_route = runtime_->config().routes[route_].hsts;
  return of_route.empty() ? of_listener : of_route;
}

void Exchange::count_answer(std::uint64_t duration) {
  if (status_ >= 500) context_.board.worker(context_.index).responses_5xx.fetch_add(1, std::memory_order_relaxed);
  // Streams last as long as they like.
  if (status_ == 0 || is_tunnel_ || route_ == Router::kNoRoute) return;
  if (LatencyCell* cell = runtime_->latency_of(route_)) cell->add(duration, status_);
  if (pool_ && pool_->latency()) pool_->latency()->add(duration, status_);
}

std::uint64_t Exchange::duration_us() const {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(EventLoop::Clock::now() - started_).count());
}

void Exchange::write_log(std::uint64_t duration) {
  if (!is_logged_ || listener_->is_probe) return;
  const config::Config& config = runtime_->config();
  const bool has_route = route_ != Router::kNoRoute;
  const std::string backend = chosen_ && has_route ? to_string(chosen_->address()) : "";
  AccessRecord record;
  record.time = context_.clock.timestamp();
  record.request_id = request_id();
  record.client = client_->connection().address();
  record.method = method_;
  record.host = host_;
  record.path = path_;
  if (has_route) record.route = config.routes[route_].name;
  if (has_route && pool_) record.pool = pool_->config().name;
  record.backend = backend;
  record.node = context_.node;
  record.worker = context_.index;
  record.error = error_;
  record.status = status_;
  record.attempts = attempts_;
  record.is_hedged = is_hedged_;
  record.reason = reason_;
  record.queued_ms = queued_ms_;
  record.bytes = response_bytes_;
  record.duration_us = duration;
  context_.access_log.add(record);
}

}  // namespace gatehouse::l7
