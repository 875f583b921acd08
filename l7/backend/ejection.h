// Passive ejection: a backend whose requests go badly gets none for a while, on all workers of the node. The
// state is its cell on the board; of those who see a reason at once one decides. After its time it is on
// trial: it gets one request, whose success brings it back and whose failure puts it out again, for twice as
// long. Where backends are checked a check that succeeds takes the place of that request. What the reasons
// are is found by failures in a row, and by outliers.h.
#pragma once

#include <optional>

#include "common/config/model_resilience.h"
#include "common/event_loop.h"
#include "l7/board.h"

namespace gatehouse::l7 {

inline bool is_ejected(const BackendCell& cell) {
  return cell.standing.load(std::memory_order_relaxed) != Standing::kIn;
}

inline std::uint64_t ejections_of(const BackendCell& cell) {
  std::uint64_t sum = 0;
  for (const auto& count : cell.ejections) sum += count.load(std::memory_order_relaxed);
  return sum;
}

// Whether that was one too many: eject() is to be tried.
bool count_failure_in_a_row(BackendCell& cell, const config::Ejection& ejection);
inline void count_success(BackendCell& cell) {
  if (cell.failures_in_a_row.load(std::memory_order_relaxed) != 0)
    cell.failures_in_a_row.store(0, std::memory_order_relaxed);
}

// For how long; nothing when another worker was first.
std::optional<Duration> eject(BackendCell& cell, const config::Ejection& ejection, EjectionReason reason,
                              EventLoop::Clock::time_point now);
void undo_ejection(BackendCell& cell, EjectionReason reason);  // too many are out

// Whether the caller's request is the trial; without an outcome by `limit` another may follow.
bool begin_trial(BackendCell& cell, EventLoop::Clock::time_point now, Duration limit);
inline bool is_on_trial(const BackendCell& cell) {
  return cell.standing.load(std::memory_order_relaxed) == Standing::kTrial;
}
// A check succeeded. Whether that brought it back; the next failure of a request will be enough then.
bool readmit_by_check(BackendCell& cell, EventLoop::Clock::time_point now);
bool readmit_by_trial(BackendCell& cell);

}  // namespace gatehouse::l7
