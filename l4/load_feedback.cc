#include "l4/load_feedback.h"

#include <algorithm>
#include <cmath>

#include "l4/membership.h"

namespace gatehouse::l4 {
namespace {

constexpr double kIdle = 0.05;      // a mean use below this is nothing to even out
constexpr double kUneven = 0.025;   // so far from the mean may a node be until weights begin to move ...
constexpr double kEven = 0.015;     // ... and they move until none is further from it than this
constexpr double kTouch = 0.008;    // nodes that are nearer stay as they are
constexpr double kSmoothing = 0.5;  // what the newest report counts
constexpr double kGain = 0.3;       // of what is missing, in one step
constexpr double kForesight = 2;    // steps that the way which use is going is thought to go on
constexpr int kStepsToSettle = 4;   // of a node that comes later: its connections are yet to come

}  // namespace

LoadFeedback::Factors LoadFeedback::step(Factors factors, std::span<const Load> loads, std::size_t active,
                                         const Settings& settings) {
  std::map<std::uint16_t, Node> before = std::exchange(nodes_, {});
  double mean = 0;
  for (const Load& load : loads) {
    Node& node = nodes_[load.id] = before[load.id];
    const double use = std::clamp(load.utilization, 0.0, 1.0);
    node.use = node.steps == 0 ? use : kSmoothing * use + (1 - kSmoothing) * node.use;
    node.steps = is_first_ ? kStepsToSettle : std::min(node.steps + 1, kStepsToSettle);
    mean += node.use / static_cast<double>(loads.size());
  }
  is_first_ = is_first_ && loads.empty();
  double furthest = 0;
  for (auto& [id, node] : nodes_) {
    if (node.steps >= kStepsToSettle) furthest = std::max(furthest, std::abs(node.use - mean));
  }
  is_moving_ = furthest > (is_moving_ ? kEven : kUneven);
  // Of the half that is heard nothing follows for the whole.
  const bool can_judge = 2 * loads.size() > active && mean >= kIdle;
  for (auto& [id, node] : nodes_) {
    const double deviation = node.use - mean;
    const double going = deviation - std::exchange(node.deviation, deviation);
    if (!can_judge || !is_moving_ || node.steps < kStepsToSettle || std::abs(deviation) < kTouch) continue;
    const double expected = deviation + (before.contains(id) && before[id].steps ? kForesight * going : 0);
    if (expected * deviation < 0) continue;  // it will be there by itself
    const double change = std::clamp(1 - kGain * expected / mean, 1 - settings.step, 1 + settings.step);
    std::uint32_t& factor = factors.try_emplace(id, Member::kNeutral).first->second;
    const double limit_low = Member::kNeutral / settings.range,
                 limit_high = Member::kNeutral * settings.range;
    factor = static_cast<std::uint32_t>(std::lround(std::clamp(factor * change, limit_low, limit_high)));
  }
  return factors;
}

}  // namespace gatehouse::l4
