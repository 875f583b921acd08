// How many requests a pool may have in flight, from how long it takes to answer them: a step of the gradient
// method, after Envoy's adaptive concurrency filter and Netflix' concurrency-limits. A pure function;
// adaptive_limit.h feeds it.
//
//   gradient = shortest wait * (1 + buffer) / wait now, from 1/2 to 2
//   limit    = limit * gradient + sqrt(limit * gradient)
//
// As long as answers come as fast as they can the limit grows; when they wait for each other it falls to
// where they no longer do. The shortest wait is what was ever seen lately, and what is seen while no more
// requests than min_requests wait for an answer, or when fewer of them wait no less: then that is the pool's
// own time, also when it is longer than it was. (Envoy believes a longer one only when its next measurement
// is due, or after five steps at the lowest limit.) When it has not been seen for probe_interval, the limit
// is min_requests until it has been.
#pragma once

#include <cstdint>

#include "common/config/model_resilience.h"

namespace gatehouse::l7 {

// For a wait: it was given up. How long it would have been nobody knows, and it is not the pool's own time.
inline constexpr std::uint32_t kNoAnswer = UINT32_MAX;

struct GradientState {
  std::uint32_t limit = 0;
  std::uint32_t shortest_us = 0;   // 0: not known
  std::int64_t seen_ms = 0;        // when
  std::uint32_t limit_before = 0;  // the probe; 0: there is none now
  std::uint32_t wait_us = 0;       // of the last step, while so many waited
  std::uint32_t waiting = 0;
  bool operator==(const GradientState&) const = default;
};

// What happened since the last step.
struct GradientWindow {
  std::uint32_t wait_us = 0;    // the percentile
  double waiting = 0;           // requests that waited for an answer: the mean (Little's law)
  std::uint32_t in_flight = 0;  // those that hold a place, now
};

GradientState next_gradient(GradientState state, const GradientWindow& window,
                            const config::AdaptiveLimit& config, std::int64_t now_ms);

}  // namespace gatehouse::l7
