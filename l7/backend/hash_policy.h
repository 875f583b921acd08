// Consistent hashing of requests over the members of a pool: a key keeps its member as long as that may be
// chosen, and when others come or go only the keys that must move do. Members that may not be chosen now
// (down, drained, over their bound) stay in the table: their keys go to the next, each to another one, and
// come back.
//
// "maglev": a table of 65,537 slots (common/maglev.h); "ring-hash": a ring with 160 points for the heaviest
// member and accordingly fewer for others. A pure function of addresses and weights: equal on all workers and
// nodes.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "common/address.h"
#include "common/scramble.h"

namespace gatehouse::l7 {

struct HashedMember {
  std::uint64_t seed = 0;  // who it is
  std::uint32_t weight = 1;
  bool operator==(const HashedMember&) const = default;
};

std::uint64_t hash_of(std::string_view text);
std::uint64_t hash_of(const IpAddress& address);

class HashPolicy {
 public:
  enum class Kind : std::uint8_t { kMaglev, kRing };
  static constexpr std::size_t kNobody = static_cast<std::size_t>(-1);  // as of balancer.h

  explicit HashPolicy(Kind kind) : kind_(kind) {}
  void build(std::span<const HashedMember> members);

  // The first member in the key's order that accept(index) takes; kNobody: it takes none.
  template <typename Accept>
  std::size_t find(std::uint64_t hash, Accept accept) const {
    return kind_ == Kind::kMaglev ? find_in_table(hash, accept) : find_on_ring(hash, accept);
  }

 private:
  static constexpr int kProbes = 64;  // of the table, before members are taken in their order

  template <typename Accept>
  std::size_t find_in_table(std::uint64_t hash, Accept accept) const {
    if (table_.empty()) return kNobody;
    std::size_t index = 0;
    for (int probe = 0; probe < kProbes; ++probe, hash = scramble(hash)) {
      index = table_[hash % table_.size()];
      if (accept(index)) return index;
    }
    return find_after(index, accept);
  }
  template <typename Accept>
  std::size_t find_on_ring(std::uint64_t hash, Accept accept) const {
    if (points_.empty()) return kNobody;
    std::size_t at = first_point(hash);
    for (std::size_t left = points_.size(); left > 0; --left, at = at + 1 == points_.size() ? 0 : at + 1) {
      if (accept(points_[at].second)) return points_[at].second;
    }
    return kNobody;
  }
  template <typename Accept>
  std::size_t find_after(std::size_t index, Accept accept) const {
    for (std::size_t left = count_; left > 0; --left) {
      index = index + 1 >= count_ ? 0 : index + 1;
      if (accept(index)) return index;
    }
    return kNobody;
  }
  void build_ring(std::span<const HashedMember> members);
  std::size_t first_point(std::uint64_t hash) const;

  Kind kind_;
  std::size_t count_ = 0;
  std::vector<std::uint16_t> table_;
  std::vector<std::pair<std::uint64_t, std::uint16_t>> points_;  // by place
};

}  // namespace gatehouse::l7
