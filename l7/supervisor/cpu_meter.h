// How busy the workers are: the CPU time that they used between two measurements, of what they could have
// used then.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>

namespace gatehouse::l7 {

class CpuMeter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // A worker that is new has used what it used since it began.
  void measure(std::span<const pid_t> workers, Time now);
  // Thousandths, as of the last measurement; nullopt before the second one.
  std::optional<std::uint32_t> use() const { return use_; }

 private:
  std::map<pid_t, std::uint64_t> ticks_;
  Time measured_{};
  std::optional<std::uint32_t> use_;
};

// User and system time of a process in clock ticks, fields 14 and 15 of /proc/PID/stat; 0 when there is no
// such process.
std::uint64_t process_ticks(pid_t pid);

}  // namespace gatehouse::l7
