// Time to find a request's route and to compile all of them, for sites of ten routes per host. Requests are of all hosts and
// paths in random order, so that large sites also pay for their cache misses; one of ten matches nothing. The same for one host
// whose routes are all regular expressions, of which a request matches one.
//
//   gatehouse-perf-routing [--folder UNUSED] [--json FILE] [--quick]
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "l7/router.h"
#include "perf/run_benchmarks.h"

namespace gatehouse::l7 {
namespace {

constexpr int kRoutesPerHost = 10;

std::string host_name(int host) { return "shop-" + std::to_string(host) + ".customers.example"; }

// Of each host: an exact path, prefixes of one to three segments, conditions, and the rest of the host.
std::vector<config::Route> make_routes(int count) {
  std::vector<config::Route> routes(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    config::Route& route = routes[static_cast<std::size_t>(i)];
    route.hosts = {(i / kRoutesPerHost) % 10 == 9 ? "*." + host_name(i / kRoutesPerHost) : host_name(i / kRoutesPerHost)};
    const int kind = i % kRoutesPerHost;
    if (kind == 0) continue;
    if (kind == 1) route.path = "/healthz";
    if (kind >= 2) route.path_prefix = "/api/v" + std::to_string(kind) + (kind % 2 ? "/orders" : "");
    if (kind == 8) route.methods = {"POST"};
    if (kind == 9) route.headers = {{.name = "X-Canary", .exact = "1"}};
  }
  return routes;
}

struct Request {
  std::string host, path;
};

std::vector<Request> make_requests(int routes) {
  std::mt19937 random(1);
  std::vector<Request> requests(4096);
  for (Request& request : requests) {
    const int host = static_cast<int>(random() % static_cast<unsigned>(std::max(routes / kRoutesPerHost, 1)));
    request.host = random() % 10 == 0 ? "nobody.example" : (host % 10 == 9 ? "www." : "") + host_name(host);
    constexpr const char* kRest[] = {"/healthz", "/api/v2/items/7", "/api/v3/orders/2024/11", "/api/v9/orders", "/static/css/site.css", "/"};
    request.path = kRest[random() % std::size(kRest)];
  }
  return requests;
}

void match(benchmark::State& state) {
  const Router router(make_routes(static_cast<int>(state.range(0))));
  const std::vector<Request> requests = make_requests(static_cast<int>(state.range(0)));
  http::Fields fields;
  for (const http::Field& field : {http::Field{"User-Agent", "perf"}, {"Accept", "*/*"}, {"X-Canary", "1"}}) fields.add(field);
  std::size_t next = 0;
  for (auto _ : state) {
    const Request& request = requests[next++ % requests.size()];
    benchmark::DoNotOptimize(router.match(RouteAsk{request.host, request.path, "GET", {}, &fields}));
  }
}

void compile(benchmark::State& state) {
  const std::vector<config::Route> routes = make_routes(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Router(routes));
}

std::vector<config::Route> make_regexes(int count) {
  std::vector<config::Route> routes(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    routes[static_cast<std::size_t>(i)].hosts = {host_name(0)};
    routes[static_cast<std::size_t>(i)].path_regex = "/shop-" + std::to_string(i) + "/(items|orders)/[0-9]+";
  }
  return routes;
}

void match_regexes(benchmark::State& state) {
  const Router router(make_regexes(static_cast<int>(state.range(0))));
  const std::string host = host_name(0);
  std::mt19937 random(1);
  std::vector<std::string> paths(4096);
  for (std::string& path : paths) path = "/shop-" + std::to_string(random() % static_cast<unsigned>(state.range(0))) + "/orders/" + std::to_string(random() % 1'000);
  std::size_t next = 0;
  for (auto _ : state) benchmark::DoNotOptimize(router.match(RouteAsk{host, paths[next++ % paths.size()], "GET"}));
}

void compile_regexes(benchmark::State& state) {
  const std::vector<config::Route> routes = make_regexes(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Router(routes));
}

}  // namespace
}  // namespace gatehouse::l7

int main(int count, char** words) {
  benchmark::RegisterBenchmark("match", gatehouse::l7::match)->RangeMultiplier(10)->Range(10, 100'000);
  benchmark::RegisterBenchmark("compile", gatehouse::l7::compile)->RangeMultiplier(10)->Range(10, 100'000)->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("match of one host's regexes", gatehouse::l7::match_regexes)->RangeMultiplier(10)->Range(1, 10'000);
  benchmark::RegisterBenchmark("compile one host's regexes", gatehouse::l7::compile_regexes)->RangeMultiplier(10)->Range(1, 10'000)->Unit(benchmark::kMillisecond);
  return gatehouse::perf::run_benchmarks(count, words);
}
