// A count that all workers of a node share without a lock: each has a place of its own, which only it writes.
// The sum is the node's count, and what a dead worker held is gone as soon as the supervisor has zeroed its
// place.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace gatehouse::l7 {

inline constexpr std::uint32_t kMaxWorkers = 64;

using WorkerPlaces = std::array<std::atomic<std::uint32_t>, kMaxWorkers>;

// `workers`: beyond that many nobody has ever been.
inline std::uint64_t sum_of(const WorkerPlaces& places, std::uint32_t workers = kMaxWorkers) {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < workers; ++i) sum += places[i].load();
  return sum;
}

// One more in `worker`'s place unless that makes the sum larger than `limit` (0: there is none). Never too
// many: of those that come at once the last one to add sees all others (the stores and loads have one order).
// Two that meet at the limit may both see one too many, so they look again.
inline bool add_within(WorkerPlaces& places, std::uint32_t worker, std::uint32_t limit) {
  std::atomic<std::uint32_t>& own = places[worker];
  if (limit == 0) {
    own.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  constexpr int kLooks = 4;
  for (int look = 0; look < kLooks; ++look) {
    own.fetch_add(1);
    if (sum_of(places) <= limit) return true;
    own.fetch_sub(1);
  }
  return false;
}

inline bool is_within(const WorkerPlaces& places, std::uint32_t limit) {
  return limit == 0 || sum_of(places) < limit;
}

}  // namespace gatehouse::l7
