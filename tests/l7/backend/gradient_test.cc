// The gradient method step by step; what comes of many steps is in adaptive_model_test.cc.
#include "l7/backend/gradient.h"

#include <gtest/gtest.h>

namespace gatehouse::l7 {
namespace {

struct StepRow {
  const char* what;
  GradientState before;
  GradientWindow window;
  std::uint32_t limit;
};

TEST(Gradient, StepsAsItsFormulaSays) {
  const StepRow rows[] = {
      {"as fast as can be: by the buffer and the root", {100, 1'000, 1, 0}, {1'000, 90, 100}, 136},
      {"within the buffer", {100, 1'000, 1, 0}, {1'250, 90, 100}, 110},
      {"twice as slow", {100, 1'000, 1, 0}, {2'500, 90, 100}, 57},
      {"however slow, not below the half", {100, 1'000, 1, 0}, {90'000, 90, 100}, 57},
      {"faster than ever", {100, 5'000, 1, 0}, {1'000, 90, 100}, 136},
      {"not needed: no growth", {100, 1'000, 1, 0}, {1'000, 30, 20}, 100},
      {"needed by those that send slowly", {100, 1'000, 1, 0}, {1'000, 30, 90}, 136},
      {"never above the most", {990, 1'000, 1, 0}, {1'000, 900, 900}, 1'000},
      {"never below the least", {3, 1'000, 1, 0}, {9'000, 90, 90}, 3},
      {"few wait: that is the service's own time", {40, 1'000, 1, 0}, {20'000, 3, 40}, 57},
      {"fewer are no faster: the same", {57, 1'000, 1, 0, 20'000, 57}, {21'000, 35, 40}, 80},
      {"fewer are faster: they waited", {57, 1'000, 1, 0, 20'000, 57}, {14'000, 35, 40}, 34},
      {"fewer are slower: for other reasons", {57, 1'000, 1, 0, 20'000, 57}, {30'000, 35, 40}, 34},
      {"fewer are answered no more than before", {57, 1'000, 1, 0, 20'000, 57}, {kNoAnswer, 35, 40}, 34},
      {"few, and none is answered", {57, 1'000, 1, 0, 0, 0}, {kNoAnswer, 3, 3}, 34},
  };
  for (const StepRow& row : rows)
    EXPECT_EQ(next_gradient(row.before, row.window, {}, 100).limit, row.limit) << row.what;
}

TEST(Gradient, MeasuresAnewWhatItHasNotSeenForLong) {
  const config::AdaptiveLimit config;
  GradientState state{100, 1'000, 1'000, 0};
  const GradientWindow busy{1'500, 100, 100};
  state = next_gradient(state, busy, config, 60'000);
  EXPECT_EQ(state.limit_before, 0u);
  const std::uint32_t before = state.limit;
  state = next_gradient(state, busy, config, 67'001);
  EXPECT_EQ(state.limit, config.min_requests);
  EXPECT_EQ(next_gradient(state, busy, config, 67'101), state) << "what was begun before is still there";
  state = next_gradient(state, {1'200, 3, 3}, config, 67'201);
  EXPECT_EQ(state.shortest_us, 1'200u);
  EXPECT_EQ(state.seen_ms, 67'201);
  EXPECT_GE(state.limit, before);
  EXPECT_EQ(state.limit_before, 0u);
}

}  // namespace
}  // namespace gatehouse::l7
