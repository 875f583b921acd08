// How much of its requests a worker refuses for want of CPU time: a share of each priority class, set anew
// every kWindow by how much of its core the worker's one thread used in it. Above the configured part the
// pressure grows, below it falls, by the distance: so it comes to rest where the use is what it should be.
// Cheap classes bear it first: "sheddable" up to 1, then "default", "critical" never. What others of the
// machine take from the core is not seen: that is theirs to limit.
#pragma once

#include <array>
#include <cstdint>

#include "common/event_loop.h"
#include "l7/priority_class.h"

namespace gatehouse::l7 {

// The pure part.
class CpuPressure {
 public:
  void step(double use, double allowed);  // both of a core, 0 to 1
  // Whether the next request of that class is refused: evenly, as often as its share says.
  bool refuses(PriorityClass priority);
  double share(PriorityClass priority) const;
  void clear() { pressure_ = 0; }

 private:
  double pressure_ = 0;  // 0 to 2
  std::array<double, kPriorityClasses> credit_{};
};

class CpuShedding {
 public:
  static constexpr Duration kWindow{100};

  explicit CpuShedding(EventLoop& loop) : loop_(loop) {}
  void set(std::uint32_t percent);  // 0: off, and then nothing is measured
  bool is_on() const { return allowed_ > 0; }
  bool refuses(PriorityClass priority) { return pressure_.refuses(priority); }

 private:
  void measure();

  EventLoop& loop_;
  Timer timer_;
  CpuPressure pressure_;
  double allowed_ = 0;
  std::int64_t used_ns_ = 0;
  EventLoop::Clock::time_point measured_{};
};

}  // namespace gatehouse::l7
