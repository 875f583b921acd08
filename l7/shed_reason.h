// Why we answer a request 503 that nobody has failed: the word that its client is told (X-Gatehouse-Reason),
// and where it is counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "l7/board.h"

namespace gatehouse::l7 {

struct ShedReason {
  std::string_view word;
  std::atomic<std::uint64_t> WorkerCell::*count;
};
inline constexpr ShedReason kOverLimit{"over-limit", &WorkerCell::requests_over_limit};
inline constexpr ShedReason kQueueFull{"queue-full", &WorkerCell::queue_overflows};
inline constexpr ShedReason kQueueTimeout{"queue-timeout", &WorkerCell::queue_timeouts};
inline constexpr ShedReason kOverAdaptiveLimit{"adaptive-limit", &WorkerCell::requests_over_adaptive_limit};
inline constexpr ShedReason kNoCpu{"no-cpu", &WorkerCell::requests_shed_for_cpu};

}  // namespace gatehouse::l7
