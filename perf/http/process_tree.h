// CPU time as the kernel's scheduler counts it: nanoseconds of run time, not ticks. Softirq work on loopback
// is charged to whoever sends, for every proxy alike.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace gatehouse::perf {

// `root` and all its descendants now.
std::vector<pid_t> process_tree(pid_t root);

// Run time of these processes, all threads; a process that is gone counts nothing. Seconds.
double cpu_seconds(const std::vector<pid_t>& processes);
double own_cpu_seconds();

// Of all CPUs since boot: what they did not idle, time stolen by the hypervisor included. Seconds.
double machine_busy_seconds();

// TCP connections accepted in this network namespace so far.
std::uint64_t accepted_connections();

}  // namespace gatehouse::perf
