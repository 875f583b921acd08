#include "perf/http/results.h"

#include <fmt/format.h>

#include <cmath>

namespace gatehouse::perf {
namespace {

constexpr double kSaturated = 0.95;
constexpr double kControlTolerance = 0.07;
constexpr double kTolerance = 0.10;  // of medians, which are noisier than minima

std::string number(double value) {
  return std::abs(value) >= 1'000 ? fmt::format("{:.0f}", value) : fmt::format("{:.2f}", value);
}

}  // namespace

void CaseResults::add(std::size_t entry, const Window& window) {
  series_[entry].windows.push_back(window);
  series_[entry].disturbed += window.is_quiet() ? 0 : 1;
}

Summary CaseResults::of(std::size_t entry, const Figure& figure) const {
  const Series& series = series_[entry];
  const bool all_are_disturbed = series.disturbed == static_cast<int>(series.windows.size());
  std::vector<double> values;
  for (const Window& window : series.windows) {
    if (window.is_quiet() || all_are_disturbed) values.push_back(window.*figure.member);
  }
  return summarize(std::move(values));
}

CaseResults::Ratio CaseResults::ratio(std::size_t one, std::size_t other, const Figure& figure) const {
  const Summary a = of(one, figure), b = of(other, figure);
  return {a.min / b.min, a.median / b.median};
}

std::size_t CaseResults::best_peer(const Figure& figure) const {
  std::size_t best = series_.size();
  for (std::size_t i = 0; i < series_.size(); ++i) {
    if (case_.entries[i].role != Entry::Role::kPeer || !has(i)) continue;
    if (best == series_.size() || of(i, figure).min < of(best, figure).min) best = i;
  }
  return best;
}

std::string CaseResults::table() const {
  std::string text = fmt::format("\n### {}: {}\n\n|", case_.name, case_.title);
  for (const Figure& figure : case_.figures)
    text += fmt::format(" | {}, {} (smallest)", figure.name, figure.unit);
  const bool is_timed = case_.task == Task::kTime;
  if (is_timed) text += " | in user space | requests/s | core | its softirq | harness core | its softirq";
  text += " | disturbed |\n|---|";
  for (std::size_t i = 0; i < case_.figures.size() + (is_timed ? 7 : 1); ++i) text += "---|";
  text += "\n";
  for (std::size_t i = 0; i < series_.size(); ++i) text += entry_row(i);
  text += "\n";
  for (const Figure& figure : case_.figures) {
    // Of the others the values say enough.
    if (&figure == &case_.figures.front() || figure.demand != Figure::Demand::kNone) text += ratios(figure);
  }
  return text;
}

std::string CaseResults::entry_row(std::size_t entry) const {
  const Series& series = series_[entry];
  const std::string& name = case_.entries[entry].name;
  if (!has(entry)) return fmt::format("| {} | skipped: {} |\n", name, series.skipped);
  std::string row = "| " + name;
  for (const Figure& figure : case_.figures) {
    const Summary values = of(entry, figure);
    row += fmt::format(" | {} ± {} ({})", number(values.median), number(values.spread), number(values.min));
  }
  const auto median = [&](double Window::*member) { return of(entry, {{}, {}, member}).median; };
  if (case_.task == Task::kTime) {
    const double core = median(&Window::proxy_cores);
    const bool is_idle =
        case_.is_saturated && core < kSaturated && case_.entries[entry].proxy != Proxy::kDirect;
    const double rate = median(&Window::requests_per_second), offered = case_.entries[entry].load.rate;
    row += fmt::format(" | {:.2f} | {:.0f}{} | {:.2f}{} | {:.2f} | {:.2f} | {:.2f}", median(&Window::user_us),
                       rate, rate < 0.98 * offered ? " (late!)" : "", core, is_idle ? " (idle!)" : "",
                       median(&Window::proxy_softirq), median(&Window::harness_cores),
                       median(&Window::harness_softirq));
  }
  return row + fmt::format(" | {} of {} |\n", series.disturbed, series.windows.size());
}

std::string CaseResults::ratios(const Figure& figure) const {
  std::string text;
  const auto add = [&](std::size_t one, std::size_t other) {
    const Ratio value = ratio(one, other, figure);
    text += fmt::format("- {}: {} ÷ {}: minima {:.2f}, medians {:.2f}", figure.name, case_.entries[one].name,
                        case_.entries[other].name, value.minima, value.medians);
    const bool is_control = case_.entries[one].role == Entry::Role::kControl;
    text += is_control && std::abs(value.minima - 1) > kControlTolerance ? " → inconclusive\n" : "\n";
  };
  std::size_t first_peer = series_.size();
  for (std::size_t i = 0; i < series_.size(); ++i) {
    const Entry::Role role = case_.entries[i].role;
    if (role == Entry::Role::kPeer && first_peer == series_.size()) first_peer = i;
    if (!has(i) || !has(0) || i == 0) continue;
    if (role == Entry::Role::kPeer || role == Entry::Role::kFloor) add(0, i);
    if (role == Entry::Role::kControl && has(first_peer)) add(i, first_peer);
  }
  return text;
}

CaseResults::Verdict CaseResults::verdict(const Figure& figure) const {
  using Demand = Figure::Demand;
  const std::size_t best = best_peer(figure);
  if (figure.demand == Demand::kNone || !has(0) || best == series_.size()) return {};
  Ratio value = ratio(0, best, figure);
  const char* form = "{} ×";
  if (figure.demand != Demand::kRatio) value = {of(0, figure).min, of(0, figure).median};
  if (figure.demand == Demand::kValue) form = "{}";
  if (figure.demand == Demand::kDifference) {
    form = "{} more";
    value = {value.minima - of(best, figure).min, value.medians - of(best, figure).median};
  }
  const double slack = figure.demand == Demand::kRatio ? kTolerance : 0;
  const auto holds = [&](double limit) { return value.minima <= limit && value.medians <= limit + slack; };
  const bool is_reached = figure.goal > 0 && holds(figure.goal);
  return {fmt::format("{:.2f}; {:.2f}", value.minima, value.medians),
          fmt::format(fmt::runtime(form), number(figure.must)),
          is_reached           ? "goal reached"
          : holds(figure.must) ? "met"
                               : "NOT met"};
}

std::string CaseResults::summary_row(const Figure& figure) const {
  const std::size_t best = best_peer(figure);
  if (figure.demand == Figure::Demand::kNone || best == series_.size()) return "";
  if (!has(0)) return fmt::format("| {}, {} {} | skipped | | | | |\n", case_.title, figure.name, figure.unit);
  const Verdict told = verdict(figure);
  return fmt::format("| {}, {} {} | {} | {} {} | {} | {} | {} |\n", case_.title, figure.name, figure.unit,
                     number(of(0, figure).min), case_.entries[best].name, number(of(best, figure).min),
                     told.ours, told.demanded, told.outcome);
}

void CaseResults::append(std::vector<Measurement>& list) const {
  for (const Figure& figure : case_.figures) {
    const auto name_of = [&](std::size_t entry, const char* what) {
      return fmt::format("{} / {} / {}{}", case_.name, case_.entries[entry].name, figure.name, what);
    };
    const std::size_t best = best_peer(figure);
    for (std::size_t i = 0; i < series_.size(); ++i) {
      if (!has(i)) continue;
      const Summary values = of(i, figure);
      Measurement median{name_of(i, ""), values.median, figure.unit, values.spread, {}, 0};
      Measurement smallest{name_of(i, ", smallest"), values.min, figure.unit, 0, {}, 0};
      if (i == 0 && best < series_.size()) {
        const Ratio value = ratio(0, best, figure);
        median.compared_with = name_of(best, "");
        median.ratio = value.medians;
        smallest.compared_with = name_of(best, ", smallest");
        smallest.ratio = value.minima;
      }
      list.push_back(std::move(median));
      list.push_back(std::move(smallest));
    }
  }
}

std::string summary(const std::vector<CaseResults>& all) {
  std::string text =
      "\n### Demands\n\n| work | ours, smallest | best peer, smallest | ours in terms of the demand (minima; "
      "medians) | demanded | |\n"
      "|---|---|---|---|---|---|\n";
  for (const CaseResults& one : all) {
    for (const Figure& figure : one.subject().figures) text += one.summary_row(figure);
  }
  return text;
}

}  // namespace gatehouse::perf
