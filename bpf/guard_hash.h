/* Where rules and buckets stand. Readers and writers ask the same functions. High bits of a hash are the best ones. */
#pragma once

#include "bpf/hash.h"

static inline __u64 gh_prefix_hash(const struct gh_guard *guard, __u64 high, __u64 low, __u64 length) {
  const __u64 hash = gh_mix(high ^ length * 0x9e3779b97f4a7c15ULL, guard->key[0]);
  return gh_mix(hash ^ low, guard->key[1]) * (guard->key[2] | 1);
}
static inline __u32 gh_prefix_line_of(const struct gh_guard *guard, __u64 hash) {
  return (__u32)(hash >> 32) & guard->prefix_mask;
}

/* Where the hashed bits of an IPv6 address stand: the word is its /32's, two bits in it are its /32's and two its /48's.
 * Multiply-shift as in hash.h. */
static inline __u64 gh_two_bits(__u64 hash) { return 1ULL << (hash >> 58) | 1ULL << (hash >> 52 & 63); }
static inline __u64 gh_v6_hash_of_32(const struct gh_guard *guard, __u64 high) { return (high >> 32) * guard->key[2]; }
static inline __u32 gh_v6_word(const struct gh_guard *guard, __u64 hash_of_32) { return (__u32)(hash_of_32 >> 32) >> guard->v6_shift; }
static inline __u64 gh_v6_bits_of_32(__u64 hash_of_32) { return gh_two_bits(hash_of_32 << 17); } /* the rest of the same hash */
static inline __u64 gh_v6_bits_of_48(const struct gh_guard *guard, __u64 high) { return gh_two_bits((high >> 16) * guard->key[0]); }

/* `kind` names a limit, a family and what is counted. */
static inline __u64 gh_source_hash(const struct gh_guard *guard, __u64 source, __u64 kind) {
  return gh_mix(gh_mix(source, guard->key[0]) ^ kind, guard->key[2]);
}
