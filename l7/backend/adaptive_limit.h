// The adaptive limit of a pool: how many of its requests may wait for an answer at once, over all workers of
// the node. The limit and what it follows from are on the board: every worker adds what it saw, and of those
// that find an interval over the first takes the step for all (gradient.h). A place is held from the choice
// of a backend to the head of its answer, for that is the time that is measured: clients that read slowly
// hold none.
#pragma once

#include "common/config/model_resilience.h"
#include "l7/board.h"
#include "l7/priority_class.h"

namespace gatehouse::l7 {

class AdaptiveLimit {
 public:
  AdaptiveLimit(const config::AdaptiveLimit& config, AdaptiveCell& cell, std::uint32_t worker)
      : config_(config), cell_(cell), worker_(worker) {}

  bool enter(PriorityClass priority) { return add_within(cell_.asking, worker_, room_for(priority)); }
  void leave() { cell_.asking[worker_].fetch_sub(1); }
  // The head of an answer came, after so long, or none in time (kNoAnswer); board_time().
  void note(std::uint64_t wait_us, std::int64_t now_ms);
  std::uint32_t limit() const;

 private:
  std::uint32_t room_for(PriorityClass priority) const;
  // From when on answers count after a step, and when the next one is due.
  struct Times {
    std::int64_t settled, due;
  };
  Times times(std::int64_t stepped_ms) const;
  void step(std::int64_t now);

  const config::AdaptiveLimit& config_;
  AdaptiveCell& cell_;
  std::uint32_t worker_;
};

}  // namespace gatehouse::l7
