// What becomes of a try that failed: another one, on another backend, when the request may be repeated, its
// body is still here, and the pool's budget allows; else the answer that the failure makes.
#include <algorithm>

#include "l7/backend/pool.h"
#include "l7/backend/retry_budget.h"
#include "l7/client_connection.h"
#include "l7/exchange.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

bool is_idempotent(std::string_view method) {  // RFC 9110 §9.2.2
  for (const std::string_view known : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
    if (method == known) return true;
  }
  return false;
}

}  // namespace

// Only one tier retries: where a trusted proxy before us counts attempts, that is its business.
void Exchange::prepare_retries() {
  const http::Request& request = context_.request;
  const config::Retry& config = pool_->config().retry;
  tells_attempts_ = !client_->connection().is_trusted() || !request.fields.find("x-attempt-count");
  most_attempts_ = tells_attempts_ ? terms().attempts() : 1;
  const http::Field* key = request.fields.find("idempotency-key");
  is_repeatable_ = is_idempotent(request.method) || (key && !key->value.empty());
  is_body_read_ = is_request_done_;
  const bool is_short =
      request.framing != http::Framing::kLength || request.content_length <= config.max_body.bytes;
  const bool is_wanted = most_attempts_ > 1 && !is_request_done_ && (is_repeatable_ || pool_->speaks_h2());
  keeps_body_ = is_wanted && is_short;
  if (is_wanted && !is_short)
    context_.board.worker(context_.index).bodies_not_kept.fetch_add(1, std::memory_order_relaxed);
}

void Exchange::keep_body(const http::BodyPiece& piece) {
  if (piece.data.empty() && !piece.trailers) return;
  const std::size_t size = piece.data.size();
  const bool fits = keeps_body_ && !piece.trailers &&
                    kept_body_.size() + size <= pool_->config().retry.max_body.bytes &&
                    (kept_body_.room() >= size || (kept_body_.grow() && kept_body_.room() >= size));
  if (fits) {
    sent_again_ += kept_body_.append(piece.data);
    return;
  }
  if (keeps_body_)
    context_.board.worker(context_.index).bodies_not_kept.fetch_add(1, std::memory_order_relaxed);
  is_body_kept_ = false;
  forget_body();
}

// What this backend has still to get of it stays.
void Exchange::forget_body() {
  keeps_body_ = false;
  if (sent_again_ < kept_body_.size()) return;
  kept_body_.release();
  sent_again_ = 0;
}

bool Exchange::resend_body() {
  bool has_moved = false;
  while (sent_again_ < kept_body_.size()) {
    const std::size_t room = backend_->body_room();
    if (room == 0) return has_moved;
    const std::string_view piece = kept_body_.view().substr(sent_again_, room);
    sent_again_ += piece.size();
    is_request_done_ = is_body_read_ && sent_again_ == kept_body_.size();
    backend_->send_body(piece, is_request_done_);
    has_moved = true;
  }
  if (!keeps_body_) forget_body();
  return has_moved;
}

// The whole request is with the backend: its time runs.
void Exchange::expect_answer() {
  const Duration limit = terms().try_timeout();
  if (!is_response_begun_) asked_ = context_.loop.now();
  if (limit.count() > 0 && !is_response_begun_) try_expires_ = context_.loop.now() + limit;
  plan_hedge();
}

// Who has failed the request gets it no more.
void Exchange::mark_tried(Backend* backend) {
  Backend** const end = tried_.data() + tried_count_;
  if (tried_count_ < tried_.size() && std::find(tried_.data(), end, backend) == end) tried_[tried_count_++] = backend;
}

// Whether the failed try may be followed by another, on next_; it is paid for then. A hedge is that already.
bool Exchange::find_retry(Fault fault) {
  if (hedge_.side && !is_response_begun_) return true;
  const bool may_have_been_seen = fault >= Fault::kLost;
  if (attempts_ >= most_attempts_ || !is_body_kept_ || is_response_begun_) return false;
  if (may_have_been_seen && !is_repeatable_) return false;
  mark_tried(chosen_);
  next_ = choose();
  const bool is_refusal = fault == Fault::kTurnedAway || fault == Fault::kRefused;
  if (!next_ && is_refusal) next_ = chosen_;
  if (!next_ || (fault != Fault::kTurnedAway && !pays_for_retry())) {
    next_ = nullptr;
    return false;
  }
  const std::uint64_t random = context_.request_ids.next_word();
  const Duration wait = may_have_been_seen ? backoff(pool_->config().retry, attempts_, random) : Duration(0);
  pause_ends_ = context_.loop.now() + wait;
  return true;
}

bool Exchange::pays_for_retry() {
  WorkerCell& cell = context_.board.worker(context_.index);
  const bool is_paid = pool_->take_retry();
  (is_paid ? cell.retries : cell.retries_over_budget).fetch_add(1, std::memory_order_relaxed);
  return is_paid;
}

Exchange::Next Exchange::retry() {
  if (hedge_.side) return promote_hedge();
  rewind_request();
  return go(kPause);
}

void Exchange::rewind_request() {
  if (backend_) release_backend(false);
  sent_again_ = 0;
  is_request_done_ = is_body_read_ && kept_body_.is_empty();
  try_expires_ = asked_ = hedge_at_ = EventLoop::Clock::time_point::max();
}

