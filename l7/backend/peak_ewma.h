// How long a backend takes to the head of an answer, as all workers of a node know it together: a moving
// average that follows peaks at once and forgets them with a time constant of ten seconds (Finagle's Peak
// EWMA). One word on the board: microseconds and the time of the last sample. Two workers that write at once
// lose a sample, which the next one makes good.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>

namespace gatehouse::l7 {

inline constexpr double kEwmaDecayMs = 10'000;

// Half of it each: microseconds, and milliseconds of board_time(), which may wrap.
constexpr std::uint64_t pack_ewma(double us, std::int64_t now_ms) {
  return std::uint64_t{static_cast<std::uint32_t>(std::min(us, 4e9))} << 32 |
         static_cast<std::uint32_t>(now_ms);
}
constexpr double ewma_us(std::uint64_t packed) { return static_cast<double>(packed >> 32); }
inline double ewma_decay(std::uint64_t packed, std::int64_t now_ms) {
  const auto age =
      static_cast<std::int32_t>(static_cast<std::uint32_t>(now_ms) - static_cast<std::uint32_t>(packed));
  return std::exp(-std::max(age, 0) / kEwmaDecayMs);
}

inline void add_sample(std::atomic<std::uint64_t>& ewma, double us, std::int64_t now_ms) {
  const std::uint64_t before = ewma.load(std::memory_order_relaxed);
  const double old = ewma_us(before), kept = ewma_decay(before, now_ms);
  const double value = us >= old ? us : old * kept + us * (1 - kept);
  ewma.store(pack_ewma(std::max(value, 1.0), now_ms), std::memory_order_relaxed);
}

// What one more request would wait for. Without a sample lately it comes to nothing: such a backend gets one
// at once, and no more before that has been answered.
inline double peak_load(std::uint64_t ewma, std::int64_t now_ms, std::uint64_t in_flight) {
  constexpr double kUnknownUs = 1e6;
  const double us = ewma_us(ewma) * ewma_decay(ewma, now_ms);
  if (us < 1) return in_flight == 0 ? 0 : kUnknownUs * static_cast<double>(in_flight);
  return us * static_cast<double>(in_flight + 1);
}

}  // namespace gatehouse::l7
