#include "l4/guard_tables.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "common/check.h"
#include "l4/guard_filter.h"

namespace gatehouse::l4 {

// Two lines, of two places each, for every rule: while all lists change, old and new ones fill half of the
// places, so that a rule stands in its own line or near it.
std::uint32_t GuardSizes::prefix_lines() const { return 2 * std::bit_ceil(std::max(prefixes, 1'024u)); }
std::uint32_t GuardSizes::bucket_lines() const {
  return std::bit_ceil(std::max(sources / GH_BUCKET_WAYS, 128u));
}

void prepare_guard(const GuardTables& tables, std::uint32_t tick_multiplier) {
  gh_guard& guard = *tables.guard;
  GH_CHECK(std::has_single_bit(tables.prefix_lines.size()) &&
           std::has_single_bit(tables.bucket_lines.size()));
  if (guard.key[0] == 0) GH_CHECK(getrandom(guard.key, sizeof guard.key, 0) == sizeof guard.key);
  for (__u64& word : guard.key) word |= 1;
  guard.prefix_mask = static_cast<std::uint32_t>(tables.prefix_lines.size() - 1);
  guard.bucket_mask = static_cast<std::uint32_t>(tables.bucket_lines.size() - 1);
  // 16 bits for every rule, while there is room: few addresses that no rule concerns look further for
  // nothing.
  const auto words = std::clamp<std::uint32_t>((guard.prefix_mask + 1) / 8, 1'024, GH_V6_HASHED_WORDS);
  guard.v6_shift = static_cast<std::uint32_t>(32 - std::bit_width(words - 1));
  mark_bogus_sources(guard);
  guard.tick = (std::uint64_t{GH_BUCKET_UNITS} * tick_multiplier + (1u << 31)) >> 32 << 24;
}

struct GuardMemory::Memory {
  explicit Memory(const GuardSizes& sizes)
      : prefix_lines(sizes.prefix_lines()), bucket_lines(sizes.bucket_lines()) {}

  std::vector<gh_prefix_list> lists = std::vector<gh_prefix_list>(GH_PREFIX_LISTS);
  std::vector<gh_prefix_line> prefix_lines;
  std::vector<std::uint64_t> v4_lengths = std::vector<std::uint64_t>(GH_V4_BLOCKS);
  std::vector<gh_bucket_line> bucket_lines;
  std::vector<gh_sketch_line> sketch_lines = std::vector<gh_sketch_line>(GH_SKETCH_LINES);
};

GuardMemory::GuardMemory(gh_guard& guard, const GuardSizes& sizes, std::uint32_t tick_multiplier)
    : memory_(std::make_unique<Memory>(sizes)) {
  tables_.set_guard(&guard);
  tables_.lists = memory_->lists;
  tables_.prefix_lines = memory_->prefix_lines;
  tables_.v4_lengths = memory_->v4_lengths;
  tables_.bucket_lines = memory_->bucket_lines;
  tables_.sketch_lines = memory_->sketch_lines;
  prepare_guard(tables_, tick_multiplier);
}

GuardMemory::~GuardMemory() = default;

}  // namespace gatehouse::l4
