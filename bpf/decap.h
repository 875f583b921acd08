/* The node's end of the tunnel: take the outer header off and deliver, or, while the slot is in transition and the flow is
 * not here, send the packet on to the slot's next earlier owner. Only packets with hops left pay for the question. */
#pragma once

#include "bpf/forward.h"
#include "bpf/syn_cookie.h"

struct gh_tunnel {
  struct gh_address source;
  __u64 link_length;
  __u32 outer_length; /* IP, UDP and GUE */
  __u8 is_v4;         /* the outer header */
  __u8 congestion;    /* its mark */
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
    tunnel->congestion = outer->ip.traffic_class & GH_CONGESTION_MASK;
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
    tunnel->congestion = (gh_from_be16(outer->ip.version_class_flow[0]) >> 4) & GH_CONGESTION_MASK;
    gh_address_from_v6(&tunnel->source, outer->ip.source);
    return start + __builtin_offsetof(struct gh_outer_v6, gue);
  }
  return 0;
}

/* Only the fleet may send tunnel packets: its addresses are this table's. */
static inline int gh_is_stranger(struct gh_tables *tables, const struct gh_state *state, const struct gh_tunnel *tunnel) {
  if (!tunnel->is_v4 && gh_is_mapped(&tunnel->source)) return 1;
  return !gh_find_vip(tables, state, &tunnel->source, 0, 0);
}

/* The inner mark after the tunnel (RFC 6040 §4.2), of a packet that takes marks; the outer one is an odd number. */
static inline __u8 gh_merge_congestion(__u8 inner, __u8 outer) {
  if (outer == GH_CONGESTION_MET || inner == GH_CONGESTION_CAPABLE_0) return outer;
  return inner;
}

/* Flips `change` in the traffic class and keeps the checksum right (RFC 1624, equation 3). */
static inline void gh_change_class_v4(struct gh_ipv4 *ip, __u8 change) {
  const __u16 *word = (const __u16 *)ip;
  __u32 sum = (__u32)(__u16)~ip->checksum + (__u16)~*word;
  ip->traffic_class ^= change;
  sum += *word;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  ip->checksum = (__u16)~sum;
}

/* Carries the outer mark to the inner header. Returns `verdict`, or why the packet must be dropped. */
static inline enum gh_verdict gh_carry_congestion(struct gh_packet *packet, const struct gh_tunnel *tunnel, __u16 type,
                                                  enum gh_verdict verdict) {
  struct gh_ipv4 *v4 = (struct gh_ipv4 *)(packet->start + tunnel->link_length + tunnel->outer_length);
  struct gh_ipv6 *v6 = (struct gh_ipv6 *)v4; /* only its first words */
  __u8 inner, change;
  /* Without a mark, and with the one that senders set by default, the inner header stays as it is. */
  if (tunnel->congestion == 0 || tunnel->congestion == GH_CONGESTION_CAPABLE_0) return verdict;
  if ((__u8 *)(v4 + 1) > packet->end) return GH_NODE_BAD_TUNNEL;
  inner = type == GH_ETHERTYPE_IPV4 ? v4->traffic_class : (__u8)(gh_from_be16(v6->version_class_flow[0]) >> 4);
  inner &= GH_CONGESTION_MASK;
  if (inner == 0) return tunnel->congestion == GH_CONGESTION_MET ? GH_NODE_CONGESTED : verdict;
  change = inner ^ gh_merge_congestion(inner, tunnel->congestion);
  if (type == GH_ETHERTYPE_IPV4) {
    gh_change_class_v4(v4, change);
  } else {
    v6->version_class_flow[0] ^= gh_be16((__u16)(change << 4));
  }
  return verdict;
}

