// What an exchange does when its pool is full: it waits in the pool's line, if there is one, or is answered
// 503.
#include "l7/backend/pool.h"
#include "l7/backend/pool_queue.h"
#include "l7/exchange.h"
#include "l7/shed_reason.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {

// nullptr: it is in. Who is in line is here because its turn has come.
const ShedReason* Exchange::enter_pool() {
  const PriorityClass priority = runtime_->plan_of(route_).priority_class();
  PoolQueue* queue = pool_->queue();
  if (queue && !ticket_.is_in_line && !queue->admits(priority)) return &kOverLimit;
  const ShedReason* reason = pool_->enter(priority);
  has_entered_ = !reason;
  is_asking_ = has_entered_ && pool_->counts_asking();
  return reason;
}

void Exchange::leave_pool() {
  end_asking();
  if (std::exchange(has_entered_, false)) pool_->leave();
}

void Exchange::end_asking() {
  if (std::exchange(is_asking_, false)) pool_->end_asking();
}

// Not after a try that found the pool full: it would be tried again at once, and for ever.
void Exchange::wake_queue() {
  if (PoolQueue* queue = pool_->queue()) queue->on_freed();
}

// The head of the answer is there.
void Exchange::on_answered() {
  if (!is_asking_) return;
  end_asking();
  wake_queue();
}

// Retries do not wait: they had their turn.
Exchange::Next Exchange::wait_for_place(const ShedReason& reason, std::string_view why) {
  PoolQueue* queue = attempts_ == 0 ? pool_->queue() : nullptr;
  if (!queue) return shed(reason, why);
  leave_pool();
  chosen_ = nullptr;
  holds_.clear();
  holds_.add(bound_);
  if (!ticket_.is_in_line) {
    ticket_.owner = this;
    ticket_.priority = runtime_->plan_of(route_).priority_class();
    if (!queue->join(ticket_, pool_->config().queue.limit))
      return shed(kQueueFull, "as many requests wait as may");
    context_.board.worker(context_.index).queued_requests.fetch_add(1, std::memory_order_relaxed);
    wait_at_most(pool_->config().queue.timeout);
  }
  step_ = kQueue;
  return Next::kWait;
}

// It keeps its ticket while it tries.
Exchange::Next Exchange::queue() {
  if (client_->is_lost()) return break_off("the client closed the connection");
  if (ticket_.is_turned_out) return shed(kQueueFull, "more important requests wait");
  return std::exchange(ticket_.is_called, false) ? go(kChooseBackend) : Next::kWait;
}

void Exchange::on_turn_in_queue() { client_->on_backend_event(); }

void Exchange::leave_queue() {
  if (!ticket_.is_in_line && !ticket_.is_turned_out) return;
  queued_ms_ = static_cast<std::uint64_t>(board_time(context_.loop.now()) - ticket_.since_ms);
  pool_->queue()->leave(ticket_);
  ticket_.is_turned_out = false;
}

Exchange::Next Exchange::shed(const ShedReason& reason, std::string_view why) {
  leave_queue();
  (context_.board.worker(context_.index).*reason.count).fetch_add(1, std::memory_order_relaxed);
  reason_ = reason.word;
  return answer(503, why);
}

}  // namespace gatehouse::l7
