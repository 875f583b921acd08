// gatehouse-perf-director: what a large site costs its L4 hosts. `perf/run director` calls it.
#include <sched.h>
#include <unistd.h>

#include <cstdio>

#include "common/limits.h"
#include "common/log.h"
#include "perf/director/site.h"
#include "perf/measurement.h"
#include "tests/support/plain_maglev.h"
#include "tests/tools/flags.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::perf;

struct Settings {
  std::string json;
  std::string folder;
  int rounds = 5;
  int deaths = 12;
};

constexpr const char* kFloor = "Maglev of the paper";

template <typename Act>
double milliseconds_of(Act act) {
  const auto begin = std::chrono::steady_clock::now();
  act();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

void print(const Measurement& one) {
  std::printf("%-68s %10.2f %-4s ± %.2f", one.name.c_str(), one.value, one.unit.c_str(), one.spread);
  if (!one.compared_with.empty()) std::printf("   %.2f x %s", one.ratio, one.compared_with.c_str());
  std::printf("\n");
  std::fflush(stdout);
}

class Results {
 public:
  double add(std::string name, std::vector<double> values, std::string unit, double floor = 0) {
    const Summary summary = summarize(std::move(values));
    measurements_.push_back({std::move(name), summary.median, std::move(unit), summary.spread,
                             floor ? kFloor : "", floor ? summary.median / floor : 0});
    print(measurements_.back());
    return summary.median;
  }
  const std::vector<Measurement>& all() const { return measurements_; }

 private:
  std::vector<Measurement> measurements_;
};

// One ring: the paper's algorithm and ours, in turn.
double measure_maglev(int rounds, Results& results) {
  std::vector<MaglevMember> members;
  for (std::uint16_t id = 1; id <= kNodes; ++id) members.push_back({id, 100});
  std::vector<double> plain, ours;
  for (int round = 0; round < 10 * rounds; ++round) {
    plain.push_back(milliseconds_of([&] { test::plain_maglev(members, kSlots); }));
    ours.push_back(milliseconds_of([&] { build_maglev(members, kSlots); }));
  }
  const double floor = results.add(kFloor, plain, "ms");
  results.add("Maglev, ours", ours, "ms", floor);
  return floor;
}

Status measure_site(const Settings& settings, std::uint16_t rosters, double floor, Results& results) {
  Site site(settings.folder, rosters);
  std::vector<double> rebuilds, memory;
  for (int round = 0; round < settings.rounds; ++round) {
    const auto rebuild = site.rebuild();
    if (!rebuild) return rebuild.error();
    rebuilds.push_back(1e3 * rebuild->time.count());
    memory.push_back(static_cast<double>(rebuild->memory) / (1 << 20));
  }
  const std::string what = std::to_string(site.rings()) + (site.rings() == 1 ? " ring" : " rings");
  results.add("full rebuild, " + what, rebuilds, "ms", floor);
  results.add("peak memory with all tables, " + what, memory, "MiB");
  const auto times = site.kill(settings.deaths);
  if (!times) return times.error();
  std::vector<double> deaths;
  for (const Seconds time : *times) deaths.push_back(1e3 * time.count());
  results.add("from the verdict on a node to the last slot written, " + what, deaths, "ms", floor);
  results.add("the slowest of " + std::to_string(deaths.size()),
              {*std::max_element(deaths.begin(), deaths.end())}, "ms");
  return {};
}

Status run(const Settings& settings) {
  setenv("GATEHOUSE_LOG", "error", 0);
  start_log("perf");
  raise_descriptor_limit(65'536, "the site");
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)) - 1, &set);
  sched_setaffinity(0, sizeof set, &set);
  const sched_param priority{1};
  if (sched_setscheduler(0, SCHED_FIFO, &priority) != 0) std::perror("real-time priority: going on without");
  const l4::PrivateNetwork network;
  if (!network.is_ready()) return Error{"root is needed, for marks on probes and a network of its own"};
  std::printf("%d nodes, %d VIPs, %u slots, one core, %d rounds\n", kNodes, kVips, kSlots, settings.rounds);
  Results results;
  const double floor = measure_maglev(settings.rounds, results);
  for (const std::uint16_t rosters : {std::uint16_t{1}, std::uint16_t{20}, kVips}) {
    if (const Status measured = measure_site(settings, rosters, floor, results); !measured) return measured;
  }
  return settings.json.empty() ? Status() : write_json(settings.json, results.all());
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
                     {"--quick", "", "a glance: fewer rounds", [&](std::string_view) {
                        settings.rounds = 2;
                        settings.deaths = 4;
                        return true;
                      }}});
  if (settings.folder.empty()) {
    std::fprintf(stderr, "%s: --folder is needed (see --help)\n", argv[0]);
    return 2;
  }
  if (const Status status = run(settings); !status) {
    std::fprintf(stderr, "%s: %s\n", argv[0], status.error().message.c_str());
    return 1;
  }
  return 0;
}
