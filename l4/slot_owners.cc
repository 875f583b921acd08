#include "l4/slot_owners.h"

#include <algorithm>
#include <utility>

#include "bpf/abi.h"
#include "common/check.h"
#include "common/maglev.h"
#include "common/scramble.h"

namespace gatehouse::l4 {
namespace {

// A slot's walk looks at so many places of the base; with half of the members there it ends after two.
constexpr int kPatience = 64;

// By id: how many of its base slots a member keeps, and how many more it may get, at first and at most.
struct Quotas {
  std::vector<std::uint32_t> keep = std::vector<std::uint32_t>(GH_MAX_NODES);
  std::vector<std::uint32_t> first = std::vector<std::uint32_t>(GH_MAX_NODES);
  std::vector<std::uint32_t> most = std::vector<std::uint32_t>(GH_MAX_NODES);
  std::uint64_t first_left = 0;  // sum of `first`
};

// A claim to 65.5 slots is to 65 of them, and to one more when there is one. A member that has 65 or 66 keeps
// what it has; one that has more keeps 65, and leaves the rest to those that have too few.
Quotas make_quotas(const BaseRing& base, std::span<const RingMember> members, unsigned __int128 sum) {
  Quotas quotas;
  const std::uint64_t slots = base.owners.size();
  for (const RingMember& member : members) {
    const unsigned __int128 due = static_cast<unsigned __int128>(member.claim) * slots;
    const auto whole = static_cast<std::uint32_t>(due / sum);
    const std::uint32_t most = whole + (due % sum != 0 ? 1 : 0);
    const std::uint32_t has = base.counts[member.id];
    const std::uint32_t keep = has <= most ? has : whole;
    quotas.keep[member.id] = keep;
    quotas.first[member.id] = whole > keep ? whole - keep : 0;
    quotas.most[member.id] = most - keep;
    quotas.first_left += quotas.first[member.id];
  }
  return quotas;
}

// Gives slots without an owner to members with room, one after the other.
class Filler {
 public:
  Filler(const BaseRing& base, std::span<const RingMember> members, Quotas& quotas)
      : base_(base),
        members_(members),
        quotas_(quotas),
        room_(quotas.first_left ? &quotas.first : &quotas.most) {}

  std::uint16_t fill(std::uint32_t slot) {
    if (room_ == &quotas_.first && quotas_.first_left == 0) {
      room_ = &quotas_.most;
      with_room_.clear();
    }
    const std::uint16_t id = choose(slot);
    if (quotas_.first[id] > 0) {
      --quotas_.first[id];
      --quotas_.first_left;
    }
    --quotas_.most[id];
    return id;
  }

 private:
  std::uint16_t choose(std::uint32_t slot) {
    const auto slots = static_cast<std::uint32_t>(base_.owners.size());
    const std::uint64_t number = scramble(slot);
    const auto step = static_cast<std::uint32_t>((number >> 32) % (slots - 1) + 1);
    std::uint32_t place = static_cast<std::uint32_t>(number) % slots;
    for (int looked = 0; looked < kPatience; ++looked) {
      const std::uint16_t id = base_.owners[place];
      if ((*room_)[id] > 0) return id;
      place += step;
      if (place >= slots) place -= slots;
    }
    return choose_any(scramble(number));
  }

  // Where those with room are few, or hardly in the base: plain consistent hashing, so that here, too, one member more or less
  // moves little.
  std::uint16_t choose_any(std::uint64_t number) {
    if (with_room_.empty()) {
      for (const RingMember& member : members_) {
        if ((*room_)[member.id] > 0) with_room_.emplace_back(scramble(member.id), member.id);
      }
      std::sort(with_room_.begin(), with_room_.end());
    }
    for (;;) {
      GH_CHECK(!with_room_.empty());  // the claims are to all slots: whole parts, and one more for each rest
      auto next = std::lower_bound(with_room_.begin(), with_room_.end(), std::pair(number, std::uint16_t{0}));
      if (next == with_room_.end()) next = with_room_.begin();
      if ((*room_)[next->second] > 0) return next->second;
      with_room_.erase(next);
    }
  }

  const BaseRing& base_;
  std::span<const RingMember> members_;
  Quotas& quotas_;
  std::vector<std::uint32_t>* room_;
  std::vector<std::pair<std::uint64_t, std::uint16_t>> with_room_;  // by hash
};

}  // namespace

BaseRing build_base(std::span<const RingMember> members, std::uint32_t slots) {
  std::vector<MaglevMember> walkers;
  walkers.reserve(members.size());
  for (const RingMember& member : members) walkers.push_back({member.id, member.weight});
  BaseRing base{std::vector<std::uint16_t>(slots), std::vector<std::uint32_t>(GH_MAX_NODES)};
  const std::vector<std::uint32_t> ring = build_maglev(walkers, slots);
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    if (ring[slot] == kNoMember) break;  // then everywhere
    ++base.counts[base.owners[slot] = members[ring[slot]].id];
  }
  return base;
}

void assign_owners(const BaseRing& base, std::span<const RingMember> members,
                   std::span<std::uint16_t> owners) {
  GH_CHECK(owners.size() == base.owners.size());
  unsigned __int128 sum = 0;
  for (const RingMember& member : members) sum += member.claim;
  if (sum == 0) return std::fill(owners.begin(), owners.end(), std::uint16_t{0});
  Quotas quotas = make_quotas(base, members, sum);
  std::vector<std::uint32_t> without;
  for (std::uint32_t slot = 0; slot < owners.size(); ++slot) {
    const std::uint16_t id = base.owners[slot];
    if (quotas.keep[id] > 0) {
      --quotas.keep[id];
      owners[slot] = id;
    } else {
      without.push_back(slot);
    }
  }
  Filler filler(base, members, quotas);
  for (const std::uint32_t slot : without) owners[slot] = filler.fill(slot);
}

}  // namespace gatehouse::l4
