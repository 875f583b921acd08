/* The front door's adapter: its tables as BPF maps, and what becomes of a packet that the core has had. For the XDP programs
 * of an L4 host. */
#pragma once

#include "bpf/guard_maps.h"
#include "bpf/service_maps.h"
#include "bpf/xdp.h"

GH_ARRAY(slots, __u64, 1);
GH_ARRAY(cpus, struct gh_cpu, 1);

static inline const __u64 *gh_get_slot(struct gh_tables *tables, __u32 index) {
  (void)tables;
  return (const __u64 *)bpf_map_lookup_elem(&slots, &index);
}
GH_INLINE struct gh_cpu *gh_get_cpu(struct gh_tables *tables) {
  const __u32 index = bpf_get_smp_processor_id();
  (void)tables;
  return (struct gh_cpu *)bpf_map_lookup_elem(&cpus, &index);
}
static inline void gh_count_verdict(struct gh_tables *tables, enum gh_verdict verdict) {
  struct gh_cpu *cpu = gh_get_cpu(tables);
  if (cpu) ++cpu->counts.verdicts[verdict];
}

/* Another operator's XDP program, which gets what is not a VIP's. Empty unless configured; an empty place costs nothing. */
struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} next_program SEC(".maps");

#include "bpf/forward.h"

GH_GLOBAL int gh_judge_alone(struct xdp_md *context, struct gh_parsed *parsed) {
  struct gh_packet packet = gh_packet_of(context);
  return parsed ? gh_judge((struct gh_tables *)0, &packet, parsed) : GH_NOT_VIP;
}
static inline enum gh_verdict gh_judge_apart(struct gh_tables *tables, void *context, struct gh_parsed *parsed) {
  (void)tables;
  return (enum gh_verdict)gh_within((__u32)gh_judge_alone((struct xdp_md *)context, parsed), GH_VERDICT_STRIDE);
}

GH_GLOBAL int gh_name_server_alone(struct xdp_md *context, struct gh_parsed *parsed, __u32 service) {
  struct gh_packet packet = gh_packet_of(context);
  if (parsed) gh_name_server((struct gh_tables *)0, &packet, parsed, service);
  return 0;
}
static inline void gh_name_server_apart(struct gh_tables *tables, void *context, struct gh_parsed *parsed, __u32 service) {
  (void)tables;
  gh_name_server_alone((struct xdp_md *)context, parsed, service);
}

GH_GLOBAL int gh_admit_alone(struct xdp_md *context, const struct gh_parsed *parsed, struct gh_vip *vip) {
  struct gh_packet packet = gh_packet_of(context);
  return parsed && vip ? gh_admit((struct gh_tables *)0, &packet, parsed, vip) : GH_NOT_VIP;
}
static inline enum gh_verdict gh_admit_apart(struct gh_tables *tables, void *context, const struct gh_parsed *parsed,
                                             struct gh_vip *vip) {
  (void)tables;
  return (enum gh_verdict)gh_within((__u32)gh_admit_alone((struct xdp_md *)context, parsed, vip), GH_VERDICT_STRIDE);
}

GH_GLOBAL int gh_forward_alone(struct xdp_md *context, const struct gh_parsed *parsed, const struct gh_vip *vip) {
  struct gh_packet packet = gh_packet_of(context);
  return parsed && vip ? gh_forward((struct gh_tables *)0, &packet, parsed, vip) : GH_NOT_VIP;
}
static inline enum gh_verdict gh_forward_apart(struct gh_tables *tables, void *context, const struct gh_parsed *parsed,
                                               const struct gh_vip *vip) {
  (void)tables;
  return (enum gh_verdict)gh_within((__u32)gh_forward_alone((struct xdp_md *)context, parsed, vip), GH_VERDICT_STRIDE);
}

static inline int gh_leave(struct xdp_md *context, enum gh_verdict verdict) {
  if (verdict == GH_NOT_VIP) bpf_tail_call(context, &next_program, 0);
  return gh_xdp_action(gh_action_of(verdict));
}
