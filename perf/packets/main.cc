// gatehouse-perf-packets: the front door's ns per packet beside its floors, all cases in every round,
// forwards and backwards in turn. `perf/run packets` calls it.
#include <sched.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "perf/packets/cases.h"
#include "tests/tools/flags.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::perf;

struct Settings {
  std::string json;
  std::string folder;
  std::string only;
  int rounds = 21;
  std::uint64_t packets = 1'000'000;
};

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

// A BPF file system that nobody else sees and that goes away with this process, whatever its end.
Status mount_private(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Error{"cannot create " + folder + ": " + error.message()};
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return system_error("a private mount namespace (root is needed)");
  }
  return mount("bpf", folder.c_str(), "bpf", 0, "mode=0700") == 0 ? Status() : Status(system_error("mount of bpffs"));
}

Status measure(const Settings& settings, std::vector<Case>& cases, Results& results) {
  for (int round = 0; round < settings.rounds; ++round) {
    for (const Case& one : cases) {
      const auto figure = one.measure(settings.packets);
      if (!figure) return Error{one.section + ", " + one.row + ", " + one.column + ": " + figure.error().message};
      results.add(one.section, one.row, one.column, *figure);
    }
    std::reverse(cases.begin(), cases.end());
  }
  return {};
}

Status run(const Settings& settings) {
  const int cpu = pin();
  if (const Status mounted = mount_private(settings.folder); !mounted) return mounted;
  Results results;
  auto cases = Cases::make(settings.folder, results);
  if (!cases) return cases.error();
  auto& all = (*cases)->all();
  std::erase_if(all, [&](const Case& one) { return one.section.find(settings.only) == std::string::npos; });
  results.keep(settings.only);
  utsname kernel{};
  uname(&kernel);
  std::printf("Linux %s, CPU %d, %d rounds of %llu packets per case, rings of %u slots, %u nodes per family\n",
              kernel.release, cpu, settings.rounds, static_cast<unsigned long long>(settings.packets), kRingSlots,
              static_cast<unsigned>(kUsualShape.nodes));
  std::fflush(stdout);
  if (const Status measured = measure(settings, all, results); !measured) return measured;
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
                     {"--only", "TEXT", "only tables whose title has it", text(settings.only)},
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
