/* The front door's adapter: its tables as BPF maps, and what becomes of a packet that the core has had. For the XDP programs
 * of an L4 host. */
#pragma once

#include "bpf/guard_maps.h"
#include "bpf/maps.h"
#include "bpf/service_maps.h"

GH_ARRAY(groups, struct gh_group, GH_MAX_GROUPS);
GH_ARRAY(slots, __u64, 1);
GH_ARRAY(vip_traffic, struct gh_traffic, GH_MAX_VIPS);
GH_ARRAY(node_traffic, struct gh_traffic, GH_MAX_NODES);

static inline const struct gh_group *gh_get_group(struct gh_tables *tables, __u32 index) {
  (void)tables;
  return (const struct gh_group *)bpf_map_lookup_elem(&groups, &index);
}
static inline const __u64 *gh_get_slot(struct gh_tables *tables, __u32 index) {
  (void)tables;
  return (const __u64 *)bpf_map_lookup_elem(&slots, &index);
}
static inline void gh_count_vip(struct gh_tables *tables, __u32 vip, __u32 bytes) {
  const __u32 index = bpf_get_smp_processor_id() * GH_MAX_VIPS + vip;
  struct gh_traffic *traffic = (struct gh_traffic *)bpf_map_lookup_elem(&vip_traffic, &index);
  (void)tables;
  if (traffic) {
    ++traffic->packets;
    traffic->bytes += bytes;
  }
}
static inline void gh_count_node(struct gh_tables *tables, __u32 id, __u32 bytes) {
  const __u32 index = bpf_get_smp_processor_id() * GH_MAX_NODES + id;
  struct gh_traffic *traffic = (struct gh_traffic *)bpf_map_lookup_elem(&node_traffic, &index);
  (void)tables;
  if (traffic) {
    ++traffic->packets;
    traffic->bytes += bytes;
  }
}

/* Another operator's XDP program, which gets what is not a VIP's. Empty unless configured; an empty place costs nothing. */
struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} next_program SEC(".maps");

#include "bpf/forward.h"

static inline int gh_leave(struct xdp_md *context, enum gh_verdict verdict) {
  if (verdict == GH_NOT_VIP) bpf_tail_call(context, &next_program, 0);
  return gh_xdp_action(gh_action_of(verdict));
}
