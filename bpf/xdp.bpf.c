/* The L4 host's XDP program: the packet core over BPF maps. */
#include "bpf/guard_maps.h"
#include "bpf/maps.h"

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

#include "bpf/forward.h"

SEC("xdp")
int balance(struct xdp_md *context) {
  struct gh_packet packet = gh_xdp_packet(context);
  return gh_xdp_action(gh_action_of(gh_balance((struct gh_tables *)0, &packet)));
}

char _license[] SEC("license") = "Dual BSD/GPL";
