// What both benchmarks share: the summary of repeated measurements, and the JSON that `perf/run --json FILE`
// writes. A measurement is one figure with its spread over rounds (third minus first quartile) and, where it
// makes sense, the figure of the same run that it stands beside.
#pragma once

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/result.h"

namespace gatehouse::perf {

struct Summary {
  double median = 0;
  double spread = 0;  // between the quartiles
  double min = 0;
};

// `values` is not empty. Quantiles are interpolated between neighbours.
inline Summary summarize(std::vector<double> values) {
  GH_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const auto quantile = [&values](double share) {
    const double place = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (values[above] - values[below]) * (place - static_cast<double>(below));
  };
  return {quantile(0.5), quantile(0.75) - quantile(0.25), values.front()};
}

struct Measurement {
  std::string name;
  double value = 0;
  std::string unit;
  double spread = 0;
  std::string compared_with;  // name of another measurement; empty: none
  double ratio = 0;           // value / that one's value
};

// One figure per line, so that two files can be compared with diff.
inline Status write_json(const std::string& file, const std::vector<Measurement>& measurements) {
  std::ofstream stream(file);
  const auto round = [](double value) {
    return static_cast<double>(static_cast<long long>(value * 1000 + 0.5)) / 1000;
  };
  const char* separator = "[\n";
  for (const Measurement& one : measurements) {
    const bool is_alone = one.compared_with.empty();
    const nlohmann::ordered_json object = {
        {"name", one.name},
        {"value", round(one.value)},
        {"unit", one.unit},
        {"spread", round(one.spread)},
        {"compared_with", is_alone ? nlohmann::ordered_json() : nlohmann::ordered_json(one.compared_with)},
        {"ratio", is_alone ? nlohmann::ordered_json() : nlohmann::ordered_json(round(one.ratio))}};
    stream << separator << object.dump();
    separator = ",\n";
  }
  stream << "\n]\n";
  return stream.flush() ? Status() : Status(system_error(file));
}

}  // namespace gatehouse::perf
