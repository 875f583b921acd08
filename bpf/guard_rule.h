/* One rule in the hash of rules: where it may stand, and whether it is there. */
#pragma once

#include "bpf/guard_hash.h"
#include "bpf/hooks.h"

/* The lists that have this rule, 0 when none has. */
static inline __u32 gh_probe_rule(struct gh_tables *tables, const struct gh_guard *guard, __u64 high, __u64 low, __u64 length) {
  const __u32 first = gh_prefix_line_of(guard, gh_prefix_hash(guard, high, low, length));
  __u32 probe;
  for (probe = 0; probe < GH_PREFIX_PROBES; ++probe) {
    const struct gh_prefix_line *line = gh_get_prefix_line(tables, (first + probe) & guard->prefix_mask);
    if (!line) return 0;
    if (line->key[0].length == length && line->key[0].prefix.low == low && line->key[0].prefix.high == high) return line->lists[0];
    if (line->key[1].length == length && line->key[1].prefix.low == low && line->key[1].prefix.high == high) return line->lists[1];
    if (line->overflow == 0) return 0;
  }
  return 0;
}
