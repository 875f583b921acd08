/* The outer header: IPv4 or IPv6 by the node's family, UDP, GUE (bpf/abi.h).
 *   DSCP and ECN are those of the inner packet (RFC 6040, normal mode); TTL 64; IPv4 with DF and id 0.
 *   UDP source port: 49152 and fourteen bits of the flow hash, for RSS and ECMP on the way.
 *   UDP checksum 0 in both families: allowed for tunnels by RFC 6935 and RFC 6936, the inner checksum covers the rest. */
#pragma once

#include "bpf/route.h"

enum { GH_TUNNEL_TTL = 64, GH_TUNNEL_FIRST_PORT = 49152, GH_TUNNEL_PORT_MASK = 0x3fff };

static inline __u16 gh_ipv4_checksum(const struct gh_ipv4 *ip) {
  const __u16 *words = (const __u16 *)ip;
  __u32 sum = 0;
  int i;
  for (i = 0; i < 10; ++i) sum += words[i];
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (__u16)~sum;
}

static inline void gh_store_v4(__u16 *words, const struct gh_address *address) {
  words[0] = (__u16)(address->low >> 32);
  words[1] = (__u16)(address->low >> 48);
}

static inline void gh_store_v6(__u16 *words, const struct gh_address *address) {
  int i;
  for (i = 0; i < 4; ++i) words[i] = (__u16)(address->high >> (16 * i));
  for (i = 0; i < 4; ++i) words[4 + i] = (__u16)(address->low >> (16 * i));
}

static inline void gh_write_udp(struct gh_udp *udp, __u32 hash, __u32 payload) {
  udp->source_port = gh_be16((__u16)(GH_TUNNEL_FIRST_PORT | (hash & GH_TUNNEL_PORT_MASK)));
  udp->destination_port = gh_be16(GH_TUNNEL_PORT);
  udp->length = gh_be16((__u16)(payload + sizeof(*udp)));
  udp->checksum = 0;
}

static inline void gh_write_gue(struct gh_gue *gue, int is_v4, __u16 epoch, __u64 slot) {
  gue->version_length = 2;
  gue->protocol = is_v4 ? GH_PROTOCOL_IPIP : GH_PROTOCOL_IPV6;
  gue->flags = 0;
  gue->epoch = gh_be16(epoch);
  gue->hops[0] = gh_be16(gh_slot_hop(slot, 1));
  gue->hops[1] = gh_be16(gh_slot_hop(slot, 2));
  gue->hops[2] = gh_be16(gh_slot_hop(slot, 3));
}

static inline void gh_write_outer_v4(struct gh_outer_v4 *outer, const struct gh_state *state, const struct gh_node *node,
                                     const struct gh_parsed *inner, const struct gh_routed *routed) {
  outer->ip.version_length = 0x45;
  outer->ip.traffic_class = inner->traffic_class;
  outer->ip.total_length = gh_be16((__u16)(inner->ip_length + sizeof(*outer)));
  outer->ip.id = 0;
  outer->ip.fragment = gh_be16(0x4000);
  outer->ip.ttl = GH_TUNNEL_TTL;
  outer->ip.protocol = GH_PROTOCOL_UDP;
  outer->ip.checksum = 0;
  gh_store_v4(outer->ip.source, &state->source_v4);
  gh_store_v4(outer->ip.destination, &node->address);
  outer->ip.checksum = gh_ipv4_checksum(&outer->ip);
  gh_write_udp(&outer->udp, routed->hash, inner->ip_length + sizeof(outer->gue));
  gh_write_gue(&outer->gue, inner->is_v4, routed->epoch, routed->slot);
}

static inline void gh_write_outer_v6(struct gh_outer_v6 *outer, const struct gh_state *state, const struct gh_node *node,
                                     const struct gh_parsed *inner, const struct gh_routed *routed) {
  outer->ip.version_class_flow[0] = gh_be16((__u16)(0x6000 | inner->traffic_class << 4));
  outer->ip.version_class_flow[1] = 0;
  outer->ip.payload_length = gh_be16((__u16)(inner->ip_length + sizeof(outer->udp) + sizeof(outer->gue)));
  outer->ip.next_header = GH_PROTOCOL_UDP;
  outer->ip.hop_limit = GH_TUNNEL_TTL;
  gh_store_v6(outer->ip.source, &state->source_v6);
  gh_store_v6(outer->ip.destination, &node->address);
  gh_write_udp(&outer->udp, routed->hash, inner->ip_length + sizeof(outer->gue));
  gh_write_gue(&outer->gue, inner->is_v4, routed->epoch, routed->slot);
}

/* The frame goes back by the way it came: the router that sent it routes the outer packet. */
static inline void gh_turn_around(struct gh_ethernet *ethernet) {
  int i;
  for (i = 0; i < 6; ++i) {
    const __u8 byte = ethernet->destination[i];
    ethernet->destination[i] = ethernet->source[i];
    ethernet->source[i] = byte;
  }
}

/* After the start was moved by `shift` bytes: brings the link header (14 or 18 bytes) along and gives it `type`. Returns
 * non-zero when the packet is shorter than that, which cannot be and must be shown to the verifier. */
static inline int gh_move_link(struct gh_packet *packet, int shift, __u64 link_length, __u16 type) {
  __u8 link[18];
  __u8 *from = shift < 0 ? packet->start - shift : packet->start;
  __u8 *to = shift < 0 ? packet->start : packet->start + shift;
  if (from + sizeof(link) > packet->end || to + sizeof(link) > packet->end) return -1;
  __builtin_memcpy(link, from, sizeof(link));
  if (link_length == sizeof(link)) {
    *(__be16 *)(link + 16) = gh_be16(type);
    __builtin_memcpy(to, link, 18);
  } else {
    *(__be16 *)(link + 12) = gh_be16(type);
    __builtin_memcpy(to, link, 14);
  }
  return 0;
}

/* Puts the outer header before the packet and turns it around. */
static inline enum gh_verdict gh_encapsulate(struct gh_packet *packet, const struct gh_state *state,
                                             const struct gh_node *node, const struct gh_parsed *inner,
                                             const struct gh_routed *routed) {
  const int outer_length = node->is_v4 ? (int)sizeof(struct gh_outer_v4) : (int)sizeof(struct gh_outer_v6);
  __u8 *outer;
  if (state->mtu && inner->ip_length + (__u32)outer_length > state->mtu) return GH_VIP_TOO_BIG;
  if (gh_move_start(packet, -outer_length)) return GH_NO_HEADROOM;
  if (gh_move_link(packet, -outer_length, inner->link_length, node->is_v4 ? GH_ETHERTYPE_IPV4 : GH_ETHERTYPE_IPV6)) {
    return GH_NO_HEADROOM;
  }
  gh_turn_around((struct gh_ethernet *)packet->start);
  outer = packet->start + inner->link_length;
  if (node->is_v4) {
    if (outer + sizeof(struct gh_outer_v4) > packet->end) return GH_NO_HEADROOM;
    gh_write_outer_v4((struct gh_outer_v4 *)outer, state, node, inner, routed);
  } else {
    if (outer + sizeof(struct gh_outer_v6) > packet->end) return GH_NO_HEADROOM;
    gh_write_outer_v6((struct gh_outer_v6 *)outer, state, node, inner, routed);
  }
  return GH_FORWARDED;
}
