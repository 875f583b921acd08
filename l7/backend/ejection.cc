// Who changes the time, or the standing from the trial, is the one who decides; the time is there before the
// standing.
#include "l7/backend/ejection.h"

#include <algorithm>

namespace gatehouse::l7 {

bool count_failure_in_a_row(BackendCell& cell, const config::Ejection& ejection) {
  return cell.failures_in_a_row.fetch_add(1) + 1 >= ejection.failures && ejection.failures > 0;
}

std::optional<Duration> eject(BackendCell& cell, const config::Ejection& ejection, EjectionReason reason,
                              EventLoop::Clock::time_point now) {
  Standing standing = cell.standing.load();
  if (standing == Standing::kOut) return std::nullopt;
  std::int64_t before = cell.ejected_until_ms.load();
  // One that did well for longer than it could have been out begins anew.
  const bool is_old = before != 0 && board_time(now) - before > ejection.max_time.count();
  const std::uint32_t doublings = is_old ? 0 : cell.ejections_in_a_row.load();
  const Duration time(std::min(ejection.time.count() << std::min(doublings, 20u), ejection.max_time.count()));
  if (standing == Standing::kTrial) {
    if (!cell.standing.compare_exchange_strong(standing, Standing::kOut)) return std::nullopt;
    cell.ejected_until_ms.store(board_time(now) + time.count());
  } else {
    const bool is_decided = before > board_time(now);
    if (is_decided || !cell.ejected_until_ms.compare_exchange_strong(before, board_time(now) + time.count()))
      return std::nullopt;
    cell.standing.store(Standing::kOut);
  }
  cell.ejected_for.store(reason);
  cell.ejections_in_a_row.store(doublings + 1);
  cell.failures_in_a_row.store(ejection.failures > 0 ? ejection.failures - 1 : 0);
  cell.ejections[static_cast<std::size_t>(reason)].fetch_add(1);
  return time;
}

void undo_ejection(BackendCell& cell, EjectionReason reason) {
  cell.ejected_until_ms.store(0);
  cell.standing.store(Standing::kIn);
  cell.ejections[static_cast<std::size_t>(reason)].fetch_sub(1);
  cell.ejections_in_a_row.fetch_sub(1);
}

bool begin_trial(BackendCell& cell, EventLoop::Clock::time_point now, Duration limit) {
  std::int64_t until = cell.ejected_until_ms.load();
  if (!is_ejected(cell) || until > board_time(now)) return false;
  if (!cell.ejected_until_ms.compare_exchange_strong(until, board_time(now) + limit.count())) return false;
  cell.standing.store(Standing::kTrial);
  return true;
}

bool readmit_by_check(BackendCell& cell, EventLoop::Clock::time_point now) {
  Standing standing = cell.standing.load();
  if (standing == Standing::kIn) return false;
  if (standing == Standing::kOut && cell.ejected_until_ms.load() > board_time(now)) return false;
  return cell.standing.compare_exchange_strong(standing, Standing::kIn);
}

bool readmit_by_trial(BackendCell& cell) {
  Standing standing = Standing::kTrial;
  return cell.standing.compare_exchange_strong(standing, Standing::kIn);
}

}  // namespace gatehouse::l7
