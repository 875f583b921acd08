// Processes known by pid and start time, so that a pid which the kernel gave to somebody else is never taken for ours.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace gatehouse::l7 {

// Field 22 of /proc/PID/stat; 0 when there is no such process, or only its zombie.
std::uint64_t process_start_time(pid_t pid);

}  // namespace gatehouse::l7
