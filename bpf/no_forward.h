/* The hooks that only a front door needs, for programs that are none: the node's, the probe's, the benchmark's. */
#pragma once

#include "bpf/hooks.h"

static inline const struct gh_group *gh_get_group(struct gh_tables *tables, __u32 index) {
  (void)tables, (void)index;
  return 0;
}
static inline const __u64 *gh_get_slot(struct gh_tables *tables, __u32 index) {
  (void)tables, (void)index;
  return 0;
}
static inline void gh_count_vip(struct gh_tables *tables, __u32 vip, __u32 bytes) { (void)tables, (void)vip, (void)bytes; }
static inline void gh_count_node(struct gh_tables *tables, __u32 id, __u32 bytes) { (void)tables, (void)id, (void)bytes; }
