// What is read at the edges of a window, and the figures that two such readings make.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/event_loop.h"
#include "perf/http/process_tree.h"
#include "perf/http/syscall_counter.h"
#include "tests/support/load_report.h"

namespace gatehouse::perf {

// What is read in a window.
enum class Task { kTime, kSyscalls, kIdleMemory };

struct Window {
  double cpu_us = 0;      // of the proxy, per request
  double user_us = 0;     // of these in user space, by the kernel's ticks
  double harness_us = 0;  // of client and backend together; spinning included
  double requests_per_second = 0;
  double proxy_cores = 0;
  double harness_cores = 0;
  double foreign_cores = 0;  // what others used of the machine
  double proxy_softirq = 0;  // share of the proxy's CPU in softirq, by ticks; of the harness's CPU:
  double harness_softirq = 0;
  double resumed_share = 0;  // of new connections
  double p50_us = 0;
  double p99_us = 0;
  double syscalls = 0;  // per request
  double waits = 0;     // epoll_wait, per request
  double switches = 0;  // context switches, per request
  double bytes = 0;     // resident, per idle connection
  bool is_quiet() const { return foreign_cores <= 0.10; }
};

// System calls of the proxy; none unless the task is to count them.
struct Counters {
  std::optional<SyscallCounter> all, waits;
  static Result<Counters> start(Task task, const std::vector<pid_t>& proxy);
};

struct Reading {
  std::chrono::steady_clock::time_point time;
  std::uint64_t requests = 0;
  std::uint64_t backend_requests = 0;
  std::uint64_t opened = 0;    // connections
  std::uint64_t resumed = 0;   // of these
  std::uint64_t accepted = 0;  // in this network namespace
  std::uint64_t syscalls = 0;
  std::uint64_t waits = 0;
  std::uint64_t switches = 0;
  double proxy = 0;  // seconds of CPU
  double harness = 0;
  double machine = 0;
  Ticks proxy_ticks;
  std::vector<SoftirqTicks> cpus;

  static Reading take(const test::LoadReport& report, std::uint64_t backend_requests,
                      const std::vector<pid_t>& proxy, const Counters& counters);
};

Window difference(const Reading& before, const Reading& after, const test::Latencies& latencies);

}  // namespace gatehouse::perf
