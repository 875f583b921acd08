/* The L4 host's egress program for health probes (tc): a packet whose socket carries the probe mark is tunnelled to the node
 * that the mark names, as the front door would have done. Shares `state` with the XDP program. */
#include <linux/pkt_cls.h>

#include "bpf/maps.h"

#include "bpf/no_forward.h"

static inline int gh_read(const struct gh_packet *packet, __u64 offset, void *to, __u32 length) {
  return bpf_skb_load_bytes(packet->context, (__u32)offset, to, length) != 0;
}
static inline void gh_count_verdict(struct gh_tables *tables, enum gh_verdict verdict) { (void)tables, (void)verdict; }
/* Probes are not moved by the core, only written by it. */
static inline int gh_move_start(struct gh_packet *packet, int bytes) {
  (void)packet, (void)bytes;
  return -1;
}
static inline int gh_cut(struct gh_packet *packet, __u32 length) {
  (void)packet, (void)length;
  return -1;
}

static inline struct gh_packet gh_packet_of(void *context) {
  struct __sk_buff *skb = (struct __sk_buff *)context;
  struct gh_packet packet;
  packet.start = (__u8 *)(long)skb->data;
  packet.end = (__u8 *)(long)skb->data_end;
  packet.context = skb;
  return packet;
}

#include "bpf/forward.h"

static inline int gh_grow(struct __sk_buff *skb, const struct gh_destination *node) {
  const __u64 family = node->family == GH_FAMILY_V4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
  const __u32 length = gh_outer_length(GH_ENCAPSULATE_GUE_HOPS, node->family);
  return bpf_skb_adjust_room(skb, (int)length, BPF_ADJ_ROOM_MAC, family | BPF_F_ADJ_ROOM_ENCAP_L4_UDP) ? -1 : 0;
}

SEC("tc")
int probe(struct __sk_buff *skb) {
  const struct gh_state *site;
  const struct gh_destination *node;
  struct gh_packet packet;
  struct gh_parsed inner;
  struct gh_routed routed;
  __u8 *outer;

  if ((skb->mark & GH_PROBE_MASK) != GH_PROBE_MARK) return TC_ACT_OK;
  /* The payload of a socket's packet is outside of the linear part, and the parser wants to see what the lengths promise. */
  if (bpf_skb_pull_data(skb, skb->len)) return TC_ACT_SHOT;
  packet = gh_packet_of(skb);
  site = gh_get_state((struct gh_tables *)0);
  node = site ? gh_find_node(site, skb->mark & 0xffff) : 0;
  if (!node) return TC_ACT_SHOT;
  if (gh_parse(&packet, &inner) != GH_PARSED_PORTS || inner.link_length != sizeof(struct gh_ethernet)) return TC_ACT_OK;

  routed.slot = 0;
  routed.epoch = 0;
  routed.hash = inner.ports * 0x9e3779b1u;
  if (gh_grow(skb, node)) return TC_ACT_SHOT;
  bpf_set_hash_invalid(skb);
  packet = gh_packet_of(skb);
  outer = packet.start + sizeof(struct gh_ethernet);
  if (outer + sizeof(struct gh_outer_v6) > packet.end) return TC_ACT_SHOT;
  gh_store16(outer - sizeof(__be16), gh_be16(node->family == GH_FAMILY_V4 ? GH_ETHERTYPE_IPV4 : GH_ETHERTYPE_IPV6));
  if (node->family == GH_FAMILY_V4) {
    gh_write_outer_v4(outer, gh_get_identity(site), GH_ENCAPSULATE_GUE_HOPS, node, &inner, &routed);
  } else {
    gh_write_outer_v6(outer, gh_get_identity(site), GH_ENCAPSULATE_GUE_HOPS, node, &inner, &routed);
  }
  return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
