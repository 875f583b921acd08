// gatehouse-perf-packets: the front door's ns per packet beside its floors, all cases in every round,
// forwards and backwards in turn. `perf/run packets` calls it.
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "perf/packets/results.h"
#include "tests/tools/flags.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::perf;

struct Settings {
  std::string json;
  std::string folder;
  int rounds = 21;
  std::uint64_t packets = 1'000'000;
};

struct Case {
  bool is_user;
  Target target;  // of a user-space case only kLoop and kBalance
  Results::Column column;
};

std::vector<Case> make_cases() {
  std::vector<Case> cases;
  for (const Family family : kFamilies) {
    for (const std::uint32_t flows : kFlows) {
      for (const Target target : kTargets) cases.push_back({false, target, {family, flows}});
      for (const Target target : {Target::kLoop, Target::kBalance})
        cases.push_back({true, target, {family, flows}});
    }
  }
  return cases;
}

// One CPU and, where allowed, ahead of every ordinary process on it.
int pin() {
  const int cpu = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)) - 1;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
  const sched_param priority{1};
  if (sched_setscheduler(0, SCHED_FIFO, &priority) != 0) std::perror("real-time priority: going on without");
  return cpu;
}

Status measure(const Settings& settings, XdpBench& xdp, UserBench& user, Results& results) {
  std::vector<Case> cases = make_cases();
  for (int round = 0; round < settings.rounds; ++round) {
    for (const Case& one : cases) {
      const auto [family, flows] = one.column;
      const auto user_target =
          one.target == Target::kLoop ? UserBench::Target::kLoop : UserBench::Target::kBalance;
      const auto figure = one.is_user ? user.measure(user_target, family, flows, settings.packets)
                                      : xdp.measure(one.target, family, flows, settings.packets);
      if (!figure) {
        return Error{std::string(one.is_user ? "user space" : "XDP") + ", target " +
                     std::to_string(static_cast<int>(one.target)) + ", " + std::string(to_string(family)) +
                     ", " + std::to_string(flows) + " flows: " + figure.error().message};
      }
      one.is_user ? results.add(user_target, one.column, *figure)
                  : results.add(one.target, one.column, *figure);
    }
    std::reverse(cases.begin(), cases.end());
  }
  return {};
}

Status run(const Settings& settings) {
  const int cpu = pin();
  auto xdp = XdpBench::open(settings.folder);
  if (!xdp) return xdp.error();
  auto user = UserBench::open();
  if (!user) return user.error();
  utsname kernel{};
  uname(&kernel);
  std::printf("Linux %s, CPU %d, %d rounds of %llu packets per case, ring of %u slots, %u nodes per family\n",
              kernel.release, cpu, settings.rounds, static_cast<unsigned long long>(settings.packets),
              kRingSlots, static_cast<unsigned>(kNodes));
  std::fflush(stdout);
  Results results;
  if (const Status measured = measure(settings, **xdp, **user, results); !measured) return measured;
  results.print();
  return settings.json.empty() ? Status() : write_json(settings.json, results.measurements());
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  const auto text = [](std::string& target) {
    return [&target](std::string_view value) {
      target = value;
      return !target.empty();
    };
  };
  test::parse_flags(argc, argv,
                    {{"--json", "FILE", "write the figures there", text(settings.json)},
                     {"--folder", "FOLDER", "an existing one for temporary files", text(settings.folder)},
                     {"--quick", "", "a glance: fewer rounds and packets", [&](std::string_view) {
                        settings.rounds = 5;
                        settings.packets = 200'000;
                        return true;
                      }}});
  if (settings.folder.empty()) {
    std::fprintf(stderr, "%s: --folder is needed (see --help)\n", argv[0]);
    return 2;
  }
  settings.folder += "/bpf";
  if (const Status status = run(settings); !status) {
    std::fprintf(stderr, "%s: %s\n", argv[0], status.error().message.c_str());
    return 1;
  }
  return 0;
}
