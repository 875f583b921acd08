// Builds the table or the ring; members without weight have no place in either.
#include "l7/backend/hash_policy.h"

#include <algorithm>

#include "common/maglev.h"

namespace gatehouse::l7 {
namespace {

constexpr std::uint32_t kSlots = 65'537;
constexpr std::uint64_t kPoints = 160;  // of the heaviest member

template <typename Bytes>
std::uint64_t hash_bytes(const Bytes& bytes) {
  std::uint64_t hash = 14695981039346656037ull;  // FNV-1a
  for (const auto byte : bytes) hash = (hash ^ static_cast<std::uint8_t>(byte)) * 1099511628211ull;
  return scramble(hash);
}

}  // namespace

std::uint64_t hash_of(std::string_view text) { return hash_bytes(text); }
std::uint64_t hash_of(const IpAddress& address) { return hash_bytes(address.bytes); }

void HashPolicy::build(std::span<const HashedMember> members) {
  count_ = members.size();
  if (kind_ == Kind::kRing) return build_ring(members);
  std::vector<MaglevMember> all;
  for (const HashedMember& member : members) all.push_back({member.seed, member.weight});
  table_.clear();
  for (const std::uint32_t index : build_maglev(all, kSlots)) {
    if (index == kNoMember) break;  // nobody has weight
    table_.push_back(static_cast<std::uint16_t>(index));
  }
}

void HashPolicy::build_ring(std::span<const HashedMember> members) {
  std::uint64_t heaviest = 1;
  for (const HashedMember& member : members) heaviest = std::max<std::uint64_t>(heaviest, member.weight);
  points_.clear();
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::uint64_t count = (members[i].weight * kPoints + heaviest - 1) / heaviest;
    for (std::uint64_t k = 0; k < count; ++k)
      points_.emplace_back(scramble(members[i].seed + k * 0x9e3779b97f4a7c15), static_cast<std::uint16_t>(i));
  }
  std::sort(points_.begin(), points_.end());
}

std::size_t HashPolicy::first_point(std::uint64_t hash) const {
  const auto found = std::lower_bound(points_.begin(), points_.end(), std::pair{hash, std::uint16_t{0}});
  return found == points_.end() ? 0 : static_cast<std::size_t>(found - points_.begin());
}

}  // namespace gatehouse::l7
