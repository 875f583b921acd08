/* The node's end of the tunnel: take the outer header off and deliver, or, while the slot is in transition and the flow is
 * not here, send the packet on to the slot's next earlier owner. Only packets with hops left pay for the question. */
#pragma once

#include "bpf/forward.h"

struct gh_tunnel {
  struct gh_address source;
  __u64 link_length;
  __u32 outer_length; /* IP, UDP and GUE */
  __u8 is_v4;         /* the outer header */
};

/* The place of the GUE header, or NULL when the packet is no tunnel packet of ours. */
static inline __u8 *gh_find_gue(const struct gh_packet *packet, struct gh_tunnel *tunnel) {
  const __u16 type = gh_parse_link(packet, &tunnel->link_length);
  __u8 *start;
  if (type == 0) return 0;
  start = packet->start + tunnel->link_length;
  if (type == GH_ETHERTYPE_IPV4) {
    const struct gh_outer_v4 *outer = (const struct gh_outer_v4 *)start;
    if ((const __u8 *)(outer + 1) > packet->end || outer->ip.version_length != 0x45 ||
        outer->ip.protocol != GH_PROTOCOL_UDP || (outer->ip.fragment & gh_be16(0x3fff)) ||
        outer->udp.destination_port != gh_be16(GH_TUNNEL_PORT)) {
      return 0;
    }
    tunnel->is_v4 = 1;
    tunnel->outer_length = sizeof(*outer);
    gh_address_from_v4(&tunnel->source, outer->ip.source);
    return start + __builtin_offsetof(struct gh_outer_v4, gue);
  }
  if (type == GH_ETHERTYPE_IPV6) {
    const struct gh_outer_v6 *outer = (const struct gh_outer_v6 *)start;
    if ((const __u8 *)(outer + 1) > packet->end || outer->ip.next_header != GH_PROTOCOL_UDP ||
        outer->udp.destination_port != gh_be16(GH_TUNNEL_PORT)) {
      return 0;
    }
    tunnel->is_v4 = 0;
    tunnel->outer_length = sizeof(*outer);
    gh_address_from_v6(&tunnel->source, outer->ip.source);
    return start + __builtin_offsetof(struct gh_outer_v6, gue);
  }
  return 0;
}

static inline enum gh_verdict gh_strip(struct gh_packet *packet, const struct gh_tunnel *tunnel, __u16 type,
                                       enum gh_verdict verdict) {
  const int outer_length = tunnel->is_v4 ? (int)sizeof(struct gh_outer_v4) : (int)sizeof(struct gh_outer_v6);
  if (gh_move_link(packet, outer_length, tunnel->link_length, type)) return GH_NODE_BAD_TUNNEL;
  if (gh_move_start(packet, outer_length)) return GH_NODE_BAD_TUNNEL;
  return verdict;
}

/* Whether the inner packet must be delivered here: all but TCP segments of connections that this kernel does not know. */
static inline int gh_belongs_here(struct gh_packet *packet, const struct gh_tunnel *tunnel, __u16 type) {
  __u8 *ip = packet->start + tunnel->link_length + tunnel->outer_length;
  struct gh_parsed inner;
  struct gh_tcp *tcp;
  const enum gh_parse_outcome outcome = gh_parse_ip(ip, packet->end, type, &inner);
  if (outcome != GH_PARSED_PORTS || inner.protocol != GH_PROTOCOL_TCP) return 1;
  /* Options before the TCP header are too rare to follow: without them the offset is constant. */
  tcp = (struct gh_tcp *)(ip + (inner.is_v4 ? sizeof(struct gh_ipv4) : sizeof(struct gh_ipv6)));
  if (inner.transport_offset != (inner.is_v4 ? sizeof(struct gh_ipv4) : sizeof(struct gh_ipv6))) return 1;
  if ((__u8 *)(tcp + 1) > packet->end) return 1;
  if ((tcp->flags & (GH_TCP_SYN | GH_TCP_ACK)) == GH_TCP_SYN) return 1;
  return gh_owns_flow(packet, ip, (__u8 *)tcp, inner.is_v4);
}

/* Rewrites the outer header for the next hop. Non-zero when that node is not known or of the other family. */
static inline int gh_send_on(struct gh_tables *tables, const struct gh_state *state, struct gh_packet *packet,
                             const struct gh_tunnel *tunnel, __u16 next) {
  __u8 *outer = packet->start + tunnel->link_length;
  const struct gh_node *node = gh_get_node(tables, next);
  struct gh_gue *gue;
  if (!node || (node->address.high | node->address.low) == 0 || node->is_v4 != tunnel->is_v4) return -1;
  if (tunnel->is_v4) {
    struct gh_outer_v4 *v4 = (struct gh_outer_v4 *)outer;
    if ((__u8 *)(v4 + 1) > packet->end) return -1;
    gh_store_v4(v4->ip.source, &state->source_v4);
    gh_store_v4(v4->ip.destination, &node->address);
    v4->ip.ttl = GH_TUNNEL_TTL;
    v4->ip.checksum = 0;
    v4->ip.checksum = gh_ipv4_checksum(&v4->ip);
    gue = &v4->gue;
  } else {
    struct gh_outer_v6 *v6 = (struct gh_outer_v6 *)outer;
    if ((__u8 *)(v6 + 1) > packet->end) return -1;
    gh_store_v6(v6->ip.source, &state->source_v6);
    gh_store_v6(v6->ip.destination, &node->address);
    v6->ip.hop_limit = GH_TUNNEL_TTL;
    gue = &v6->gue;
  }
  gue->hops[0] = gue->hops[1];
  gue->hops[1] = gue->hops[2];
  gue->hops[2] = 0;
  gh_turn_around((struct gh_ethernet *)packet->start);
  return 0;
}

static inline enum gh_verdict gh_decapsulate_uncounted(struct gh_tables *tables, struct gh_packet *packet) {
  const struct gh_state *state = gh_get_state(tables);
  struct gh_tunnel tunnel;
  struct gh_gue *gue;
  __u16 next, type;
  if (!state) return GH_NODE_NOT_TUNNEL;
  gue = (struct gh_gue *)gh_find_gue(packet, &tunnel);
  if (!gue) return GH_NODE_NOT_TUNNEL;
  if (!gh_find_vip(tables, state, &tunnel.source, 0, 0)) return GH_NODE_STRANGER;
  if ((__u8 *)(gue + 1) > packet->end) return GH_NODE_BAD_TUNNEL;
  if (gue->version_length != 2 || gue->flags != 0) return GH_NODE_BAD_TUNNEL;
  if (gue->protocol != GH_PROTOCOL_IPIP && gue->protocol != GH_PROTOCOL_IPV6) return GH_NODE_BAD_TUNNEL;
  type = gue->protocol == GH_PROTOCOL_IPIP ? GH_ETHERTYPE_IPV4 : GH_ETHERTYPE_IPV6;
  next = gh_from_be16(gue->hops[0]);

  if (next == 0) return gh_strip(packet, &tunnel, type, GH_NODE_DELIVERED);
  if (gh_belongs_here(packet, &tunnel, type)) return gh_strip(packet, &tunnel, type, GH_NODE_OWNED);
  if (gh_send_on(tables, state, packet, &tunnel, next) == 0) return GH_NODE_SENT_ON;
  return gh_strip(packet, &tunnel, type, GH_NODE_HOP_UNKNOWN);
}

static inline enum gh_verdict gh_decapsulate(struct gh_tables *tables, struct gh_packet *packet) {
  const enum gh_verdict verdict = gh_decapsulate_uncounted(tables, packet);
  gh_count_verdict(tables, verdict);
  return verdict;
}
