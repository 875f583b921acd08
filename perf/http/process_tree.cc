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

// 0: no such process. The name in parentheses may hold anything.
pid_t parent_of(pid_t pid) {
  std::ifstream stream("/proc/" + std::to_string(pid) + "/stat");
  const std::string line((std::istreambuf_iterator<char>(stream)), {});
  const std::size_t end_of_name = line.rfind(')');
  if (end_of_name == line.npos) return 0;
  std::istringstream fields(line.substr(end_of_name + 1));
  char state = 0;
  pid_t parent = 0;
  fields >> state >> parent;
  return parent;
}

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
