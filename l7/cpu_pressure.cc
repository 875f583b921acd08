// The clock and the timer are here; how the pressure follows is a few lines of arithmetic.
#include "l7/cpu_pressure.h"

#include <time.h>

#include <algorithm>
#include <utility>

namespace gatehouse::l7 {
namespace {

// From nothing to all of a class in a second, when the use is a tenth of the core too high or more. What is
// too low by more counts no more either: the use falls with what is refused, and would swing.
constexpr double kGain = 1, kFarthest = 0.1;

std::int64_t thread_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

void CpuPressure::step(double use, double allowed) {
  const double farthest = std::min(kFarthest, 1 - allowed);
  pressure_ = std::clamp(pressure_ + kGain * std::clamp(use - allowed, -farthest, farthest), 0.0, 2.0);
}

double CpuPressure::share(PriorityClass priority) const {
  if (priority == PriorityClass::kCritical) return 0;
  return std::clamp(priority == PriorityClass::kSheddable ? pressure_ : pressure_ - 1, 0.0, 1.0);
}

bool CpuPressure::refuses(PriorityClass priority) {
  if (pressure_ == 0) return false;
  double& credit = credit_[static_cast<std::size_t>(priority)];
  credit += share(priority);
  if (credit < 1) return false;
  credit -= 1;
  return true;
}

void CpuShedding::set(std::uint32_t percent) {
  allowed_ = percent / 100.0;
  if (!is_on()) {
    timer_.cancel();
    pressure_.clear();
  } else if (!timer_.is_armed()) {
    used_ns_ = thread_cpu_ns();
    measured_ = EventLoop::Clock::now();
    timer_.arm<&CpuShedding::measure>(loop_, kWindow, this);
  }
}

void CpuShedding::measure() {
  const auto now = EventLoop::Clock::now();
  const std::int64_t used = thread_cpu_ns();
  const double of_cpu = static_cast<double>(used - std::exchange(used_ns_, used));
  const double of_wall =
      std::chrono::duration<double, std::nano>(now - std::exchange(measured_, now)).count();
  if (of_wall > 0) pressure_.step(of_cpu / of_wall, allowed_);
  timer_.arm<&CpuShedding::measure>(loop_, kWindow, this);
}

}  // namespace gatehouse::l7
