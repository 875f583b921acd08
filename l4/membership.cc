#include "l4/membership.h"

#include <algorithm>
#include <charconv>

#include "bpf/abi.h"

namespace gatehouse::l4 {
namespace {

// Takes a number off the front of `text`.
bool take_number(std::string_view& text, std::uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return error == std::errc();
}

bool take(std::string_view& text, char letter) {
  if (!text.starts_with(letter)) return false;
  text.remove_prefix(1);
  return true;
}

// Rosters of two generations that say the same.
bool is_same(const std::shared_ptr<const Rosters>& left, const std::shared_ptr<const Rosters>& right) {
  if (left == right) return true;
  if (!left || !right) return false;
  return std::equal(
      left->begin(), left->end(), right->begin(), right->end(), [](const auto& one, const auto& other) {
        return one.first == other.first && (one.second == other.second || *one.second == *other.second);
      });
}

// What the owners of slots follow from is the same: draining and down own nothing alike.
bool has_same_rings(const Generation& left, const Generation& right) {
  if (left.rosters != right.rosters) return false;
  return std::equal(left.members.begin(), left.members.end(), right.members.begin(), right.members.end(),
                    [](const Member& one, const Member& other) {
                      return one.id == other.id && one.weight == other.weight && one.factor == other.factor &&
                             (one.state == MemberState::kActive) == (other.state == MemberState::kActive);
                    });
}

}  // namespace

std::string_view to_string(MemberState state) {
  switch (state) {
    case MemberState::kActive:
      return "active";
    case MemberState::kDraining:
      return "draining";
    case MemberState::kDown:
      return "down";
  }
  return "?";
}

std::string to_string(const std::vector<Roster::Entry>& entries) {
  std::string text;
  for (auto first = entries.begin(); first != entries.end();) {
    auto last = first;
    while (last + 1 != entries.end() && last[1].id == last->id + 1 && last[1].weight == first->weight) ++last;
    text += (text.empty() ? "" : ",") + std::to_string(first->id);
    if (last != first) text += "-" + std::to_string(last->id);
    if (first->weight != Roster::kOwnWeight) text += "=" + std::to_string(first->weight);
    first = last + 1;
  }
  return text;
}

Result<std::vector<Roster::Entry>> parse_entries(std::string_view text) {
  std::vector<Roster::Entry> entries;
  while (!text.empty()) {
    std::uint32_t first = 0, weight = Roster::kOwnWeight;
    bool is_good = (entries.empty() || take(text, ',')) && take_number(text, first);
    std::uint32_t last = first;
    if (is_good && take(text, '-')) is_good = take_number(text, last);
    if (is_good && take(text, '=')) is_good = take_number(text, weight);
    const std::uint32_t least = entries.empty() ? 1 : entries.back().id + 1u;
    if (!is_good || first < least || last < first || last >= GH_MAX_NODES) {
      return Error{"expected rising ids and weights such as \"1-3,7=50\""};
    }
    for (std::uint32_t id = first; id <= last; ++id)
      entries.push_back({static_cast<std::uint16_t>(id), weight});
  }
  return entries;
}

bool Generation::operator==(const Generation& other) const {
  return epoch == other.epoch && time == other.time && members == other.members &&
         is_same(rosters, other.rosters);
}

bool Membership::append(std::vector<Member> members, std::int64_t now,
                        std::shared_ptr<const Rosters> rosters) {
  std::sort(members.begin(), members.end(),
            [](const Member& left, const Member& right) { return left.id < right.id; });
  std::uint16_t epoch = 1;
  if (!generations_.empty()) {
    const Generation& newest = generations_.back();
    if (is_same(newest.rosters, rosters)) rosters = newest.rosters;
    if (newest.rosters == rosters && newest.members == members) return false;
    epoch = static_cast<std::uint16_t>(newest.epoch + 1);
  }
  generations_.push_back({epoch, now, std::move(members), std::move(rosters)});
  forget_repeated();
  if (generations_.size() > kMost) generations_.erase(generations_.begin());
  return true;
}

// Of generations with the same rings only the newest says anything: a hop list names a node once, where it
// stood last. So what comes and goes again (a drain, a flap) does not push older owners out.
void Membership::forget_repeated() {
  const Generation& newest = generations_.back();
  const auto last = generations_.end() - 1;
  generations_.erase(std::remove_if(generations_.begin(), last,
                                    [&](const Generation& older) { return has_same_rings(older, newest); }),
                     last);
}

bool Membership::forget_older_than(std::int64_t seconds, std::int64_t now) {
  // A generation was replaced when its successor came.
  std::size_t expired = 0;
  while (expired + 1 < generations_.size() && generations_[expired + 1].time < now - seconds) ++expired;
  generations_.erase(generations_.begin(), generations_.begin() + static_cast<std::ptrdiff_t>(expired));
  return expired != 0;
}

}  // namespace gatehouse::l4
