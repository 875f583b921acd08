// The reasons against an announcement, in the order in which an operator wants to hear them.
#include "l4/announce_policy.h"

namespace gatehouse::l4 {
namespace {

std::string why_not(const AnnounceRules& rules, const Evidence& evidence) {
  const Health& health = evidence.health;
  if (!evidence.is_forwarding) return "no interface takes packets of VIPs";
  const bool is_enough = health.healthy * 100 >= rules.min_healthy * health.members && health.healthy > 0;
  if (!is_enough && rules.min_healthy > 0) {
    return std::to_string(health.healthy) + " of " + std::to_string(health.members) +
           " answer, min_healthy is " + std::to_string(rules.min_healthy) + " %";
  }
  if (evidence.is_draining && !rules.is_last_resort) return "this host is drained";
  return {};
}

}  // namespace

std::string_view to_string(Announcement announcement) {
  constexpr std::string_view kNames[] = {"withdrawn", "last resort", "announced"};
  return kNames[static_cast<std::size_t>(announcement)];
}

Announcement AnnouncePolicy::judge(const AnnounceRules& rules, const Evidence& evidence, Time now) {
  reason_ = why_not(rules, evidence);
  if (!reason_.empty()) {
    is_good_ = false;
    return current_ = Announcement::kWithdrawn;
  }
  if (!is_good_) good_since_ = now;
  is_good_ = true;
  const auto good_for = std::chrono::duration_cast<Duration>(now - good_since_);
  if (current_ == Announcement::kWithdrawn && good_for < rules.announce_after) {
    reason_ = "well for less than " + gatehouse::to_string(rules.announce_after);
    return current_;
  }
  if (evidence.is_draining) reason_ = "this host is drained";
  return current_ = evidence.is_draining ? Announcement::kLastResort : Announcement::kAnnounced;
}

}  // namespace gatehouse::l4
