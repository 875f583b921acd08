#include "perf/http/syscall_counter.h"

#include <linux/perf_event.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace gatehouse::perf {
namespace {

constexpr const char* kTracefs = "/sys/kernel/tracing";

Result<std::uint64_t> id_of(const std::string& tracepoint) {
  const std::string file = std::string(kTracefs) + "/events/" + tracepoint + "/id";
  std::uint64_t id = 0;
  if (std::ifstream(file) >> id) return id;
  mount("tracefs", kTracefs, "tracefs", 0, nullptr);
  if (std::ifstream(file) >> id) return id;
  return Error{"cannot read " + file + ": tracefs and root are needed to count system calls"};
}

}  // namespace

Result<SyscallCounter> SyscallCounter::start(const std::string& tracepoint,
                                             const std::vector<pid_t>& processes) {
  const auto id = id_of(tracepoint);
  if (!id) return id.error();
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.config = *id;
  SyscallCounter counter;
  for (const pid_t process : processes) {
    std::error_code error;
    for (const auto& thread :
         std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task", error)) {
      const int tid = std::atoi(thread.path().filename().c_str());
      Fd event(
          static_cast<int>(syscall(SYS_perf_event_open, &attributes, tid, -1, -1, PERF_FLAG_FD_CLOEXEC)));
      if (!event.is_open()) return system_error("perf_event_open " + tracepoint);
      counter.events_.push_back(std::move(event));
    }
  }
  return counter;
}

std::uint64_t SyscallCounter::count() const {
  std::uint64_t sum = 0;
  for (const Fd& event : events_) {
    std::uint64_t value = 0;
    if (::read(event.get(), &value, sizeof value) == sizeof value) sum += value;
  }
  return sum;
}

}  // namespace gatehouse::perf
