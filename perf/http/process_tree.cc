// Reads /proc and the per-process CPU clocks.
#include "perf/http/process_tree.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace gatehouse::perf {
namespace {

// The fields of /proc/PID/stat behind the name in parentheses, which may hold anything; empty: no such
// process.
std::vector<std::string> stat_of(pid_t pid) {
  std::ifstream stream("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(stream, line);  // which, unlike an iterator, survives a process that ends now: the read fails with ESRCH
  const std::size_t end_of_name = line.rfind(')');
  if (end_of_name == line.npos) return {};
  std::istringstream fields(line.substr(end_of_name + 1));
  return {std::istream_iterator<std::string>(fields), {}};
}

std::uint64_t number(const std::vector<std::string>& fields, std::size_t place) {
  return place < fields.size() ? std::strtoull(fields[place].c_str(), nullptr, 10) : 0;
}

pid_t parent_of(pid_t pid) { return static_cast<pid_t>(number(stat_of(pid), 1)); }

double seconds(const timespec& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

std::vector<pid_t> process_tree(pid_t root) {
  std::vector<std::pair<pid_t, pid_t>> all;  // process, parent
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (code == std::errc() && end == name.data() + name.size()) all.emplace_back(pid, parent_of(pid));
  }
  std::vector<pid_t> tree = {root};
  for (std::size_t i = 0; i < tree.size(); ++i) {
    for (const auto& [pid, parent] : all) {
      if (parent == tree[i]) tree.push_back(pid);
    }
  }
  return tree;
}

double cpu_seconds(const std::vector<pid_t>& processes) {
  double sum = 0;
  for (const pid_t pid : processes) {
    clockid_t clock;
    timespec time{};
    if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &time) == 0) sum += seconds(time);
  }
  return sum;
}

double own_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return seconds(time);
}

double machine_busy_seconds() {
  std::ifstream stream("/proc/stat");
  std::string label;
  double user = 0, nice = 0, system = 0, idle = 0, wait = 0, interrupts = 0, softirqs = 0, stolen = 0;
  stream >> label >> user >> nice >> system >> idle >> wait >> interrupts >> softirqs >> stolen;
  return (user + nice + system + interrupts + softirqs + stolen) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

Ticks ticks(const std::vector<pid_t>& processes) {
  Ticks sum;
  for (const pid_t pid : processes) {
    const auto fields = stat_of(pid);
    sum.user += number(fields, 11);
    sum.system += number(fields, 12);
  }
  return sum;
}

std::vector<SoftirqTicks> softirq_ticks() {
  std::vector<SoftirqTicks> cpus;
  std::ifstream stream("/proc/stat");
  std::string line;
  std::getline(stream, line);  // the sum of all
  while (std::getline(stream, line) && line.starts_with("cpu")) {
    std::istringstream words(line);
    const std::vector<std::string> fields{std::istream_iterator<std::string>(words), {}};
    SoftirqTicks cpu{0, number(fields, 7)};
    for (const std::size_t place : {1, 2, 3, 6, 7}) cpu.busy += number(fields, place);
    cpus.push_back(cpu);
  }
  return cpus;
}

std::uint64_t context_switches(const std::vector<pid_t>& processes) {
  std::uint64_t sum = 0;
  for (const pid_t pid : processes) {
    std::ifstream stream("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(stream, line);) {
      const std::size_t place = line.find("ctxt_switches:");
      if (place != line.npos) sum += std::strtoull(line.c_str() + line.find(':') + 1, nullptr, 10);
    }
  }
  return sum;
}

std::uint64_t resident_bytes(const std::vector<pid_t>& processes) {
  std::uint64_t pages = 0;
  for (const pid_t pid : processes) {
    std::uint64_t size = 0, resident = 0;
    if (std::ifstream("/proc/" + std::to_string(pid) + "/statm") >> size >> resident) pages += resident;
  }
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t accepted_connections() {
  std::ifstream stream("/proc/net/snmp");
  std::string line;
  std::vector<std::string> names;
  while (std::getline(stream, line)) {
    if (!line.starts_with("Tcp:")) continue;
    std::istringstream words(line);
    const std::vector<std::string> fields{std::istream_iterator<std::string>(words), {}};
    const auto place = std::find(names.begin(), names.end(), "PassiveOpens");
    if (place != names.end())
      return std::strtoull(fields[static_cast<std::size_t>(place - names.begin())].c_str(), nullptr, 10);
    names = fields;
  }
  return 0;
}

}  // namespace gatehouse::perf
