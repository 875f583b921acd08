/* The L4 host's egress program for health probes (tc): a packet whose socket carries the probe mark is tunnelled to the node
 * that the mark names, as the front door would have done. Shares `state` and `nodes` with the XDP program. */
#include <linux/pkt_cls.h>

#include "bpf/maps.h"

#include "bpf/no_forward.h"

#include "bpf/forward.h"

static inline int gh_grow(struct __sk_buff *skb, const struct gh_node *node) {
  const __u64 family = node->is_v4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
  const __u32 length = node->is_v4 ? sizeof(struct gh_outer_v4) : sizeof(struct gh_outer_v6);
  const __be16 type = gh_be16(node->is_v4 ? GH_ETHERTYPE_IPV4 : GH_ETHERTYPE_IPV6);
  if (bpf_skb_adjust_room(skb, length, BPF_ADJ_ROOM_MAC, family | BPF_F_ADJ_ROOM_ENCAP_L4_UDP)) return -1;
  return bpf_skb_store_bytes(skb, __builtin_offsetof(struct gh_ethernet, type), &type, sizeof(type), 0);
}

SEC("tc")
int probe(struct __sk_buff *skb) {
  const struct gh_state *site;
  struct gh_node node;
  struct gh_packet packet;
  struct gh_parsed inner;
  struct gh_routed routed;
  enum gh_parse_outcome outcome;

  if ((skb->mark & GH_PROBE_MASK) != GH_PROBE_MARK) return TC_ACT_OK;
  /* The payload of a socket's packet is outside of the linear part, and the parser wants to see what the lengths promise. */
  if (bpf_skb_pull_data(skb, skb->len)) return TC_ACT_SHOT;
  packet.start = (__u8 *)(long)skb->data;
  packet.end = (__u8 *)(long)skb->data_end;
  packet.context = skb;
  site = gh_get_state((struct gh_tables *)0);
  if (!site || gh_find_node((struct gh_tables *)0, skb->mark & 0xffff, &node)) return TC_ACT_SHOT;
  outcome = gh_parse(&packet, &inner);
  if (outcome != GH_PARSED_PORTS || inner.link_length != sizeof(struct gh_ethernet)) return TC_ACT_OK;

  routed.slot = 0;
  routed.epoch = 0;
  routed.hash = (__u32)inner.source_port * 0x9e3779b1u;
  if (gh_grow(skb, &node)) return TC_ACT_SHOT;
  if (node.is_v4) {
    struct gh_outer_v4 outer;
    gh_write_outer_v4(&outer, site, &node, &inner, &routed);
    bpf_skb_store_bytes(skb, sizeof(struct gh_ethernet), &outer, sizeof(outer), BPF_F_INVALIDATE_HASH);
  } else {
    struct gh_outer_v6 outer;
    gh_write_outer_v6(&outer, site, &node, &inner, &routed);
    bpf_skb_store_bytes(skb, sizeof(struct gh_ethernet), &outer, sizeof(outer), BPF_F_INVALIDATE_HASH);
  }
  return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
