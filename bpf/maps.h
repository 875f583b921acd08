/* The kernel adapter of the packet core: tables as memory-mapped arrays. How packets are moved is xdp.h's. The
 * counts that depend on the machine or the config (CPUs, slots) are set by the loader before the load. */
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/hooks.h"

#define GH_ARRAY(name, value_type, count)  \
  struct {                                 \
    __uint(type, BPF_MAP_TYPE_ARRAY);      \
    __uint(map_flags, BPF_F_MMAPABLE);     \
    __uint(max_entries, count);            \
    __type(key, __u32);                    \
    __type(value, value_type);             \
  } name SEC(".maps")

/* Its size says which layout the tables have that are pinned with it: what does not fit is not adopted. */
GH_ARRAY(layout, __u8, GH_LAYOUT);
GH_ARRAY(state, struct gh_state, 1);

static inline __u16 gh_load16(const void *from) { return *(const __u16 *)from; }
static inline __u32 gh_load32(const void *from) { return *(const __u32 *)from; }
static inline __u64 gh_load64(const void *from) { return *(const __u64 *)from; }
static inline void gh_store16(void *to, __u16 value) { *(__u16 *)to = value; }
static inline void gh_store32(void *to, __u32 value) { *(__u32 *)to = value; }
static inline void gh_store64(void *to, __u64 value) { *(__u64 *)to = value; }

static inline __attribute__((always_inline)) const struct gh_state *gh_get_state(struct gh_tables *tables) {
  const __u32 zero = 0;
  (void)tables;
  return (const struct gh_state *)bpf_map_lookup_elem(&state, &zero);
}
static inline __u64 gh_now(void) { return bpf_ktime_get_coarse_ns(); }

/* The clock of flows, limits and cookies. */
static inline __u64 gh_get_ticks(struct gh_tables *tables) {
  (void)tables;
  return bpf_jiffies64();
}

static inline __attribute__((always_inline)) __u32 gh_sum_words(const __u8 *from, __u32 length) {
  const __u32 most = 512; /* of the helper */
  __u32 offset, sum = 0;
#pragma unroll
  for (offset = 0; offset < length; offset += most) {
    const __u32 size = length - offset < most ? length - offset : most;
    sum = (__u32)bpf_csum_diff(0, 0, (__be32 *)(from + offset), size, sum);
  }
  return sum;
}
