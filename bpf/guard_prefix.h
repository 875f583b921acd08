/* Prefix rules: which lists name the longest prefix of an address. See abi_guard.h for the tables. */
#pragma once

#include "bpf/guard_rule.h"

static inline struct gh_wide gh_widen(const struct gh_address *address) {
  const struct gh_wide wide = {__builtin_bswap64(address->high), __builtin_bswap64(address->low)};
  return wide;
}

/* The lists of the longest prefix among `lengths` that one of `wanted` names. */
static inline __u32 gh_find_low(struct gh_tables *tables, const struct gh_wide *address, __u64 lengths, __u32 wanted) {
  int i;
  for (i = 0; i < 64 && lengths; ++i) {
    const __u64 bit = lengths & -lengths;
    const __u32 lists = gh_find_rule(tables, address->high, address->low & -bit, gh_low_length(bit)) & wanted;
    if (lists) return lists;
    lengths ^= bit;
  }
  return 0;
}

static inline __u32 gh_find_high(struct gh_tables *tables, const struct gh_wide *address, __u64 lengths, __u32 wanted) {
  int i;
  for (i = 0; i < 64 && lengths; ++i) {
    const __u64 bit = lengths & -lengths;
    const __u32 lists = gh_find_rule(tables, address->high & -bit, 0, gh_high_length(bit)) & wanted;
    if (lists) return lists;
    lengths ^= bit;
  }
  return 0;
}

/* The lists of the longest rule that concerns an address and that one of `wanted` names; 0: none. */
static inline __u32 gh_search_rules(struct gh_tables *tables, const struct gh_guard *guard, const struct gh_wide *address,
                                    int is_v4, __u32 wanted) {
  __u32 lists;
  if (is_v4) {
    const __u64 *lengths = gh_get_v4_lengths(tables, (__u32)address->low >> 16);
    return lengths ? gh_find_low(tables, address, *lengths, wanted) : 0;
  }
  lists = gh_find_low(tables, address, guard->v6_lengths[0], wanted);
  if (lists) return lists;
  lists = gh_find_high(tables, address, guard->v6_lengths[1], wanted);
  if (lists) return lists;
  return guard->v6_has_default ? gh_find_rule(tables, 0, 0, GH_DEFAULT_LENGTH) & wanted : 0;
}

GH_INLINE int gh_is_v4_concerned(const struct gh_guard *guard, const struct gh_wide *address) {
  const __u32 large = (__u32)address->low >> 12, block = (__u32)address->low >> 8;
  if (!(guard->v4_coarse[gh_within(large >> 6, GH_V4_COARSE_WORDS)] >> (large & 63) & 1)) return 0;
  return guard->v4_filter[gh_within(block >> 6, GH_V4_FILTER_WORDS)] >> (block & 63) & 1;
}

GH_INLINE int gh_is_v6_concerned(const struct gh_guard *guard, const struct gh_wide *address) {
  const __u64 high = address->high, hash = gh_v6_hash_of_32(guard, high);
  const __u64 missing = ~guard->v6_hashed[gh_within(gh_v6_word(guard, hash), GH_V6_HASHED_WORDS)];
  if (guard->v6_has_short && (guard->v6_exact[gh_within(high >> 54, GH_V6_EXACT_WORDS)] >> (high >> 48 & 63) & 1)) return 1;
  return (missing & gh_v6_bits_of_32(hash)) == 0 || (missing & gh_v6_bits_of_48(guard, high)) == 0;
}

/* Whether a rule may concern the address: false only when none does. */
GH_INLINE int gh_is_concerned(const struct gh_guard *guard, const struct gh_wide *address, int is_v4) {
  return is_v4 ? gh_is_v4_concerned(guard, address) : gh_is_v6_concerned(guard, address);
}
