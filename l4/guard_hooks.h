// The hooks of bpf/guard.h over l4::GuardTables. Only for the file that builds the packet core for user
// space.
#pragma once

#include "bpf/guard_limit.h"
#include "bpf/guard_prefix.h"
#include "bpf/syn_cookie.h"
#include "l4/user_hooks.h"

static inline const gh_prefix_line* gh_get_prefix_line(gh_tables* tables, __u32 index) {
  return at(tables->in.guard.prefix_lines, index);
}
static inline const __u64* gh_get_v4_lengths(gh_tables* tables, __u32 index) {
  return reinterpret_cast<const __u64*>(at(tables->in.guard.v4_lengths, index));
}
static inline gh_bucket_line* gh_get_bucket_line(gh_tables* tables, __u32 index) {
  return at(tables->in.guard.bucket_lines, index);
}
static inline gh_sketch_line* gh_get_sketch_line(gh_tables* tables, __u32 index) {
  return at(tables->in.guard.sketch_lines, std::size_t{tables->cpu} * GH_SKETCH_LINES + index);
}

static inline __u32 gh_find_rule(gh_tables* tables, __u64 high, __u64 low, __u64 length) {
  return gh_probe_rule(tables, tables->in.guard.guard, high, low, length);
}
static inline __u32 gh_find_lists(gh_tables* tables, const gh_wide* address, int is_v4, __u32 wanted) {
  return gh_search_rules(tables, tables->in.guard.guard, address, is_v4, wanted);
}
static inline __u32 gh_take(gh_tables* tables, __u64 hash, const gh_rate* rate, __u64 now) {
  return gh_charge(tables, tables->in.guard.guard, hash, rate, now);
}

// A node in user space exists for tests and fuzzers, and so do its cookies: no kernel knows them.
static inline gh_cookies* gh_get_cookies(gh_tables* tables) { return tables->in.guard.cookies; }
static inline gh_handshake* gh_get_handshake(gh_tables*) {
  static thread_local gh_handshake handshake;
  return &handshake;
}
static inline __s64 gh_make_cookie(gh_packet*, const gh_connection*, __u8*, __u8* header, __u32 length) {
  return length >= 20 ? header[1] << 16 | 1 : -1;
}
static inline __u32 gh_get_tcp_clock() { return 0x12345678; }
static inline void gh_repeat(__u32 count, long (*step)(__u32, void*), void* context) {
  for (__u32 i = 0; i < count && step(i, context) == 0; ++i) continue;
}
