#include "l7/supervisor/cpu_meter.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

namespace gatehouse::l7 {
namespace {

double cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

}  // namespace

std::uint64_t process_ticks(pid_t pid) {
  std::ifstream stream("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (pid <= 0 || !std::getline(stream, line)) return 0;
  const std::size_t name_end = line.rfind(')');  // the name may contain anything
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  std::uint64_t user = 0, system = 0;
  fields >> user >> system;
  return user + system;
}

void CpuMeter::measure(std::span<const pid_t> workers, Time now) {
  const bool is_first = measured_ == Time();
  const double seconds = std::chrono::duration<double>(now - std::exchange(measured_, now)).count();
  const auto before = std::exchange(ticks_, {});
  std::uint64_t used = 0;
  for (const pid_t worker : workers) {
    const std::uint64_t ticks = ticks_[worker] = process_ticks(worker);
    const auto earlier = before.find(worker);
    const std::uint64_t since = earlier == before.end() ? 0 : earlier->second;
    used += ticks > since ? ticks - since : 0;
  }
  const double could = seconds * std::min(cores(), static_cast<double>(workers.size())) *
                       static_cast<double>(sysconf(_SC_CLK_TCK));
  if (is_first || could <= 0) return;
  use_ = static_cast<std::uint32_t>(std::clamp(1000.0 * static_cast<double>(used) / could, 0.0, 1000.0));
}

}  // namespace gatehouse::l7