Exchange::Next Exchange::pause() {
  if (client_->is_lost()) return break_off("the client closed the connection");
  const auto now = context_.loop.now();
  if (now >= pause_ends_) return go(kChooseBackend);
  wait_at_most(std::chrono::ceil<Duration>(pause_ends_ - now));
  return Next::kWait;
}

// Backends are addresses: where a name has those of both families, each is a backend, and this is what RFC 8305 asks for.
Duration Exchange::connect_patience() {
  const config::Pool& config = pool_->config();
  connect_expires_ = context_.loop.now() + config.connect_timeout;
  const Duration delay = config.connect_attempt_delay;
  return delay.count() > 0 && attempts_ < most_attempts_ ? std::min(delay, config.connect_timeout) : config.connect_timeout;
}

// A connection that takes its time is not given up, only this request does not wait for it; unless there is nobody else.
Exchange::Next Exchange::after_slow_connect() {
  const auto left = std::chrono::ceil<Duration>(connect_expires_ - context_.loop.now());
  if (left <= Duration(0)) {
    return after_failed_connect(504, "no connection to " + to_string(chosen_->address()) + " within " + to_string(pool_->config().connect_timeout));
  }
  tried_[tried_count_++] = chosen_;
  next_ = choose();
  if (!next_ || !pays_for_retry()) {
    next_ = nullptr;
    --tried_count_;
    wait_at_most(left);
    return Next::kWait;
  }
  context_.board.worker(context_.index).slow_connects.fetch_add(1, std::memory_order_relaxed);
  chosen_->avoid();
  end_waiting();
  std::exchange(backend_, nullptr)->leave_behind(pool_->config());
  return go(kChooseBackend);
}

// Nothing has been sent.
Exchange::Next Exchange::after_failed_connect(std::uint16_t status, std::string_view why) {
  error_ = why;
  pool_->note_failure(*chosen_);
  chosen_->avoid();
  if (find_retry(Fault::kUnconnected)) return retry();
  return answer(status, "no backend could be reached", std::string(error_));
}

// What a backend has refused it has not looked at (RFC 9113 §8.7): any request may go elsewhere, or there
// again. A connection that was kept may have been closed just as the request left: one that may be repeated
// is, on a new connection (RFC 9112 §9.3.1). Anything else is the backend's failure.
Exchange::Next Exchange::after_lost_backend() {
  if (backend_->is_refused()) {
    error_ = "refused by " + to_string(chosen_->address());
    const Fault fault = backend_->is_leaving() ? Fault::kTurnedAway : Fault::kRefused;
    if (find_retry(fault)) return retry();
    return answer(503, "every backend refused the request", std::string(error_));
  }
  const bool may_repeat =
      is_repeatable_ && is_body_kept_ && !is_response_begun_ && attempts_ < most_attempts_;
  if (backend_->is_reused() && may_repeat && !hedge_.side && !std::exchange(must_connect_, true) && pays_for_retry()) {
    rewind_request();
    return go(kLease);
  }
  pool_->note_failure(*chosen_);
  if (find_retry(Fault::kLost)) return retry();
  return answer(502, "the backend closed the connection before its answer");
}

// By the try's own time another one may follow; when the whole time is over there is none left for it.
Exchange::Next Exchange::after_timeout() {
  const bool is_try_over = try_expires_ <= context_.loop.now();
  const Duration limit = is_try_over ? terms().try_timeout() : terms().response_timeout();
  pool_->note_wait(*chosen_, asked_);
  pool_->note_failure(*chosen_);
  if (is_try_over && find_retry(Fault::kTimeout)) return retry();
  return answer(504, "the backend did not answer in time",
                "no answer from " + to_string(chosen_->address()) + " within " + to_string(limit));
}

void Exchange::on_backend_down() {
  context_.board.worker(context_.index).ended_with_backend.fetch_add(1, std::memory_order_relaxed);
  decision_ = end_with_backend();
  if (decision_ == Next::kAbort) return client_->break_off();
  client_->on_backend_event();
}

// A call without an answer may go elsewhere. One that is being answered ends with what its client takes for a reason to make
// another: trailers, where it can have them.
Exchange::Next Exchange::end_with_backend() {
  constexpr std::string_view kWhy = "the backend is down or disabled";
  reason_ = "backend-down";
  if (!is_response_begun_) return find_retry(Fault::kLost) ? retry() : answer(503, kWhy, kWhy);
  if (!is_grpc_ || is_response_done_ || !client_->speaks_h2()) return break_off(kWhy);
  error_ = kWhy;
  http::Fields& trailers = context_.trailers;
  trailers.clear();
  trailers.add({"grpc-status", "14"});  // UNAVAILABLE
  trailers.add({"grpc-message", kWhy});
  client_->send_trailers(trailers);
  client_->flush();
  return go(kFinish);
}

bool Exchange::is_answer_tried_again() {
  const std::vector<std::uint16_t>& status = terms().retried_status();
  if (status.empty()) return false;
  const std::uint16_t found = context_.response.status;
  if (std::find(status.begin(), status.end(), found) == status.end() || !find_retry(Fault::kStatus))
    return false;
  pool_->note_failure(*chosen_, found >= 500 && pool_->config().ejection.counts_5xx);
  decide(retry());
  return true;
}

}  // namespace gatehouse::l7
