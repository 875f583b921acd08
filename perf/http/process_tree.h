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

// Time by the tick that found it: only the proportion means something. Of the processes, and of each CPU.
struct Ticks {
  std::uint64_t user = 0;
  std::uint64_t system = 0;
};
Ticks ticks(const std::vector<pid_t>& processes);
struct SoftirqTicks {
  std::uint64_t busy = 0;  // softirq included
  std::uint64_t softirq = 0;
};
std::vector<SoftirqTicks> softirq_ticks();

std::uint64_t context_switches(const std::vector<pid_t>& processes);
std::uint64_t resident_bytes(const std::vector<pid_t>& processes);

// TCP connections accepted in this network namespace so far.
std::uint64_t accepted_connections();

}  // namespace gatehouse::perf
