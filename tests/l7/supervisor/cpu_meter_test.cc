// What workers use of their CPUs, of real processes: one that spins and one that waits.
#include "l7/supervisor/cpu_meter.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace gatehouse::l7 {
namespace {

using std::chrono::milliseconds;

// A child that spins, or waits, until the end of the scope.
class Child {
 public:
  explicit Child(bool spins) : pid(fork()) {
    if (pid != 0) return;
    for (volatile bool is_on = true; is_on;) {
      if (!spins) pause();
    }
  }
  ~Child() {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  const pid_t pid;
};

void wait_for_ticks(pid_t pid, std::uint64_t ticks) {
  const std::uint64_t begin = process_ticks(pid);
  while (process_ticks(pid) < begin + ticks) usleep(1'000);
}

TEST(CpuMeter, SaysNothingBeforeItHasMeasuredTwice) {
  CpuMeter meter;
  const pid_t self[] = {getpid()};
  EXPECT_FALSE(meter.use());
  meter.measure(self, CpuMeter::Time(milliseconds(1'000)));
  EXPECT_FALSE(meter.use());
  meter.measure(self, CpuMeter::Time(milliseconds(2'000)));
  EXPECT_TRUE(meter.use());
}

TEST(CpuMeter, IsTheShareOfTheTimeThatWorkersUsed) {
  const Child spinning(true), waiting(false);
  const pid_t workers[] = {spinning.pid, waiting.pid};
  CpuMeter meter;
  meter.measure(workers, CpuMeter::Time(milliseconds(1'000)));
  const std::uint64_t begin = process_ticks(spinning.pid);
  wait_for_ticks(spinning.pid, 20);
  // The clock is ours: a tenth of a second has been used, of as many seconds as we say.
  meter.measure(workers, CpuMeter::Time(milliseconds(2'000)));
  const double used =
      static_cast<double>(process_ticks(spinning.pid) - begin) / static_cast<double>(sysconf(_SC_CLK_TCK));
  ASSERT_TRUE(meter.use());
  EXPECT_GT(*meter.use(), 1000 * used / 2 / 2);  // two workers, on two cores or one
  EXPECT_LT(*meter.use(), 1000 * used * 1.2);
  meter.measure(std::span(workers).last(1), CpuMeter::Time(milliseconds(3'000)));
  EXPECT_EQ(meter.use(), 0u) << "that one waits";
}

TEST(CpuMeter, NeverSaysMoreThanAll) {
  const Child spinning(true);
  const pid_t workers[] = {spinning.pid};
  CpuMeter meter;
  meter.measure(workers, CpuMeter::Time(milliseconds(1'000)));
  wait_for_ticks(spinning.pid, 5);
  meter.measure(workers, CpuMeter::Time(milliseconds(1'001)));
  EXPECT_EQ(meter.use(), 1000u);
  meter.measure({}, CpuMeter::Time(milliseconds(2'000)));
  EXPECT_EQ(meter.use(), 1000u) << "without workers nothing is known anew";
}

TEST(CpuMeter, OfAProcessThatIsNotThereIsNothing) {
  EXPECT_EQ(process_ticks(0), 0u);
  EXPECT_EQ(process_ticks(-1), 0u);
  EXPECT_EQ(process_ticks(1 << 30), 0u);
}

}  // namespace
}  // namespace gatehouse::l7
