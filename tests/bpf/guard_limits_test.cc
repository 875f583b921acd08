// Limits by source over time, from many sources, on many CPUs.
#include <atomic>
#include <random>
#include <thread>

#include "tests/bpf/guarded_site.h"

namespace gatehouse::test {
namespace {

constexpr std::uint64_t kSecond = l4::MemoryPlane::kTicksPerSecond;

class LimitedPackets : public GuardedPackets {
 protected:
  void SetUp() override {
    GuardedPackets::SetUp();
    plane_.tables().guard.policies[2] = {.limit = 1, .packets = gh_make_rate(kSecond, 50)};
  }
  bool passes(const char* source = "100.64.0.1") { return send(segment(source, kLimited)) == GH_FORWARDED; }
  int passing(int packets) {
    int passed = 0;
    for (int i = 0; i < packets; ++i) passed += passes();
    return passed;
  }
};

TEST_F(LimitedPackets, PassAtTheRateAndInBursts) {
  EXPECT_EQ(passing(100), 50);
  for (std::uint64_t tick = 0; tick < kSecond; ++tick) {
    ++tables_.services.ticks;
    ASSERT_EQ(passing(3), 1) << tick;
  }
  tables_.services.ticks += 20;
  EXPECT_EQ(passing(100), 20);
  tables_.services.ticks += 1'000'000;
  EXPECT_EQ(passing(100), 50);  // no more than a burst, however long it was quiet
}

TEST_F(LimitedPackets, AreLimitedAsTheRateSaysFromOneToAMillionASecond) {
  for (const std::uint64_t per_second : {1u, 7u, 999u, 33'333u, 1'000'000u}) {
    const std::uint64_t burst = std::max<std::uint64_t>(per_second / 50, 2);
    plane_.tables().guard.policies[2].packets = gh_make_rate(per_second, burst);
    plane_.tables().guard.policies[2].limit = static_cast<std::uint32_t>(per_second);
    const std::uint64_t seconds = 1 + 20'000 / per_second;
    std::uint64_t passed = 0;
    for (std::uint64_t tick = 0; tick < seconds * kSecond; tick += 10) {
      while (passes()) ++passed;
      tables_.services.ticks += 10;
    }
    EXPECT_NEAR(static_cast<double>(passed), static_cast<double>(per_second * seconds + burst),
                0.03 * static_cast<double>(passed) + 1);
  }
}

TEST_F(LimitedPackets, ManyCpusAtOnceGetNoMoreThanOne) {
  std::atomic<std::uint64_t> passed = 0;
  constexpr std::uint64_t kBurst = 100'000;
  plane_.tables().guard.policies[2].packets = gh_make_rate(kSecond, kBurst);
  ASSERT_TRUE(passes());  // the bucket is there
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const Bytes frame = Build().ethernet().packet(segment("100.64.0.1", kLimited).build()).build();
      l4::Tables tables = tables_;
      std::vector<gh_cpu> cpu(1);
      tables.cpus = cpu;
      for (std::uint64_t n = 0; n < kBurst; ++n) {
        Bytes packet = frame;
        passed += run_here(l4::balance, tables, packet) == GH_FORWARDED;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(passed + 1, kBurst);
}

// But for the moments in which it would be the same time again: GuardControl takes buckets away before.
TEST_F(LimitedPackets, AClockThatComesRoundIsNotMistakenForABorrowedBucket) {
  constexpr std::uint64_t kRound = (1ull << 40) / GH_BUCKET_UNITS * kSecond;
  EXPECT_EQ(passing(100), 50);
  for (const std::uint64_t away : {kRound / 2, kRound - 400, 7 * kRound / 2}) {
    tables_.services.ticks += away;
    EXPECT_EQ(passing(100), 50) << away;
  }
}

// A line has eight buckets. One that has borrowed much stays, whoever else comes.
TEST_F(LimitedPackets, AFloodOfSourcesDoesNotLetOneForgetWhatItOwes) {
  EXPECT_EQ(passing(100), 50);
  std::mt19937 random(1);
  for (int i = 0; i < 1'000'000; ++i) {
    Bytes frame = Build().ethernet().packet(segment("100.64.0.9", kLimited).build()).build();
    frame[27] = static_cast<std::uint8_t>(random()), frame[28] = static_cast<std::uint8_t>(random());
    frame[29] = static_cast<std::uint8_t>(random());
    run_here(l4::balance, tables_, frame);
    if (i % 1'000 == 0) {
      EXPECT_FALSE(passes());
    }
  }
}

}  // namespace
}  // namespace gatehouse::test
