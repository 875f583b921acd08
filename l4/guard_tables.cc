#include "l4/guard_tables.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "common/check.h"

namespace gatehouse::l4 {

// Two lines, of two places each, for every rule: while all lists change, old and new ones fill half of the places, so that a rule
// stands in its own line or near it.
std::uint32_t GuardSizes::prefix_lines() const { return 2 * std::bit_ceil(std::max(prefixes, 1'024u)); }
std::uint32_t GuardSizes::bucket_lines() const { return std::bit_ceil(std::max(sources / GH_BUCKET_WAYS, 128u)); }
// Sixteen bits for every rule: one address in sixteen, of those that no rule concerns, looks further for nothing.
std::uint32_t GuardSizes::v6_filter_words() const { return GH_V6_EXACT_WORDS + std::max(prefix_lines() / 8, 1'024u); }

void prepare_guard(const GuardTables& tables, std::uint32_t tick_multiplier) {
  gh_guard& guard = *tables.guard;
  GH_CHECK(std::has_single_bit(tables.prefix_lines.size()) && std::has_single_bit(tables.bucket_lines.size()));
  GH_CHECK(std::has_single_bit(tables.v6_filter.size() - GH_V6_EXACT_WORDS));
  if (guard.key[0] == 0) GH_CHECK(getrandom(guard.key, sizeof guard.key, 0) == sizeof guard.key);
  for (__u64& word : guard.key) word |= 1;
  guard.prefix_mask = static_cast<std::uint32_t>(tables.prefix_lines.size() - 1);
  guard.bucket_mask = static_cast<std::uint32_t>(tables.bucket_lines.size() - 1);
  guard.v6_filter_shift = static_cast<std::uint32_t>(std::countl_zero(tables.v6_filter.size() - GH_V6_EXACT_WORDS) - 5);
  guard.tick = (std::uint64_t{GH_BUCKET_UNITS} * tick_multiplier + (1u << 31)) >> 32 << 24;
}

struct GuardMemory::Memory {
  explicit Memory(const GuardSizes& sizes)
      : prefix_lines(sizes.prefix_lines()), v6_filter(sizes.v6_filter_words()), bucket_lines(sizes.bucket_lines()) {}

  gh_guard guard{};
  std::vector<gh_policy> policies = std::vector<gh_policy>(GH_MAX_POLICIES);
  std::vector<gh_prefix_list> lists = std::vector<gh_prefix_list>(GH_PREFIX_LISTS);
  std::vector<gh_prefix_line> prefix_lines;
  std::vector<std::uint64_t> v4_filter = std::vector<std::uint64_t>(GH_V4_FILTER_WORDS);
  std::vector<std::uint64_t> v4_lengths = std::vector<std::uint64_t>(GH_V4_BLOCKS);
  std::vector<std::uint64_t> v6_filter;
  std::vector<gh_bucket_line> bucket_lines;
  std::vector<gh_sketch_line> sketch_lines = std::vector<gh_sketch_line>(GH_SKETCH_LINES);
};

GuardMemory::GuardMemory(const GuardSizes& sizes, std::uint32_t tick_multiplier) : memory_(std::make_unique<Memory>(sizes)) {
  Memory& memory = *memory_;
  tables_ = {&memory.guard,     memory.policies,   memory.lists,     memory.prefix_lines,
             memory.v4_filter,  memory.v4_lengths, memory.v6_filter, memory.bucket_lines,
             memory.sketch_lines};
  prepare_guard(tables_, tick_multiplier);
}

GuardMemory::~GuardMemory() = default;

}  // namespace gatehouse::l4
