// How many workers there should be: who decides, and when it changes.
#include "l7/supervisor/worker_scale.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace gatehouse::l7 {
namespace {

class Scale : public testing::Test {
 protected:
  ~Scale() override { std::filesystem::remove(file); }
  WorkerScale made(std::uint32_t count, std::uint32_t min = 0, std::uint32_t max = 0,
                   std::uint32_t cores = 4) const {
    WorkerScale scale(file, cores);
    config::Workers workers;
    workers.count = count;
    workers.min = min;
    workers.max = max;
    scale.set_config(workers);
    return scale;
  }
  // Seconds until count() changes; 0: it does not within ten minutes.
  static int seconds_until_change(WorkerScale& scale, std::uint32_t use) {
    for (int second = 1; second <= 600; ++second) {
      if (scale.measure(use)) return second;
    }
    return 0;
  }
  std::string file = testing::TempDir() + "scale-" + std::to_string(getpid());
};

TEST_F(Scale, FollowsTheConfigUntilAnOperatorSaysOtherwise) {
  EXPECT_EQ(made(3).count(), 3u);
  EXPECT_EQ(made(0).count(), 4u) << "one per core";
  EXPECT_EQ(made(0, 0, 0, 200).count(), 64u);
  WorkerScale scale = made(3);
  EXPECT_EQ(scale.configured() + ", " + scale.why(), "3, as configured");
  EXPECT_TRUE(scale.set("5"));
  EXPECT_EQ(scale.count(), 5u);
  EXPECT_EQ(scale.configured() + ", " + scale.why(), "3, set at run time");
  scale.set_config({.count = 2});
  EXPECT_EQ(scale.count(), 5u) << "over reloads";
  EXPECT_EQ(made(2).count(), 5u) << "over restarts";
  EXPECT_TRUE(scale.set("config"));
  EXPECT_EQ(scale.count(), 2u);
  EXPECT_EQ(made(2).count(), 2u);
}

TEST_F(Scale, WhatIsNoNumberOfWorkersChangesNothing) {
  WorkerScale scale = made(3);
  for (const char* wrong : {"", "0", "65", "-1", "2x", "many", "99999999999"}) {
    const Status refused = scale.set(wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().message,
              "expected a number of workers from 1 to 64, \"auto\" or \"config\", found \"" +
                  std::string(wrong) + "\"");
    EXPECT_EQ(scale.count(), 3u);
  }
}

TEST_F(Scale, GrowsSoonUnderLoadAndShrinksLateWithoutIt) {
  WorkerScale scale = made(0, 1, 3);
  EXPECT_EQ(scale.count(), 3u) << "to begin with all";
  EXPECT_EQ(scale.configured() + ", " + scale.why(), "auto, 1 to 3, by load");
  EXPECT_EQ(seconds_until_change(scale, 100), WorkerScale::kIdleSeconds);
  EXPECT_EQ(scale.count(), 2u);
  EXPECT_EQ(seconds_until_change(scale, 900), WorkerScale::kBusySeconds);
  EXPECT_EQ(scale.count(), 3u);
  EXPECT_EQ(seconds_until_change(scale, 1'000), 0) << "never more than max";
  EXPECT_EQ(seconds_until_change(scale, 0), WorkerScale::kIdleSeconds);
  EXPECT_EQ(seconds_until_change(scale, 0), WorkerScale::kIdleSeconds);
  EXPECT_EQ(scale.count(), 1u);
  EXPECT_EQ(seconds_until_change(scale, 0), 0) << "never fewer than min";
}

// What is left after a step down must not call for the step up again.
TEST_F(Scale, RestsBetweenItsBounds) {
  for (std::uint32_t count = 2; count <= 8; ++count) {
    for (std::uint32_t load = 0; load <= 1'000 * count; load += 50) {  // thousandths of one worker
      WorkerScale scale = made(0, 1, 64, count);
      if (load / count >= WorkerScale::kBusy || seconds_until_change(scale, load / count) == 0) continue;
      EXPECT_EQ(scale.count(), count - 1);
      EXPECT_LT(load / scale.count(), WorkerScale::kBusy) << count << " workers, load " << load;
    }
  }
}

TEST_F(Scale, OneBusyMomentDoesNothing) {
  WorkerScale scale = made(0, 1, 8);
  for (int second = 0; second < 100; ++second)
    EXPECT_FALSE(scale.measure(second % WorkerScale::kBusySeconds ? 900 : 600));
  EXPECT_FALSE(scale.measure(std::nullopt));
}

TEST_F(Scale, WhatTheLoadDecidedIsFoundAgain) {
  {
    WorkerScale scale = made(0, 1, 3);
    seconds_until_change(scale, 0);
  }
  EXPECT_EQ(made(0, 1, 3).count(), 2u);
  EXPECT_EQ(made(0, 3, 8).count(), 3u) << "within the bounds of now";
  std::ofstream(file) << "nonsense\n";
  EXPECT_EQ(made(2).count(), 2u);
}

}  // namespace
}  // namespace gatehouse::l7
