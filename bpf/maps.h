/* The kernel adapter of the packet core: tables as memory-mapped arrays, XDP's way of moving the packet's start. The
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
GH_ARRAY(vip_lines, struct gh_vip_line, 2 * GH_VIP_LINES);
GH_ARRAY(nodes, struct gh_node, GH_MAX_NODES);
GH_ARRAY(verdicts, __u64, GH_VERDICT_STRIDE);

static inline __attribute__((always_inline)) const struct gh_state *gh_get_state(struct gh_tables *tables) {
  const __u32 zero = 0;
  (void)tables;
  return (const struct gh_state *)bpf_map_lookup_elem(&state, &zero);
}
static inline const struct gh_vip_line *gh_get_vip_line(struct gh_tables *tables, __u32 index) {
  (void)tables;
  return (const struct gh_vip_line *)bpf_map_lookup_elem(&vip_lines, &index);
}
static inline const struct gh_node *gh_get_node(struct gh_tables *tables, __u32 id) {
  (void)tables;
  return (const struct gh_node *)bpf_map_lookup_elem(&nodes, &id);
}
static inline void gh_count_verdict(struct gh_tables *tables, enum gh_verdict verdict) {
  const __u32 index = bpf_get_smp_processor_id() * GH_VERDICT_STRIDE + verdict;
  __u64 *count = (__u64 *)bpf_map_lookup_elem(&verdicts, &index);
  (void)tables;
  if (count) ++*count;
}

/* The clock of flows, limits and cookies. */
static inline __u64 gh_get_ticks(struct gh_tables *tables) {
  (void)tables;
  return bpf_jiffies64();
}

static inline int gh_move_start(struct gh_packet *packet, int bytes) {
  struct xdp_md *context = (struct xdp_md *)packet->context;
  if (bpf_xdp_adjust_head(context, bytes)) return -1;
  packet->start = (__u8 *)(long)context->data;
  packet->end = (__u8 *)(long)context->data_end;
  return 0;
}

static inline struct gh_packet gh_xdp_packet(struct xdp_md *context) {
  struct gh_packet packet;
  packet.start = (__u8 *)(long)context->data;
  packet.end = (__u8 *)(long)context->data_end;
  packet.context = context;
  return packet;
}

static inline int gh_xdp_action(enum gh_action action) {
  return action == GH_PASS ? XDP_PASS : action == GH_TRANSMIT ? XDP_TX : XDP_DROP;
}
