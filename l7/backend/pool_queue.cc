// A ticket stays in line while its request tries, so that one that fails has lost nothing.
#include "l7/backend/pool_queue.h"

#include "l7/exchange.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr Duration kLook = EventLoop::kTick;
// Of age, that does not matter between workers: whoever finds a place free takes it within two ticks.
constexpr std::uint32_t kSlack = 3 * static_cast<std::uint32_t>(kLook.count());

// The foremost ticket of a worker, as others see it: its class, plus one, above a time in milliseconds. 0:
// nobody waits.
constexpr unsigned kTimeBits = 30;
constexpr std::uint32_t kTimes = (1u << kTimeBits) - 1;

std::uint32_t shown(PriorityClass priority, std::int64_t since_ms) {
  return (static_cast<std::uint32_t>(priority) + 1) << kTimeBits |
         (static_cast<std::uint32_t>(since_ms) & kTimes);
}

bool goes_before(std::uint32_t other, std::uint32_t own) {
  if (other == 0) return false;
  if (other >> kTimeBits != own >> kTimeBits) return other >> kTimeBits < own >> kTimeBits;
  const std::uint32_t older = (own - other) & kTimes;  // the clock may have come round
  return older > kSlack && older < kTimes / 2;
}

}  // namespace

PoolQueue::PoolQueue(WorkerContext& context, std::string_view pool)
    : context_(context), cell_(context.board.pool(pool_key(pool))) {
  if (!cell_) cell_ = (own_cell_ = std::make_unique<PoolCell>()).get();
}

bool PoolQueue::admits(PriorityClass priority) const {
  const QueueTicket* front = line_.front();
  return may_take() && (!front || front->priority > priority);
}

// Of another worker; where nobody waits here, before those that come next.
bool PoolQueue::is_anyone_before() const {
  const QueueTicket* front = line_.front();
  const std::uint32_t workers = context_.board.workers_seen();
  const std::uint32_t own = front ? shown(front->priority, front->since_ms)
                                  : shown(PriorityClass::kDefault, board_time(context_.loop.now()));
  for (std::uint32_t i = 0; i < workers; ++i) {
    if (i != context_.index && goes_before(cell_->foremost[i].load(std::memory_order_relaxed), own))
      return true;
  }
  return false;
}

// Leaves one place at a time, for two ticks, and then takes what it finds for as long: a worker that shows a
// ticket and does not move is not waited for.
void PoolQueue::on_freed() {
  const auto now = context_.loop.now();
  if (now >= next_yield_ && is_anyone_before()) {
    most_ = held_;
    yields_until_ = now + 2 * kLook;
    next_yield_ = now + 4 * kLook;
  }
  if (!line_.is_empty()) wake_later();
}

bool PoolQueue::may_take() const { return held_ < most_ || context_.loop.now() >= yields_until_; }

bool PoolQueue::join(QueueTicket& ticket, std::uint32_t limit) {
  if (!add_within(cell_->queued, context_.index, limit)) {
    QueueTicket* cheaper = line_.last_below(ticket.priority);
    if (!cheaper) return false;
    line_.remove(*cheaper);  // its place in the count is the new one's
    cheaper->is_turned_out = true;
    turned_out_.add(*cheaper);
    wake_later();
  }
  ticket.is_called = ticket.is_turned_out = false;
  ticket.since_ms = board_time(context_.loop.now());
  line_.add(ticket);
  show_foremost();
  if (!tick_.is_armed()) tick_.arm<&PoolQueue::on_tick>(context_.loop, kLook, this);
  return true;
}

void PoolQueue::leave(QueueTicket& ticket) {
  if (!ticket.is_in_line) return;
  if (ticket.is_turned_out) return turned_out_.remove(ticket);
  line_.remove(ticket);
  cell_->queued[context_.index].fetch_sub(1);
  show_foremost();
}

void PoolQueue::show_foremost() {
  const QueueTicket* front = line_.front();
  cell_->foremost[context_.index].store(front ? shown(front->priority, front->since_ms) : 0,
                                        std::memory_order_relaxed);
}

void PoolQueue::wake_later() {
  if (!std::exchange(is_due_, true)) context_.queues.wake_later(*this);
}

void PoolQueue::on_tick() {
  serve();
  if (!line_.is_empty()) tick_.arm<&PoolQueue::on_tick>(context_.loop, kLook, this);
}

void PoolQueue::serve() {
  while (QueueTicket* out = turned_out_.front()) {
    turned_out_.remove(*out);
    call(*out);
  }
  while (QueueTicket* front = line_.front()) {
    if (!may_take()) return;
    call(*front);
    if (line_.front() == front) return;  // it found no place, nor would another
  }
}

void PoolQueue::call(QueueTicket& ticket) {
  ticket.is_called = true;
  ticket.owner->on_turn_in_queue();
}

PoolQueue& PoolQueues::find_or_add(std::string_view pool) {
  const auto known = queues_.find(pool);
  if (known != queues_.end()) return *known->second;
  return *queues_.emplace(pool, std::make_unique<PoolQueue>(context_, pool)).first->second;
}

void PoolQueues::sweep() {
  std::erase_if(queues_, [](const auto& entry) { return entry.second->is_unused(); });
}

void PoolQueues::wake_later(PoolQueue& queue) {
  if (due_.empty()) context_.loop.defer([this] { run_due(); });
  due_.push_back(&queue);
}

void PoolQueues::run_due() {
  running_.swap(due_);
  for (PoolQueue* queue : running_) {
    queue->is_due_ = false;
    queue->serve();
  }
  running_.clear();
}

}  // namespace gatehouse::l7
