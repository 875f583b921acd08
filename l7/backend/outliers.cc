#include "l7/backend/outliers.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>

namespace gatehouse::l7 {
namespace {

// Where all others do alike, a difference of less than this may be chance.
constexpr double kLeastDeviation = 0.05;

struct Rates {
  double mean = 0, deviation = 0;
};

// Of all but the one at `index`.
Rates rates_beside(std::span<const double> rates, std::size_t index) {
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    if (i == index) continue;
    sum += rates[i];
    squares += rates[i] * rates[i];
  }
  const auto count = static_cast<double>(rates.size() - 1);
  const double mean = sum / count;
  return {mean, std::sqrt(std::max(squares / count - mean * mean, 0.0))};
}

void find_failing(std::span<const Window> windows, const config::Ejection& ejection,
                  std::vector<Outlier>& found) {
  std::vector<double> rates;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const Window& window = windows[i];
    if (window.answers < ejection.min_requests) continue;
    rates.push_back(1 - static_cast<double>(window.failures) / static_cast<double>(window.answers));
    places.push_back(i);
  }
  if (rates.size() < ejection.min_backends) return;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const Rates others = rates_beside(rates, i);
    const double least = others.mean - ejection.deviations * std::max(others.deviation, kLeastDeviation);
    if (rates[i] >= least) continue;
    found.push_back({places[i], EjectionReason::kSuccessRate, (least - rates[i]) / least,
                     fmt::format("{:.1f} % of its {} requests succeeded, of the others' {:.1f} %",
                                 rates[i] * 100, windows[places[i]].answers, others.mean * 100)});
  }
}

void find_slow(std::span<const Window> windows, const config::Ejection& ejection,
               std::vector<Outlier>& found) {
  std::vector<std::pair<double, std::size_t>> waits;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const Window& window = windows[i];
    if (window.timed > 0 && window.timed >= ejection.min_requests)
      waits.emplace_back(window.wait_us / static_cast<double>(window.timed), i);
  }
  if (waits.size() < ejection.min_backends) return;
  std::sort(waits.begin(), waits.end());
  const double median = waits[(waits.size() - 1) / 2].first;
  const double most =
      std::max(median * ejection.latency_factor, static_cast<double>(ejection.latency_least.count()) * 1e3);
  for (const auto& [wait, index] : waits) {
    if (wait <= most) continue;
    found.push_back(
        {index, EjectionReason::kLatency, (wait - most) / most,
         fmt::format("its {} requests waited {:.1f} ms on average, the pool's median is {:.1f} ms",
                     windows[index].timed, wait / 1e3, median / 1e3)});
  }
}

}  // namespace

std::vector<Outlier> find_outliers(std::span<const Window> windows, const config::Ejection& ejection) {
  std::vector<Outlier> found;
  if (ejection.deviations > 0) find_failing(windows, ejection, found);
  if (ejection.latency_factor > 0) find_slow(windows, ejection, found);
  std::stable_sort(found.begin(), found.end(),
                   [](const Outlier& one, const Outlier& other) { return one.excess > other.excess; });
  return found;
}

}  // namespace gatehouse::l7
