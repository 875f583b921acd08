#include "l7/backend/ejection.h"

#include <algorithm>

namespace gatehouse::l7 {

bool count_failure_in_a_row(BackendCell& cell, const config::Ejection& ejection) {
  return cell.failures_in_a_row.fetch_add(1) + 1 >= ejection.failures && ejection.failures > 0;
}

std::optional<Duration> eject(BackendCell& cell, const config::Ejection& ejection,
                              EventLoop::Clock::time_point now) {
  if (is_ejected(cell, now)) return std::nullopt;
  std::int64_t before = cell.ejected_until_ms.load();
  // One that did well for longer than it could have been out begins anew.
  const bool is_old = before != 0 && board_time(now) - before > ejection.max_time.count();
  const std::uint32_t doublings = is_old ? 0 : cell.ejections_in_a_row.load();
  const Duration time(std::min(ejection.time.count() << std::min(doublings, 20u), ejection.max_time.count()));
  if (!cell.ejected_until_ms.compare_exchange_strong(before, board_time(now) + time.count()))
    return std::nullopt;
  cell.ejections_in_a_row.store(doublings + 1);
  cell.failures_in_a_row.store(ejection.failures - 1);
  cell.ejections.fetch_add(1);
  return time;
}

void take_back(BackendCell& cell) {
  cell.ejected_until_ms.store(0);
  cell.ejections.fetch_sub(1);
  cell.ejections_in_a_row.fetch_sub(1);
}

}  // namespace gatehouse::l7
