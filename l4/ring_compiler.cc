#include "l4/ring_compiler.h"

#include <algorithm>
#include <cstring>

namespace gatehouse::l4 {
namespace {

// By rising id, both.
std::vector<RingMember> members_of(const RingCompiler::Step& step) {
  std::vector<RingMember> members;
  const auto add = [&members](const Member& member, std::uint32_t weight) {
    const std::uint64_t claim =
        member.state == MemberState::kActive ? std::uint64_t{weight} * member.factor : 0;
    members.push_back({member.id, weight, claim});
  };
  const std::vector<Member>& all = step.generation->members;
  if (!step.roster) {
    for (const Member& member : all) add(member, member.weight);
    return members;
  }
  auto member = all.begin();
  for (const Roster::Entry& entry : step.roster->entries) {
    while (member != all.end() && member->id < entry.id) ++member;
    if (member == all.end()) break;
    if (member->id == entry.id)
      add(*member, entry.weight == Roster::kOwnWeight ? member->weight : entry.weight);
  }
  return members;
}

// A hop list names a node once, where it stood last.
void add_hop(std::uint64_t& word, std::uint16_t node) {
  std::uint16_t hops[GH_HOPS];
  for (int place = 0; place < GH_HOPS; ++place) {
    hops[place] = gh_slot_hop(word, place);
    if (hops[place] == node) return;
    if (hops[place] != 0) continue;
    hops[place] = node;
    std::fill(hops + place + 1, hops + GH_HOPS, std::uint16_t{0});
    word = gh_slot(hops[0], hops[1], hops[2], hops[3]);
    return;
  }
}

bool has_same_base(std::span<const RingMember> left, std::span<const RingMember> right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const RingMember& one, const RingMember& other) {
                      return one.id == other.id && one.weight == other.weight;
                    });
}

}  // namespace

// How much of `log` is known; what was forgotten before it is forgotten here too. Generations that Membership
// has forgotten between others, or last, stay: a later one of the log has their rings, so that they add no
// owner that is not named already.
std::size_t RingCompiler::align(std::span<const Step> log) {
  const auto is_known = [](const Past& past, const Step& step) {
    return past.epoch == step.generation->epoch && past.time == step.generation->time &&
           past.roster == step.roster;
  };
  const auto first = std::find_if(past_.begin(), past_.end(),
                                  [&](const Past& past) { return !log.empty() && is_known(past, log[0]); });
  std::size_t known = 0;
  bool is_last_known = false;
  for (auto past = first; past != past_.end(); ++past) {
    is_last_known = known < log.size() && is_known(*past, log[known]);
    if (is_last_known) ++known;
  }
  if (is_last_known || (known > 0 && known < log.size())) {
    forget(static_cast<std::size_t>(first - past_.begin()));
    return known;
  }
  past_.clear();
  is_all_touched_ = true;
  owners_.assign(slots_, 0);
  std::fill(owned_.begin(), owned_.end(), 0);
  owned_[0] = slots_;
  return 0;
}

void RingCompiler::forget(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    for (const Left& left : past_[i].left) touched_.push_back(left.slot);
  }
  past_.erase(past_.begin(), past_.begin() + static_cast<std::ptrdiff_t>(count));
}

bool RingCompiler::set_members(std::vector<RingMember> members) {
  if (members == members_ && !past_.empty()) return false;
  if (base_.owners.empty() || !has_same_base(members, members_)) base_ = build_base(members, slots_);
  members_ = std::move(members);
  return true;
}

void RingCompiler::append(const Step& step) {
  std::vector<Left> left;
  if (set_members(members_of(step))) {
    next_owners_.resize(slots_);
    assign_owners(base_, members_, next_owners_);
    constexpr std::uint32_t kBlock = 64;
    for (std::uint32_t begin = 0; begin < slots_; begin += kBlock) {
      const std::uint32_t end = std::min(begin + kBlock, slots_);
      if (std::memcmp(&owners_[begin], &next_owners_[begin], (end - begin) * sizeof owners_[0]) == 0)
        continue;
      for (std::uint32_t slot = begin; slot < end; ++slot) {
        if (owners_[slot] == next_owners_[slot]) continue;
        --owned_[owners_[slot]];
        ++owned_[next_owners_[slot]];
        left.push_back({slot, owners_[slot]});
        touched_.push_back(slot);
      }
    }
    owners_.swap(next_owners_);
  }
  left.shrink_to_fit();
  if (!past_.empty()) past_.back().left = std::move(left);
  past_.push_back({step.generation->epoch, step.generation->time, step.roster, {}});
}

void RingCompiler::set_takers(const Generation& newest) {
  Ids takers;
  for (const Member& member : newest.members) takers[member.id] = member.state != MemberState::kDown;
  const Ids changed = takers ^ takers_;
  takers_ = takers;
  if (changed.none() || is_all_touched_) return;
  for (const Past& past : past_) {
    for (const Left& left : past.left) {
      if (changed[left.owner]) touched_.push_back(left.slot);
    }
  }
}

std::vector<SlotWord> RingCompiler::words_of(std::vector<std::uint32_t> slots) const {
  std::vector<SlotWord> words;
  words.reserve(slots.size());
  for (const std::uint32_t slot : slots) words.push_back({slot, gh_slot(owners_[slot], 0, 0, 0)});
  const bool are_all = words.size() == slots_;
  for (auto past = past_.rbegin(); past != past_.rend(); ++past) {
    auto word = words.begin();
    for (const Left& left : past->left) {
      if (!takers_[left.owner]) continue;
      if (are_all) word = words.begin() + left.slot;
      while (word != words.end() && word->slot < left.slot) ++word;
      if (word == words.end()) break;
      if (word->slot == left.slot) add_hop(word->word, left.owner);
    }
  }
  return words;
}

std::vector<SlotWord> RingCompiler::follow(std::span<const Step> log) {
  touched_.clear();
  is_all_touched_ = past_.empty();
  for (std::size_t next = align(log); next < log.size(); ++next) append(log[next]);
  if (!log.empty()) set_takers(*log.back().generation);
  if (is_all_touched_) {
    touched_.resize(slots_);
    for (std::uint32_t slot = 0; slot < slots_; ++slot) touched_[slot] = slot;
  } else {
    std::sort(touched_.begin(), touched_.end());
    touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  }
  std::vector<SlotWord> words = words_of(std::move(touched_));
  touched_ = {};
  return words;
}

std::vector<std::uint64_t> compile_ring(std::span<const Generation> generations, std::uint32_t slots) {
  std::vector<RingCompiler::Step> log;
  for (const Generation& generation : generations) log.push_back({&generation, nullptr});
  std::vector<std::uint64_t> ring;
  ring.reserve(slots);
  for (const SlotWord& word : RingCompiler(slots).follow(log)) ring.push_back(word.word);
  return ring;
}

std::uint64_t ring_digest(std::span<const std::uint64_t> ring) {
  std::uint64_t digest = 14695981039346656037ull;  // FNV-1a, by words
  for (const std::uint64_t slot : ring) digest = (digest ^ slot) * 1099511628211ull;
  return digest;
}

}  // namespace gatehouse::l4
