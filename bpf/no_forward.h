/* The hooks that only a front door needs, for programs that are none: the node's, the probe's, the benchmark's. */
#pragma once

#include "bpf/hooks.h"

static inline const __u64 *gh_get_slot(struct gh_tables *tables, __u32 index) {
  (void)tables, (void)index;
  return 0;
}
static inline struct gh_cpu *gh_get_cpu(struct gh_tables *tables) {
  (void)tables;
  return 0;
}
