/* Protection's tables as BPF maps, for the front door. Their sizes are set by the loader. */
#pragma once

#include "bpf/guard_limit.h"
#include "bpf/guard_prefix.h"
#include "bpf/maps.h"

GH_ARRAY(prefix_lists, struct gh_prefix_list, GH_PREFIX_LISTS);
GH_ARRAY(prefix_lines, struct gh_prefix_line, 1);
GH_ARRAY(v4_lengths, __u64, GH_V4_BLOCKS);
GH_ARRAY(bucket_lines, struct gh_bucket_line, 1);
GH_ARRAY(sketch_lines, struct gh_sketch_line, GH_SKETCH_LINES);

#define GH_GUARD_TABLE(type, name, map)                                 \
  static inline type *name(struct gh_tables *tables, __u32 index) {     \
    (void)tables;                                                       \
    return (type *)bpf_map_lookup_elem(&map, &index);                   \
  }
GH_GUARD_TABLE(const struct gh_prefix_line, gh_get_prefix_line, prefix_lines)
GH_GUARD_TABLE(const __u64, gh_get_v4_lengths, v4_lengths)
GH_GUARD_TABLE(struct gh_bucket_line, gh_get_bucket_line, bucket_lines)
#undef GH_GUARD_TABLE

static inline struct gh_sketch_line *gh_get_sketch_line(struct gh_tables *tables, __u32 index) {
  const __u32 place = bpf_get_smp_processor_id() * GH_SKETCH_LINES + index;
  (void)tables;
  return (struct gh_sketch_line *)bpf_map_lookup_elem(&sketch_lines, &place);
}

/* Global functions: the verifier proves them once, not for each way that leads to them. */
GH_GLOBAL __u32 gh_probe_rule_in_maps(__u64 high, __u64 low, __u64 length) {
  const struct gh_state *own = gh_get_state(0);
  return own ? gh_probe_rule(0, &own->guard, high, low, length) : 0;
}
static inline __u32 gh_find_rule(struct gh_tables *tables, __u64 high, __u64 low, __u64 length) {
  (void)tables;
  return gh_probe_rule_in_maps(high, low, length);
}

GH_GLOBAL __u32 gh_search_rules_in_maps(__u64 high, __u64 low, int is_v4, __u32 wanted) {
  const struct gh_state *own = gh_get_state(0);
  const struct gh_wide address = {high, low};
  return own ? gh_search_rules(0, &own->guard, &address, is_v4, wanted) : 0;
}
static inline __u32 gh_find_lists(struct gh_tables *tables, const struct gh_wide *address, int is_v4, __u32 wanted) {
  (void)tables;
  return gh_search_rules_in_maps(address->high, address->low, is_v4, wanted);
}

GH_GLOBAL __u32 gh_charge_in_maps(__u64 hash, __u64 cost, __u64 burst, __u64 now) {
  const struct gh_state *own = gh_get_state(0);
  const struct gh_rate rate = {cost, burst};
  return own ? gh_charge(0, &own->guard, hash, &rate, now) : 0;
}
static inline __u32 gh_take(struct gh_tables *tables, __u64 hash, const struct gh_rate *rate, __u64 now) {
  (void)tables;
  return gh_charge_in_maps(hash, rate->cost, rate->burst, now);
}
