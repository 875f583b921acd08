// Backends that stand out of their pool by what their requests showed in the last interval: they fail more of
// them, or take much longer to answer, than the others. Pure.
//
// A backend is held against the others without itself: among few, one that fails half of its requests would
// move mean and deviation so far that it could never be below them (of four at most 1.73 deviations, by
// whatever it does).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/config/model_resilience.h"
#include "l7/board.h"

namespace gatehouse::l7 {

// Of one backend.
struct Window {
  std::uint64_t answers = 0;  // with those that failed
  std::uint64_t failures = 0;
  std::uint64_t timed = 0;
  double wait_us = 0;  // of all that were timed, to the heads of their answers
};

struct Outlier {
  std::size_t index = 0;
  EjectionReason reason = EjectionReason::kSuccessRate;
  double excess = 0;  // how far beyond what is allowed, relative to it
  std::string text;   // for the log
};

// The worst first: the pool may not lose all of them.
std::vector<Outlier> find_outliers(std::span<const Window> windows, const config::Ejection& ejection);

}  // namespace gatehouse::l7
