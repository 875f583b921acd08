// The command line of the programs on Google Benchmark: --quick for few repetitions, --json FILE for a report.
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::perf {

// Runs what has been registered, in random order, and prints medians.
inline int run_benchmarks(int count, char** words) {
  std::vector<std::string> flags = {words[0], "--benchmark_report_aggregates_only=true",
                                    "--benchmark_enable_random_interleaving=true"};
  bool is_quick = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--quick") is_quick = true;
    if (word == "--json" && i + 1 < count) {
      flags.push_back(std::string("--benchmark_out=") + words[i + 1]);
      flags.push_back("--benchmark_out_format=json");
    }
  }
  flags.push_back(is_quick ? "--benchmark_repetitions=3" : "--benchmark_repetitions=15");
  std::vector<char*> arguments;
  for (std::string& flag : flags) arguments.push_back(flag.data());
  int argument_count = static_cast<int>(arguments.size());
  benchmark::Initialize(&argument_count, arguments.data());
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace gatehouse::perf
