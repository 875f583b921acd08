// Credit is counted in thousandths of a retry.
#include "l7/backend/retry_budget.h"

#include <algorithm>

namespace gatehouse::l7 {
namespace {

constexpr std::int64_t kRetry = 1'000;
constexpr std::int64_t kSecond = 1'000;

std::int64_t most(const config::Retry& retry) { return std::int64_t{retry.budget_most} * kRetry; }

// What the floor has earned since the last time, at most a second's: time without need is not saved up.
void refill(PoolCell& cell, const config::Retry& retry, std::int64_t now) {
  std::int64_t last = cell.refilled_ms.load();
  if (now <= last || !cell.refilled_ms.compare_exchange_strong(last, now)) return;
  const std::int64_t earned = std::min(now - last, kSecond) * retry.budget_floor;
  cell.credit.fetch_add(std::clamp(most(retry) - cell.credit.load(), std::int64_t{0}, earned));
}

}  // namespace

void add_request(PoolCell& cell, const config::Retry& retry) {
  if (cell.credit.load(std::memory_order_relaxed) >= most(retry)) return;
  cell.credit.fetch_add(std::int64_t{retry.budget} * kRetry / 100, std::memory_order_relaxed);
}

bool take_retry(PoolCell& cell, const config::Retry& retry, EventLoop::Clock::time_point now) {
  refill(cell, retry, board_time(now));
  std::int64_t credit = cell.credit.load();
  while (credit >= kRetry) {
    if (cell.credit.compare_exchange_weak(credit, credit - kRetry)) return true;
  }
  return false;
}

Duration backoff(const config::Retry& retry, std::uint32_t nth, std::uint64_t random) {
  const std::int64_t longest =
      std::min(retry.backoff.count() << std::min(nth - 1, 8u), retry.max_backoff.count());
  return Duration(static_cast<std::int64_t>(random % static_cast<std::uint64_t>(longest + 1)));
}

}  // namespace gatehouse::l7
