/* Where rules and buckets stand. Readers and writers ask the same functions. High bits of a hash are the best ones. */
#pragma once

#include "bpf/abi_guard.h"
#include "bpf/hash.h"

static inline __u64 gh_prefix_hash(const struct gh_guard *guard, __u64 high, __u64 low, __u64 length) {
  const __u64 hash = gh_mix(high ^ length * 0x9e3779b97f4a7c15ULL, guard->key[0]);
  return gh_mix(hash ^ low, guard->key[1]) * (guard->key[2] | 1);
}
static inline __u32 gh_prefix_line_of(const struct gh_guard *guard, __u64 hash) {
  return (__u32)(hash >> 32) & guard->prefix_mask;
}

/* The bit, from 0 on, of a /32 or /48 (the rest of `high` cleared) among the hashed ones. Multiply-shift as in hash.h. */
static inline __u32 gh_v6_filter_bit(const struct gh_guard *guard, __u64 high) {
  return (__u32)((high >> 16) * guard->key[2] >> guard->v6_filter_shift);
}

/* `kind` names a limit, a family and what is counted. */
static inline __u64 gh_source_hash(const struct gh_guard *guard, __u64 source, __u64 kind) {
  return gh_mix(gh_mix(source, guard->key[0]) ^ kind, guard->key[2]);
}
