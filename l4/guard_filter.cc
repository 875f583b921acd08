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
void set_run(std::span<__u64> words, std::size_t first, std::size_t count) {
  if (count < 64) return set_bits<__u64>(words[first / 64], ((1ull << count) - 1) << first % 64);
  for (std::size_t word = first / 64; word < (first + count) / 64; ++word)
    set_bits<__u64>(words[word], ~__u64{0});
}

void add_v4(const GuardTables& tables, std::uint32_t address, unsigned length) {
  set_run(tables.guard->v4_coarse, address >> 12, std::size_t{1} << (20 - std::min(length, 20u)));
  const std::size_t filter_run = std::size_t{1} << (24 - std::min(length, 24u));
  set_run(tables.guard->v4_filter, address >> 8, filter_run);
  const std::size_t block_run = std::size_t{1} << (16 - std::min(length, 16u));
  for (std::size_t block = address >> 16; block < (address >> 16) + block_run; ++block) {
    set_bits(tables.v4_lengths[block], std::uint64_t{1} << (32 - length));
  }
}

void set_hashed(gh_guard& guard, std::uint64_t high, std::uint64_t bits) {
  set_bits<__u64>(guard.v6_hashed[gh_v6_word(&guard, gh_v6_hash_of_32(&guard, high))], bits);
}

void add_v6(const GuardTables& tables, std::uint64_t high, unsigned length) {
  // The length before the bits that lead to it.
  if (length == 0) {
    set_bits(tables.guard->v6_has_default, 1u);
  } else {
    set_bits(tables.guard->v6_lengths[length <= 64 ? 1 : 0],
             __u64{1} << (length <= 64 ? 64 - length : 128 - length));
  }
  if (length < GH_V6_SHORTEST_HASHED) {
    set_run(tables.guard->v6_exact, high >> 48, std::size_t{1} << (16 - std::min(length, 16u)));
    return set_bits(tables.guard->v6_has_short, 1u);
  }
  gh_guard& guard = *tables.guard;
  if (length >= 48) {
    set_hashed(guard, high, gh_v6_bits_of_48(&guard, high));
  } else {
    const std::uint64_t blocks = 1ull << (32 - std::min(length, 32u));
    for (std::uint64_t block = 0; block < blocks; ++block) {
      const std::uint64_t each = high + (block << 32);
      set_hashed(guard, each, gh_v6_bits_of_32(gh_v6_hash_of_32(&guard, each)));
    }
  }
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

void mark_bogus_sources(gh_guard& guard) {
  const auto mark = [&guard](std::size_t octet, std::size_t octets) {
    set_run(guard.v4_coarse, octet << 12, octets << 12);
    set_run(guard.v4_filter, octet << 16, octets << 16);
  };
  mark(0, 1), mark(127, 1), mark(224, 32);
}

TightFilter::TightFilter(const GuardTables& tables)
    : guard_(std::make_unique<gh_guard>()), v4_lengths_(tables.v4_lengths.size()), aside_(tables) {
  std::copy(std::begin(tables.guard->key), std::end(tables.guard->key), guard_->key);
  guard_->v6_shift = tables.guard->v6_shift;
  mark_bogus_sources(*guard_);
  aside_.set_guard(guard_.get());
  aside_.v4_lengths = v4_lengths_;
}

void TightFilter::copy_to(const GuardTables& tables) const {
  gh_guard& guard = *tables.guard;
  copy_words<__u64>(guard_->v4_coarse, guard.v4_coarse);
  copy_words<__u64>(guard_->v4_filter, guard.v4_filter);
  copy_words<std::uint64_t>(v4_lengths_, tables.v4_lengths);
  copy_words<__u64>(guard_->v6_exact, guard.v6_exact);
  copy_words<__u64>(guard_->v6_hashed, guard.v6_hashed);
  copy_words<__u64>(guard_->v6_lengths, guard.v6_lengths);
  copy_words<__u32>(std::span(&guard_->v6_has_short, 1), std::span(&guard.v6_has_short, 1));
  copy_words<__u32>(std::span(&guard_->v6_has_default, 1), std::span(&guard.v6_has_default, 1));
}

}  // namespace gatehouse::l4
