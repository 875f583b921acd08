#include "l4/ring_compiler.h"

#include <algorithm>

#include "bpf/abi.h"
#include "common/maglev.h"

namespace gatehouse::l4 {
namespace {

std::vector<Member> owners_of(const Generation& generation) {
  std::vector<Member> owners;
  for (const Member& member : generation.members) {
    if (member.state == MemberState::kActive && member.weight > 0) owners.push_back(member);
  }
  return owners;
}

// A hop list under construction: distinct, newest first.
struct HopList {
  std::uint16_t hops[GH_HOPS] = {};
  int count = 0;

  void add(std::uint16_t node) {
    if (node == 0 || count == GH_HOPS || std::find(hops, hops + count, node) != hops + count) return;
    hops[count++] = node;
  }
  std::uint64_t word() const { return gh_slot(hops[0], hops[1], hops[2], hops[3]); }
};

}  // namespace

const RingCompiler::Built& RingCompiler::build(const Generation& generation) {
  std::vector<Member> owners = owners_of(generation);
  const auto known = std::find_if(cache_.begin(), cache_.end(), [&owners](const Built& built) { return built.owners == owners; });
  if (known != cache_.end()) {
    std::rotate(known, known + 1, cache_.end());
    return cache_.back();
  }

  std::vector<MaglevMember> members;
  for (const Member& owner : owners) members.push_back({owner.id, owner.weight});
  Built built{std::move(owners), std::vector<std::uint16_t>(slots_)};
  const std::vector<std::uint32_t> ring = build_maglev(members, slots_);
  for (std::uint32_t slot = 0; slot < slots_; ++slot) {
    if (ring[slot] != kNoMember) built.ring[slot] = built.owners[ring[slot]].id;
  }
  if (cache_.size() > Membership::kMost) cache_.erase(cache_.begin());
  cache_.push_back(std::move(built));
  return cache_.back();
}

std::vector<std::uint64_t> RingCompiler::compile(std::span<const Generation> generations) {
  std::vector<std::uint64_t> slots(slots_);
  if (generations.empty()) return slots;
  std::vector<bool> can_take(GH_MAX_NODES);
  for (const Member& member : generations.back().members) can_take[member.id] = member.state != MemberState::kDown;

  // build() may move what it returned before: keep copies of the few generations that matter, newest first. Asked for from
  // the oldest on, so that what the cache gives up is what the history gave up.
  const auto recent = generations.last(std::min(generations.size(), Membership::kMost));
  std::vector<std::vector<std::uint16_t>> rings(recent.size());
  for (std::size_t i = 0; i < recent.size(); ++i) rings[recent.size() - 1 - i] = build(recent[i]).ring;

  for (std::uint32_t slot = 0; slot < slots_; ++slot) {
    HopList list;
    list.add(rings.front()[slot]);
    for (std::size_t i = 1; i < rings.size(); ++i) {
      if (can_take[rings[i][slot]]) list.add(rings[i][slot]);
    }
    slots[slot] = list.word();
  }
  return slots;
}

std::uint64_t ring_digest(std::span<const std::uint64_t> ring) {
  std::uint64_t digest = 14695981039346656037ull;  // FNV-1a, by words
  for (const std::uint64_t slot : ring) digest = (digest ^ slot) * 1099511628211ull;
  return digest;
}

}  // namespace gatehouse::l4
