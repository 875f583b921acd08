// Hedging: a request that has no answer after the route's hedge_after goes to another backend as well, and
// the first head of an answer is the answer. The other copy is cancelled. A hedge is a try like any other: it
// is paid for from the budget of retries, has a place in the pool and with its backend, and takes the failed
// one's place when the first fails.
#include <algorithm>

#include "l7/backend/pool.h"
#include "l7/client_side.h"
#include "l7/exchange.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr EventLoop::Clock::time_point kNever = EventLoop::Clock::time_point::max();

}  // namespace

// The whole request is with the backend.
void Exchange::plan_hedge() {
  const Duration wait = runtime_->config().routes[route_].hedge_after;
  const bool is_possible = wait.count() > 0 && !hedge_.side && is_repeatable_ && is_body_kept_ &&
                           is_body_read_ && !is_upgrade_ && attempts_ < most_attempts_ &&
                           !pool_->affinity() && !is_response_begun_;
  hedge_at_ = is_possible ? context_.loop.now() + wait : kNever;
}

// Nothing happens when there is nobody else, no place or no budget: the first is waited for as if there were
// no hedges.
void Exchange::begin_hedge() {
  hedge_at_ = kNever;
  mark_tried(chosen_);
  Backend* other = choose();
  const bool has_place = other && pool_->enter(runtime_->plan_of(route_).priority_class()) == nullptr;
  if (!has_place) return;
  hedge_.is_asking = pool_->counts_asking();
  WorkerCell& cell = context_.board.worker(context_.index);
  const bool is_paid = pool_->take_retry();
  (is_paid ? cell.hedges : cell.retries_over_budget).fetch_add(1, std::memory_order_relaxed);
  hedge_.side = is_paid ? other->lease(*this, pool_->config(), false) : nullptr;
  if (!hedge_.side) return leave_pool_for_hedge();
  hedge_.backend = other;
  hedge_.sent = 0;
  hedge_.is_begun = false;
  hedge_.asked = kNever;
  is_hedged_ = true;
  ++attempts_;
  other->count_request();
}

// Whether it has answered, and is the backend now.
bool Exchange::run_hedge() {
  if (!hedge_.is_begun) {
    const StreamStatus status = hedge_.side->open();
    if (status == StreamStatus::kBlocked) return false;
    if (status != StreamStatus::kDone) return fail_hedge();
    if (tells_attempts_) head_.set_attempt(attempts_);
    hedge_.side->send_head(head_, request_framing_, kept_body_.is_empty());
    hedge_.is_begun = true;
  }
  send_hedge_body();
  hedge_.side->flush();
  for (;;) {
    const BackendSide::Head head = hedge_.side->receive_head(is_head_request_);
    if (head.status == BackendSide::HeadStatus::kNothing) return false;
    const std::uint16_t status = context_.response.status;
    const bool is_answer = head.status == BackendSide::HeadStatus::kDone && status != 101 && status < 500;
    if (!is_answer)
      return fail_hedge();  // an error that came fast is no better than an answer that is to come
    if (status >= 200) break;
    hedge_.side->consume_head();
  }
  context_.board.worker(context_.index).won_hedges.fetch_add(1, std::memory_order_relaxed);
  pool_->note_wait(*chosen_, asked_, false);
  promote_hedge();
  return true;
}

void Exchange::send_hedge_body() {
  while (hedge_.sent < kept_body_.size()) {
    const std::size_t room = hedge_.side->body_room();
    if (room == 0) return;
    const std::string_view piece = kept_body_.view().substr(hedge_.sent, room);
    hedge_.sent += piece.size();
    hedge_.side->send_body(piece, hedge_.sent == kept_body_.size());
  }
  if (hedge_.asked == kNever) hedge_.asked = context_.loop.now();
}

bool Exchange::fail_hedge() {
  pool_->note_failure(*hedge_.backend);
  mark_tried(hedge_.backend);
  drop_hedge();
  return false;
}

void Exchange::drop_hedge() {
  hedge_at_ = kNever;
  if (!hedge_.side) return;
  std::exchange(hedge_.side, nullptr)->release(false, pool_->config());
  leave_pool_for_hedge();
}

void Exchange::leave_pool_for_hedge() {
  if (std::exchange(hedge_.is_asking, false)) pool_->end_asking();
  pool_->leave();
  wake_queue();
}

// It goes on from where it is: perhaps not even connected.
Exchange::Next Exchange::promote_hedge() {
  if (backend_) release_backend(false);
  backend_ = std::exchange(hedge_.side, nullptr);
  chosen_ = hedge_.backend;
  leave_pool_for_hedge();
  sent_again_ = hedge_.sent;
  is_request_done_ = hedge_.is_begun && sent_again_ == kept_body_.size();
  asked_ = hedge_.asked;
  const Duration limit = terms().try_timeout();
  try_expires_ = limit.count() > 0 && asked_ != kNever ? asked_ + limit : kNever;
  hedge_at_ = kNever;
  if (hedge_.is_begun) {
    if (is_grpc_ && pool_->config().end_when_down)
      stay_.join<&Exchange::on_backend_down>(chosen_->stays(), this);
    set_wait_limit();
    return go(kRelay);
  }
  is_request_done_ = is_body_read_ && kept_body_.is_empty();
  wait_at_most(connect_patience());
  return go(kConnect);
}

}  // namespace gatehouse::l7
