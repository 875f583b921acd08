// Passive ejection: a backend whose answers failed several times in a row gets no requests for a while, on
// all workers of the node. The state is its cell on the board; whoever sees the last failure decides, once.
// When it is back its first answer decides: a failure ejects it again, for twice as long.
#pragma once

#include <optional>

#include "common/config/model_resilience.h"
#include "common/event_loop.h"
#include "l7/board.h"

namespace gatehouse::l7 {

inline bool is_ejected(const BackendCell& cell, EventLoop::Clock::time_point now) {
  const std::int64_t until = cell.ejected_until_ms.load(std::memory_order_relaxed);
  return until != 0 && board_time(now) < until;
}

// Whether that was one too many: eject() is to be tried.
bool count_failure_in_a_row(BackendCell& cell, const config::Ejection& ejection);
inline void count_success(BackendCell& cell) {
  if (cell.failures_in_a_row.load(std::memory_order_relaxed) != 0)
    cell.failures_in_a_row.store(0, std::memory_order_relaxed);
}
// For how long; nothing when another worker was first.
std::optional<Duration> eject(BackendCell& cell, const config::Ejection& ejection,
                              EventLoop::Clock::time_point now);
void take_back(BackendCell& cell);  // too many are out

}  // namespace gatehouse::l7
