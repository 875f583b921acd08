// One step of the gradient method.
#include "l7/backend/gradient.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/scramble.h"

namespace gatehouse::l7 {
namespace {

constexpr double kLeastGradient = 0.5, kMostGradient = 2;

// Nodes that began together do not probe together.
std::int64_t probe_due(const GradientState& state, const config::AdaptiveLimit& config) {
  const std::int64_t interval = config.probe_interval.count();
  const std::uint64_t chance =
      scramble(static_cast<std::uint64_t>(state.seen_ms)) % static_cast<std::uint64_t>(interval / 10 + 1);
  return state.seen_ms + interval + static_cast<std::int64_t>(chance);
}

// A quarter fewer, and not a tenth faster: they do not wait for each other. One that is much slower has other
// reasons.
bool is_own_time(const GradientState& state, const GradientWindow& window) {
  const std::uint64_t now = window.wait_us, before = state.wait_us;
  return window.waiting * 4 <= state.waiting * 3.0 && now * 10 >= before * 9 && now * 4 <= before * 5;
}

std::uint32_t stepped(const GradientState& state, const GradientWindow& window,
                      const config::AdaptiveLimit& config) {
  const double limit = state.limit, wait = std::max(window.wait_us, 1u);
  const double gradient =
      std::clamp(state.shortest_us * (100.0 + config.buffer) / 100 / wait, kLeastGradient, kMostGradient);
  const double next = limit * gradient + std::sqrt(limit * gradient);
  // Where half of the limit is not needed its growth would mean nothing.
  const double needed = std::max(window.waiting, static_cast<double>(window.in_flight));
  return static_cast<std::uint32_t>(std::lround(next > limit && needed < limit / 2 ? limit : next));
}

}  // namespace

GradientState next_gradient(GradientState state, const GradientWindow& window,
                            const config::AdaptiveLimit& config, std::int64_t now_ms) {
  const bool is_answered = window.wait_us < kNoAnswer;
  // A dear request more than min_requests may be among them, and a mean is not exact.
  const bool is_calm = is_answered && window.waiting <= config.min_requests * 9 / 8 + 1;
  if (state.limit_before > 0 && !is_calm) return state;  // what was begun before the probe
  const bool is_own = is_calm || state.shortest_us == 0 || is_own_time(state, window);
  if (is_answered && (is_own || window.wait_us <= state.shortest_us)) {
    state.shortest_us = std::max(window.wait_us, 1u);
    state.seen_ms = now_ms;
  }
  // Of a wait that is not known nothing follows but a lower limit: the next step is as soon as this one was.
  if (is_answered) state.wait_us = window.wait_us;
  state.waiting = is_answered ? static_cast<std::uint32_t>(std::lround(window.waiting)) : 0;
  if (state.limit_before > 0) {
    state.limit = std::exchange(state.limit_before, 0);
  } else if (now_ms >= probe_due(state, config)) {
    state.limit_before = std::exchange(state.limit, config.min_requests);
    return state;
  }
  state.limit = std::clamp(stepped(state, window, config), config.min_requests, config.max_requests);
  return state;
}

}  // namespace gatehouse::l7