static inline enum gh_verdict gh_strip(struct gh_packet *packet, const struct gh_tunnel *tunnel, __u16 type,
                                       enum gh_verdict verdict) {
  const int outer_length = tunnel->is_v4 ? (int)sizeof(struct gh_outer_v4) : (int)sizeof(struct gh_outer_v6);
  const enum gh_verdict carried = gh_carry_congestion(packet, tunnel, type, verdict);
  if (carried != verdict) return carried;
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
  if (inner.transport_offset + sizeof(*tcp) > inner.ip_length || (__u8 *)(tcp + 1) > packet->end) return 1;
  if ((tcp->flags & (GH_TCP_SYN | GH_TCP_ACK)) == GH_TCP_SYN) return 1;
  return gh_owns_flow(packet, ip, (__u8 *)tcp, inner.is_v4);
}

/* Rewrites the outer header for the next hop. Non-zero when that node is not known or of the other family. */
static inline int gh_send_on(struct gh_tables *tables, const struct gh_state *state, struct gh_packet *packet,
                             const struct gh_tunnel *tunnel, __u16 next) {
  __u8 *outer = packet->start + tunnel->link_length;
  struct gh_node node;
  struct gh_gue *gue;
  if (gh_find_node(tables, next, &node) || node.is_v4 != tunnel->is_v4) return -1;
  if (tunnel->is_v4) {
    struct gh_outer_v4 *v4 = (struct gh_outer_v4 *)outer;
    if ((__u8 *)(v4 + 1) > packet->end) return -1;
    gh_store_v4(v4->ip.source, &state->source_v4);
    gh_store_v4(v4->ip.destination, &node.address);
    v4->ip.ttl = GH_TUNNEL_TTL;
    v4->ip.checksum = 0;
    v4->ip.checksum = gh_ipv4_checksum(&v4->ip);
    gue = &v4->gue;
  } else {
    struct gh_outer_v6 *v6 = (struct gh_outer_v6 *)outer;
    if ((__u8 *)(v6 + 1) > packet->end) return -1;
    gh_store_v6(v6->ip.source, &state->source_v6);
    gh_store_v6(v6->ip.destination, &node.address);
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
  enum gh_verdict verdict = GH_NODE_DELIVERED;
  __u16 next, type;
  if (!state) return GH_NODE_NOT_TUNNEL;
  gue = (struct gh_gue *)gh_find_gue(packet, &tunnel);
  if (!gue) return GH_NODE_NOT_TUNNEL;
  if (gh_is_stranger(tables, state, &tunnel)) return GH_NODE_STRANGER;
  if ((__u8 *)(gue + 1) > packet->end) return GH_NODE_BAD_TUNNEL;
  if (gue->version_length != 2 || gue->flags != 0) return GH_NODE_BAD_TUNNEL;
  if (gue->protocol != GH_PROTOCOL_IPIP && gue->protocol != GH_PROTOCOL_IPV6) return GH_NODE_BAD_TUNNEL;
  type = gue->protocol == GH_PROTOCOL_IPIP ? GH_ETHERTYPE_IPV4 : GH_ETHERTYPE_IPV6;
  next = gh_from_be16(gue->hops[0]);

  if (next != 0) {
    verdict = gh_belongs_here(packet, &tunnel, type) ? GH_NODE_OWNED : GH_NODE_HOP_UNKNOWN;
    if (verdict == GH_NODE_HOP_UNKNOWN && gh_send_on(tables, state, packet, &tunnel, next) == 0) return GH_NODE_SENT_ON;
  }
  verdict = gh_strip(packet, &tunnel, type, verdict);
  if (verdict != GH_NODE_DELIVERED && verdict != GH_NODE_OWNED) return verdict;
  return gh_screen(tables, packet, tunnel.link_length, type == GH_ETHERTYPE_IPV4, verdict);
}

static inline enum gh_verdict gh_decapsulate(struct gh_tables *tables, struct gh_packet *packet) {
  const enum gh_verdict verdict = gh_decapsulate_uncounted(tables, packet);
  gh_count_verdict(tables, verdict);
  return verdict;
}
