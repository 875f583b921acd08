#include "l4/guard_filter.h"

#include <algorithm>
#include <atomic>
#include <bit>

#include "bpf/guard_hash.h"
#include "l4/guard_rules.h"

namespace gatehouse::l4 {
namespace {

template <typename T>
void set_bits(T& word, T bits) {
  if ((word & bits) != bits) std::atomic_ref<T>(word).store(word | bits, std::memory_order_release);
}

// Bits [first, first + count), the count a power of two that divides the first.
void set_run(std::span<std::uint64_t> words, std::size_t first, std::size_t count) {
  if (count < 64) return set_bits(words[first / 64], std::uint64_t{((1ull << count) - 1) << first % 64});
  for (std::size_t word = first / 64; word < (first + count) / 64; ++word) set_bits(words[word], ~std::uint64_t{0});
}

void add_v4(const GuardTables& tables, std::uint32_t address, unsigned length) {
  const std::size_t filter_run = std::size_t{1} << (24 - std::min(length, 24u));
  set_run(tables.v4_filter, address >> 8, filter_run);
  const std::size_t block_run = std::size_t{1} << (16 - std::min(length, 16u));
  for (std::size_t block = address >> 16; block < (address >> 16) + block_run; ++block) {
    set_bits(tables.v4_lengths[block], std::uint64_t{1} << (32 - length));
  }
}

void set_hashed(const GuardTables& tables, std::uint64_t high) {
  const std::uint32_t bit = gh_v6_filter_bit(tables.guard, high);
  set_bits(tables.v6_filter[GH_V6_EXACT_WORDS + bit / 64], std::uint64_t{1} << bit % 64);
}

void add_v6(const GuardTables& tables, std::uint64_t high, unsigned length) {
  // The length before the bits that lead to it.
  if (length == 0) {
    set_bits(tables.guard->v6_has_default, 1u);
  } else {
    set_bits(tables.guard->v6_lengths[length <= 64 ? 1 : 0], __u64{1} << (length <= 64 ? 64 - length : 128 - length));
  }
  if (length < GH_V6_SHORTEST_HASHED) {
    set_run(tables.v6_filter, high >> 48, std::size_t{1} << (16 - std::min(length, 16u)));
    return set_bits<__u32>(tables.guard->v6_classes, GH_V6_SHORT);
  }
  if (length >= 48) {
    set_hashed(tables, high & ~0xffffull);
    return set_bits<__u32>(tables.guard->v6_classes, GH_V6_LONG);
  }
  const std::uint64_t blocks = 1ull << (32 - std::min(length, 32u));
  for (std::uint64_t block = 0; block < blocks; ++block) set_hashed(tables, (high & ~0xffffffffull) + (block << 32));
  set_bits<__u32>(tables.guard->v6_classes, GH_V6_MIDDLE);
}

template <typename T>
void copy_words(std::span<const T> from, std::span<T> to) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] != to[i]) std::atomic_ref<T>(to[i]).store(from[i], std::memory_order_relaxed);
  }
}

}  // namespace

void add_to_filter(const GuardTables& tables, const gh_prefix_key& rule) {
  const unsigned length = length_of(rule);
  if (is_v4(rule)) return add_v4(tables, static_cast<std::uint32_t>(rule.prefix.low), length - 96);
  add_v6(tables, rule.prefix.high, length);
}

TightFilter::TightFilter(const GuardTables& tables)
    : guard_(*tables.guard),
      v4_filter_(tables.v4_filter.size()),
      v4_lengths_(tables.v4_lengths.size()),
      v6_filter_(tables.v6_filter.size()),
      aside_(tables) {
  guard_.v6_classes = guard_.v6_has_default = 0;
  guard_.v6_lengths[0] = guard_.v6_lengths[1] = 0;
  aside_.guard = &guard_;
  aside_.v4_filter = v4_filter_;
  aside_.v4_lengths = v4_lengths_;
  aside_.v6_filter = v6_filter_;
}

void TightFilter::copy_to(const GuardTables& tables) const {
  gh_guard& guard = *tables.guard;
  copy_words<std::uint64_t>(v4_filter_, tables.v4_filter);
  copy_words<std::uint64_t>(v4_lengths_, tables.v4_lengths);
  copy_words<std::uint64_t>(v6_filter_, tables.v6_filter);
  copy_words<__u64>(guard_.v6_lengths, guard.v6_lengths);
  copy_words<__u32>(std::span(&guard_.v6_classes, 1), std::span(&guard.v6_classes, 1));
  copy_words<__u32>(std::span(&guard_.v6_has_default, 1), std::span(&guard.v6_has_default, 1));
}

}  // namespace gatehouse::l4
