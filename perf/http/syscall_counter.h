// Counts system calls of running processes in the kernel (perf_event_open on tracepoints), so that they run
// at their natural pace, unlike under strace. While one is open every syscall of the machine takes the slow
// path: never beside a measurement of time. Needs root and tracefs; without them start() is an Error.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/fd.h"
#include "common/result.h"

namespace gatehouse::perf {

class SyscallCounter {
 public:
  // `tracepoint`: "raw_syscalls/sys_enter" for all, "syscalls/sys_enter_epoll_wait" for one.
  static Result<SyscallCounter> start(const std::string& tracepoint, const std::vector<pid_t>& processes);
  std::uint64_t count() const;  // so far, all threads

 private:
  std::vector<Fd> events_;
};

}  // namespace gatehouse::perf
