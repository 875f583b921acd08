#include "perf/http/reading.h"

#include <algorithm>

namespace gatehouse::perf {
namespace {

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

// Of the busy ticks of one CPU.
double softirq_share(const SoftirqTicks& before, const SoftirqTicks& after) {
  return share(after.softirq - before.softirq, after.busy - before.busy);
}

double microseconds(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e3; }

}  // namespace

Result<Counters> Counters::start(Task task, const std::vector<pid_t>& proxy) {
  Counters counters;
  if (task != Task::kSyscalls) return counters;
  auto all = SyscallCounter::start("raw_syscalls/sys_enter", proxy);
  if (!all) return all.error();
  auto waits = SyscallCounter::start("syscalls/sys_enter_epoll_wait", proxy);
  if (!waits) return waits.error();
  counters.all = std::move(*all);
  counters.waits = std::move(*waits);
  return counters;
}

Reading Reading::take(const test::LoadReport& report, std::uint64_t backend_requests,
                      const std::vector<pid_t>& proxy, const Counters& counters) {
  Reading reading;
  reading.time = std::chrono::steady_clock::now();
  reading.requests = report.ok;
  reading.backend_requests = backend_requests;
  reading.opened = report.connections_opened;
  reading.resumed = report.connections_resumed;
  reading.proxy = cpu_seconds(proxy);
  reading.harness = own_cpu_seconds();
  reading.machine = machine_busy_seconds();
  reading.accepted = accepted_connections();
  if (counters.all) reading.syscalls = counters.all->count();
  if (counters.waits) reading.waits = counters.waits->count();
  reading.switches = context_switches(proxy);
  reading.proxy_ticks = ticks(proxy);
  reading.cpus = softirq_ticks();
  return reading;
}

Window difference(const Reading& before, const Reading& after, const test::Latencies& latencies) {
  const auto requests = static_cast<double>(after.requests - before.requests);
  const double seconds = std::chrono::duration<double>(after.time - before.time).count();
  Window window;
  window.cpu_us = (after.proxy - before.proxy) * 1e6 / requests;
  const std::uint64_t user = after.proxy_ticks.user - before.proxy_ticks.user;
  window.user_us = window.cpu_us * share(user, user + after.proxy_ticks.system - before.proxy_ticks.system);
  window.harness_us = (after.harness - before.harness) * 1e6 / requests;
  window.requests_per_second = requests / seconds;
  window.proxy_cores = (after.proxy - before.proxy) / seconds;
  window.harness_cores = (after.harness - before.harness) / seconds;
  window.foreign_cores =
      std::max(0.0, (after.machine - before.machine) / seconds - window.proxy_cores - window.harness_cores);
  window.proxy_softirq = softirq_share(before.cpus.front(), after.cpus.front());
  window.harness_softirq = softirq_share(before.cpus.back(), after.cpus.back());
  window.resumed_share = share(after.resumed - before.resumed, after.opened - before.opened);
  window.p50_us = microseconds(latencies.percentile(50));
  window.p99_us = microseconds(latencies.percentile(99));
  window.syscalls = static_cast<double>(after.syscalls - before.syscalls) / requests;
  window.waits = static_cast<double>(after.waits - before.waits) / requests;
  window.switches = static_cast<double>(after.switches - before.switches) / requests;
  return window;
}

}  // namespace gatehouse::perf
