// Tables and measurements.
#include "perf/http/results.h"

#include <cmath>
#include <cstdio>

namespace gatehouse::perf {
namespace {

constexpr double kSaturated = 0.95;
constexpr double kControlTolerance = 0.07;

std::string name_of(const std::string& load, Proxy proxy, const char* figure) {
  return load + " / " + std::string(to_string(proxy)) + " / " + figure;
}

}  // namespace

Summary Results::Series::of(double Window::*figure) const {
  std::vector<double> values;
  for (const Window& window : windows) values.push_back(window.*figure);
  return summarize(std::move(values));
}

void Results::add(const Load& load, Proxy proxy, const Window& window, bool is_conclusive) {
  const std::string title = to_string(load);
  if (groups_.empty() || groups_.back().first != title) groups_.emplace_back(title, Group());
  Series& series = groups_.back().second[proxy];
  series.windows.push_back(window);
  series.inconclusive += is_conclusive ? 0 : 1;
}

void Results::print() const {
  for (const auto& [title, group] : groups_) print_group(title, group);
}

void Results::print_group(const std::string& title, const Group& group) {
  std::printf("\n%-16s %26s %22s %12s %12s\n", title.c_str(), "CPU us/request (smallest)", "requests/s",
              "proxy core", "harness core");
  for (const auto& [proxy, series] : group) {
    const Summary cpu = series.of(&Window::cpu_us_per_request);
    const Summary rate = series.of(&Window::requests_per_second);
    const double cores = series.of(&Window::proxy_cores).median;
    std::printf("%-16s %12.2f ±%5.2f (%5.2f) %14.0f ±%6.0f %12.2f %12.2f%s", to_string(proxy).data(),
                cpu.median, cpu.spread, cpu.min, rate.median, rate.spread, cores,
                series.of(&Window::harness_cores).median, cores < kSaturated ? "  proxy not saturated" : "");
    if (series.inconclusive > 0) {
      std::printf("  %d of %zu launches disturbed", series.inconclusive, series.windows.size());
    }
    std::printf("\n");
  }
  print_ratios(group);
}

void Results::print_ratios(const Group& group) {
  const auto compare = [&group](Proxy one, Proxy other) {
    const auto first = group.find(one), second = group.find(other);
    if (first == group.end() || second == group.end()) return;
    const Summary a = first->second.of(&Window::cpu_us_per_request);
    const Summary b = second->second.of(&Window::cpu_us_per_request);
    std::printf("  %s / %s: medians %.2f, minima %.2f", to_string(one).data(), to_string(other).data(),
                a.median / b.median, a.min / b.min);
    const bool is_control = one == Proxy::kHaproxyAgain;
    std::printf(is_control && std::abs(a.min / b.min - 1) > kControlTolerance ? " -> inconclusive\n" : "\n");
  };
  compare(Proxy::kGatehouse, Proxy::kHaproxy);
  compare(Proxy::kGatehouse, Proxy::kNginx);
  compare(Proxy::kHaproxyAgain, Proxy::kHaproxy);
}

std::vector<Measurement> Results::measurements() const {
  struct Figure {
    const char* name;
    const char* unit;
    double Window::*member;
  };
  const Figure figures[] = {{"CPU per request", "us/request", &Window::cpu_us_per_request},
                            {"requests per second", "1/s", &Window::requests_per_second}};
  std::vector<Measurement> list;
  for (const auto& [title, group] : groups_) {
    for (const Figure& figure : figures) {
      const auto reference = group.find(Proxy::kHaproxy);
      for (const auto& [proxy, series] : group) {
        const Summary values = series.of(figure.member);
        list.push_back(
            {name_of(title, proxy, figure.name), values.median, figure.unit, values.spread, {}, 0});
        if (proxy == Proxy::kHaproxy || reference == group.end()) continue;
        list.back().compared_with = name_of(title, Proxy::kHaproxy, figure.name);
        list.back().ratio = values.median / reference->second.of(figure.member).median;
      }
    }
    for (const auto& [proxy, series] : group) {
      const double min = series.of(&Window::cpu_us_per_request).min;
      list.push_back({name_of(title, proxy, "CPU per request, smallest"), min, "us/request", 0, {}, 0});
    }
  }
  return list;
}

}  // namespace gatehouse::perf
