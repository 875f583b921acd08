#include "l7/http/h2_guard.h"

#include <algorithm>

#include "common/check.h"

namespace gatehouse::l7 {

struct H2Guard::Budget {
  float most;         // saved up
  float per_second;
  float per_request;  // that was answered
  float per_data;     // frame that we sent
};

// In the order of H2Offence. Browsers and gRPC clients at work stay far below: the flood is told by what it leaves undone.
const H2Guard::Budget H2Guard::kBudget[kBudgets] = {
    {500, 50, 2, 0},       // kResets
    {200, 10, 1, 1},       // kPings: gRPC measures the bandwidth with them
    {50, 1, 0, 0},         // kSettings
    {100, 10, 1, 0},       // kEmptyFrames
    {500, 50, 10, 0},      // kPriorities
    {1'000, 100, 10, 10},  // kWindowUpdates
    {100, 5, 0, 0},        // kInvalidFrames
};

const char* name_of(H2Offence offence) {
  static constexpr const char* kNames[] = {"resets",         "pings",        "settings",      "empty_frames", "priorities",
                                           "window_updates", "invalid_frames", "continuations", "header_bomb",  "slow_head",
                                           "stall",          "window_overflow", "protocol_error"};
  static_assert(sizeof kNames / sizeof *kNames == kH2Offences);
  return kNames[static_cast<std::size_t>(offence)];
}

H2Guard::H2Guard(EventLoop::Clock::time_point now) : refilled_(now) {
  for (std::size_t i = 0; i < kBudgets; ++i) left_[i] = kBudget[i].most;
}

bool H2Guard::spend(H2Offence offence, EventLoop::Clock::time_point now) {
  const auto kind = static_cast<std::size_t>(offence);
  GH_CHECK(kind < kBudgets);
  if (left_[kind] < 1) refill(now);
  left_[kind] -= 1;
  return left_[kind] >= 0;
}

void H2Guard::refill(EventLoop::Clock::time_point now) {
  const float seconds = std::chrono::duration<float>(now - refilled_).count();
  refilled_ = now;
  for (std::size_t i = 0; i < kBudgets; ++i) earn(i, seconds * kBudget[i].per_second);
}

void H2Guard::earn_by_request() {
  for (std::size_t i = 0; i < kBudgets; ++i) earn(i, kBudget[i].per_request);
}

void H2Guard::earn_by_data() {
  for (std::size_t i = 0; i < kBudgets; ++i) earn(i, kBudget[i].per_data);
}

void H2Guard::earn(std::size_t kind, float amount) { left_[kind] = std::min(left_[kind] + amount, kBudget[kind].most); }

}  // namespace gatehouse::l7
