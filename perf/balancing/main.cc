// Time to choose a backend, by policy and number of backends, all of them healthy and with something in
// flight on four workers.
//
//   gatehouse-perf-balancing [--folder UNUSED] [--json FILE] [--quick]
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "l7/backend/connection.h"
#include "l7/backend/hash_policy.h"
#include "l7/backend/peak_ewma.h"
#include "l7/backend/pool.h"
#include "l7/client_connection.h"
#include "l7/exchange.h"
#include "l7/runtime.h"
#include "l7/worker_context.h"
#include "perf/run_benchmarks.h"

namespace gatehouse::l7 {
namespace {

config::Pool make_config(const char* policy, int backends) {
  config::Pool config;
  config.name = "main";
  config.policy = policy;
  for (int i = 0; i < backends; ++i)
    config.backends.push_back({{*IpAddress::parse("192.0.2.1"), static_cast<std::uint16_t>(i + 1)},
                               1 + static_cast<std::uint32_t>(i) % 3});
  for (const config::Policy& each : config::kPolicies) {
    if (each.is_hashed && config.policy == each.name) config.hash.emplace().path = true;
  }
  return config;
}

void choose(benchmark::State& state, const char* policy) {
  constexpr std::uint32_t kWorkers = 4;
  EventLoop loop;
  const std::unique_ptr<Board> board = Board::anonymous();
  WorkerContext context(loop, *board, 0, "n1");
  const config::Pool config = make_config(policy, static_cast<int>(state.range(0)));
  Pool pool(config, context.backends, 0);
  board->take_place(kWorkers - 1);
  std::mt19937 random(1);
  for (const config::Backend& backend : config.backends) {
    BackendCell& cell = *board->backend(backend_key("main", backend.address));
    for (std::uint32_t worker = 0; worker < kWorkers; ++worker) cell.in_flight[worker] = random() % 8;
    cell.peak_ewma = pack_ewma(1'000 + random() % 500, board_time(loop.now()));
  }
  std::uint64_t key = 0;
  for (auto _ : state) benchmark::DoNotOptimize(pool.choose(Wish{{}, nullptr, scramble(++key)}));
}

}  // namespace
}  // namespace gatehouse::l7

int main(int count, char** words) {
  for (const gatehouse::config::Policy& policy : gatehouse::config::kPolicies) {
    const char* name = policy.name;
    benchmark::RegisterBenchmark(name,
                                 [name](benchmark::State& state) { gatehouse::l7::choose(state, name); })
        ->Arg(3)
        ->Arg(10)
        ->Arg(100)
        ->Arg(1'000)
        ->MinTime(0.1);
  }
  return gatehouse::perf::run_benchmarks(count, words);
}
