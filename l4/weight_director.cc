#include "l4/weight_director.h"

#include <algorithm>
#include <utility>

#include "common/units.h"

namespace gatehouse::l4 {

void WeightDirector::set_config(const config::Config& config) {
  const config::Balance& balance = config.balance;
  settings_ = {balance.step / 100.0, static_cast<double>(balance.range)};
  is_on_ = balance.load_feedback;
  decider_ = config.l4_hosts.empty() ? "" : config.l4_hosts.front().name;
  std::erase_if(factors_, [&config](const auto& factor) {
    return std::none_of(config.nodes.begin(), config.nodes.end(),
                        [&](const config::Node& node) { return node.id == factor.first; });
  });
  if (!is_on_) set({});
  const bool is_same = step_.is_armed() && interval_ == balance.interval;
  interval_ = balance.interval;
  if (!decides()) {
    step_.cancel();
    feedback_ = {};
  } else if (!is_same) {
    step_.arm<&WeightDirector::step>(loop_, interval_, this);
  }
}

void WeightDirector::recall(const Generation& newest) {
  for (const Member& member : newest.members) {
    if (member.factor != Member::kNeutral) factors_[member.id] = member.factor;
  }
}

void WeightDirector::on_report(const control::NodeReport& report) {
  if (!report.cpu_use) return;
  Sum& sum = sums_[report.node];
  sum.use += *report.cpu_use / 1000.0;
  ++sum.reports;
}

void WeightDirector::step() {
  step_.arm<&WeightDirector::step>(loop_, interval_, this);
  const auto sums = std::exchange(sums_, {});
  const std::vector<std::uint16_t> owners = site_.owners();
  std::vector<LoadFeedback::Load> loads;
  for (const std::uint16_t id : owners) {
    const auto sum = sums.find(id);
    if (sum != sums.end()) loads.push_back({id, sum->second.use / sum->second.reports});
  }
  set(feedback_.step(factors_, loads, owners.size(), settings_));
  if (say_) say_({host_, static_cast<std::uint64_t>(unix_milliseconds()), factors_});
}

bool WeightDirector::hear(const control::Weights& weights) {
  if (!is_on_ || decides() || weights.from != decider_ || weights.version <= version_) return false;
  version_ = weights.version;
  LoadFeedback::Factors factors = weights.factors;
  const double least = Member::kNeutral / settings_.range, most = Member::kNeutral * settings_.range;
  for (auto& [id, factor] : factors)
    factor = static_cast<std::uint32_t>(std::clamp<double>(factor, least, most));
  set(std::move(factors));
  return true;
}

void WeightDirector::set(LoadFeedback::Factors factors) {
  if (std::exchange(factors_, std::move(factors)) != factors_) site_.on_change();
}

std::uint32_t WeightDirector::factor_of(std::uint16_t node) const {
  const auto factor = factors_.find(node);
  return factor == factors_.end() ? Member::kNeutral : factor->second;
}

}  // namespace gatehouse::l4
