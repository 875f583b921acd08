// What is on the board, as the gradient method wants it.
#include "l7/backend/adaptive_limit.h"

#include <algorithm>

#include "common/histogram.h"
#include "l7/backend/gradient.h"

namespace gatehouse::l7 {
namespace {

// Of those that were given up nobody knows how long they would have been: more, and the wait is not known.
constexpr double kMostGivenUp = 0.1;
constexpr double kGivenUp = static_cast<double>(Histogram::least_of(Histogram::kBuckets - 1));
constexpr std::uint32_t kLongestWait = 1'000;  // milliseconds

GradientState read(const AdaptiveCell& cell, std::uint32_t limit) {
  return {limit,
          cell.shortest_us.load(),
          cell.seen_ms.load(),
          cell.limit_before.load(),
          cell.wait_us.load(),
          cell.in_flight.load()};
}

void write(AdaptiveCell& cell, const GradientState& state) {
  cell.shortest_us.store(state.shortest_us);
  cell.seen_ms.store(state.seen_ms);
  cell.limit_before.store(state.limit_before);
  cell.wait_us.store(state.wait_us);
  cell.in_flight.store(state.waiting);
  cell.limit.store(state.limit);
}

}  // namespace

// A reload may have set other bounds.
std::uint32_t AdaptiveLimit::limit() const {
  const std::uint32_t limit = cell_.limit.load(std::memory_order_relaxed);
  return limit == 0 ? config_.initial_requests
                    : std::clamp(limit, config_.min_requests, config_.max_requests);
}

std::uint32_t AdaptiveLimit::room_for(PriorityClass priority) const {
  const std::uint32_t all = limit();
  if (priority == PriorityClass::kCritical) return all + all / 8 + 1;
  return priority == PriorityClass::kSheddable ? all - all / 4 : all;
}

// What was sent before the last step says nothing about it, and a step that believed it would overshoot. Nor
// are those alone believed that were sent since: the fast ones of them come first. So the time of one wait
// passes before answers count, and as long they are counted, for backends often answer many at once.
AdaptiveLimit::Times AdaptiveLimit::times(std::int64_t stepped_ms) const {
  const std::int64_t wait = std::min(cell_.wait_us.load(std::memory_order_relaxed) / 1'000, kLongestWait);
  return {stepped_ms + wait, stepped_ms + wait + std::max(config_.interval.count(), std::int64_t{wait})};
}

void AdaptiveLimit::note(std::uint64_t wait_us, std::int64_t now_ms) {
  const Times when = times(cell_.stepped_ms.load(std::memory_order_relaxed));
  if (now_ms < when.settled) return;
  cell_.window.add_wait(wait_us < kNoAnswer ? wait_us : 0);
  cell_.waits[Histogram::bucket_of(wait_us)].fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t samples =
      cell_.window.waits.load(std::memory_order_relaxed) >> RequestWindow::kWaitBits;
  if (samples >= config_.min_samples && now_ms >= when.due) step(now_ms);
}

void AdaptiveLimit::step(std::int64_t now) {
  std::int64_t last = cell_.stepped_ms.load();
  const Times when = times(last);
  if (now < when.due || !cell_.stepped_ms.compare_exchange_strong(last, now)) return;
  const std::uint64_t waits =
      cell_.window.waits.exchange(0) & ((std::uint64_t{1} << RequestWindow::kWaitBits) - 1);
  Histogram::Counts counts{};
  for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
    if (cell_.waits[i].load(std::memory_order_relaxed) > 0) counts[i] = cell_.waits[i].exchange(0);
  }
  if (last == 0) return;  // nobody knows since when
  GradientWindow window;
  const auto quantile = [&counts](double rank) { return Histogram::quantile(counts, rank); };
  const double rank = config_.percentile / 100.0;
  const bool is_answered = quantile(std::max(rank, 1 - kMostGivenUp)) < kGivenUp;
  window.wait_us = is_answered ? static_cast<std::uint32_t>(quantile(rank)) : kNoAnswer;
  window.waiting = static_cast<double>(waits) / 1e3 / static_cast<double>(now - when.settled);
  window.in_flight = static_cast<std::uint32_t>(sum_of(cell_.asking));
  write(cell_, next_gradient(read(cell_, limit()), window, config_, now));
}

}  // namespace gatehouse::l7
