/* The node's end of the tunnel: take the outer header off and deliver, or, while the slot is in transition and the flow is
 * not here, send the packet on to the slot's next earlier owner that can be reached. Only packets with hops left pay for the
 * question. Takes all that encap.h makes: GUE with and without our private field, IPIP and its mixes. Tunnel packets come
 * from the fleet only: its addresses are this table's, and IPIP may also come from the site's source prefix. IPIP of others
 * is none of ours: the host may have tunnels of its own. */
#pragma once

#include "bpf/forward.h"
#include "bpf/syn_cookie.h"

struct gh_tunnel {
  struct gh_address source;
  __u64 link_length;
  __u64 outer_length; /* all that is to be taken off */
  __u32 length;       /* of the outer packet, as its header says */
  __be16 udp_length;  /* as the UDP header says */
  __u8 is_v4;         /* the outer header */
  __u8 is_ipip;
  __u8 protocol;   /* of what is inside: GH_PROTOCOL_IPIP or GH_PROTOCOL_IPV6 */
  __u8 congestion; /* the outer header's mark */
};

static inline int gh_is_ip_protocol(__u8 protocol) { return protocol == GH_PROTOCOL_IPIP || protocol == GH_PROTOCOL_IPV6; }

/* Whether the packet is for this node's end of a tunnel, whoever sent it. */
static inline int gh_find_tunnel_v4(const __u8 *start, const __u8 *end, const struct gh_identity *self,
                                    struct gh_tunnel *tunnel) {
  const struct gh_outer_v4 *outer = (const struct gh_outer_v4 *)start;
  /* Shorter than any tunnel packet of ours would be, IPIP with a bare IP header. */
  if ((const __u8 *)(outer + 1) > end || outer->ip.version_length != 0x45) return 0;
  if (outer->ip.fragment & gh_be16(0x3fff)) return 0;
  if (gh_load32(outer->ip.destination) != (__u32)(self->gue_v4.address.low >> 32)) return 0;
  tunnel->is_ipip = gh_is_ip_protocol(outer->ip.protocol);
  if (!tunnel->is_ipip && (outer->ip.protocol != GH_PROTOCOL_UDP || outer->udp.destination_port != gh_be16(GH_TUNNEL_PORT))) {
    return 0;
  }
  tunnel->is_v4 = 1;
  tunnel->outer_length = sizeof(outer->ip);
  tunnel->length = gh_from_be16(outer->ip.total_length);
  tunnel->udp_length = outer->udp.length;
  tunnel->protocol = outer->ip.protocol;
  tunnel->congestion = outer->ip.traffic_class & GH_CONGESTION_MASK;
  gh_address_from_v4(&tunnel->source, outer->ip.source);
  return 1;
}

static inline int gh_find_tunnel_v6(const __u8 *start, const __u8 *end, const struct gh_identity *self,
                                    struct gh_tunnel *tunnel) {
  const struct gh_outer_v6 *outer = (const struct gh_outer_v6 *)start;
  if ((const __u8 *)(outer + 1) > end || (gh_from_be16(outer->ip.version_class_flow[0]) >> 12) != 6) return 0;
  if (gh_load64(outer->ip.destination) != self->gue_v6.address.high) return 0;
  if (gh_load64(outer->ip.destination + 4) != self->gue_v6.address.low) return 0;
  tunnel->is_ipip = gh_is_ip_protocol(outer->ip.next_header);
  if (!tunnel->is_ipip && (outer->ip.next_header != GH_PROTOCOL_UDP || outer->udp.destination_port != gh_be16(GH_TUNNEL_PORT))) {
    return 0;
  }
  tunnel->is_v4 = 0;
  tunnel->outer_length = sizeof(outer->ip);
  tunnel->length = gh_from_be16(outer->ip.payload_length) + (__u32)sizeof(outer->ip);
  tunnel->udp_length = outer->udp.length;
  tunnel->protocol = outer->ip.next_header;
  tunnel->congestion = (gh_from_be16(outer->ip.version_class_flow[0]) >> 4) & GH_CONGESTION_MASK;
  gh_address_from_v6(&tunnel->source, outer->ip.source);
  return 1;
}

static inline int gh_find_tunnel(const struct gh_packet *packet, const struct gh_identity *self, struct gh_tunnel *tunnel) {
  const __be16 type = gh_parse_link(packet, &tunnel->link_length);
  const __u8 *start = packet->start + tunnel->link_length;
  if (type == gh_be16(GH_ETHERTYPE_IPV4)) return gh_find_tunnel_v4(start, packet->end, self, tunnel);
  return type == gh_be16(GH_ETHERTYPE_IPV6) && gh_find_tunnel_v6(start, packet->end, self, tunnel);
}

static inline int gh_is_from_prefix(const struct gh_source *prefix, const struct gh_address *source) {
  return prefix->entropy != 0 && source->high == prefix->address.high &&
         (source->low & ~prefix->entropy) == prefix->address.low;
}

/* Only the fleet may send tunnel packets. */
static inline int gh_is_stranger(const struct gh_state *state, const struct gh_identity *self,
                                 const struct gh_tunnel *tunnel) {
  if (!tunnel->is_v4 && gh_is_mapped(&tunnel->source)) return 1;
  if (tunnel->is_ipip && gh_is_from_prefix(tunnel->is_v4 ? &self->ipip_v4 : &self->ipip_v6, &tunnel->source)) return 0;
  return !gh_has_address(state, &tunnel->source);
}

/* The lengths and the GUE header of a packet from the fleet. Non-zero when they are not as we make them. Sets what
 * is inside, and the hops left, newest first, in the high bits. */
static inline int gh_read_shim(const struct gh_packet *packet, struct gh_tunnel *tunnel, __u64 *hops) {
  const __u8 *start = packet->start + tunnel->link_length;
  const __u8 *udp = start + tunnel->outer_length;
  const struct gh_gue *gue = (const struct gh_gue *)(udp + sizeof(struct gh_udp));
  *hops = 0;
  if (start + tunnel->length > packet->end) return -1;
  if (tunnel->is_ipip) return tunnel->length <= tunnel->outer_length;
  if (gh_from_be16(tunnel->udp_length) != tunnel->length - tunnel->outer_length) return -1;
  if ((const __u8 *)(gue + 1) > packet->end || gue->flags != 0 || !gh_is_ip_protocol(gue->protocol)) return -1;
  tunnel->protocol = gue->protocol;
  if (gue->version_length == 2) {
    *hops = __builtin_bswap64(gh_load64(&gue->epoch)) << 16;
    tunnel->outer_length += GH_GUE_HOPS_LENGTH;
  } else if (gue->version_length == 0) {
    tunnel->outer_length += GH_GUE_LENGTH;
  } else {
    return -1;
  }
  return tunnel->length <= tunnel->outer_length;
}

/* The inner mark after the tunnel (RFC 6040 §4.2), of a packet that takes marks; the outer one is an odd number. */
static inline __u8 gh_merge_congestion(__u8 inner, __u8 outer) {
  if (outer == GH_CONGESTION_MET || inner == GH_CONGESTION_CAPABLE_0) return outer;
  return inner;
}

/* Flips `change` in the traffic class and keeps the checksum right (RFC 1624, equation 3). */
static inline void gh_change_class_v4(struct gh_ipv4 *ip, __u8 change) {
  const __u16 before = gh_load16(ip);
  ip->traffic_class ^= change;
  ip->checksum = gh_fold((__u32)(__u16)~ip->checksum + (__u16)~before + gh_load16(ip));
}

/* Carries the outer mark to the inner header. Returns `verdict`, or why the packet must be dropped. */
static inline enum gh_verdict gh_carry_congestion(struct gh_packet *packet, const struct gh_tunnel *tunnel,
                                                  enum gh_verdict verdict) {
  struct gh_ipv4 *v4 = (struct gh_ipv4 *)(packet->start + tunnel->link_length + tunnel->outer_length);
  struct gh_ipv6 *v6 = (struct gh_ipv6 *)v4; /* only its first words */
  const int is_v4 = tunnel->protocol == GH_PROTOCOL_IPIP;
  __u8 inner, change;
  /* Without a mark, and with the one that senders set by default, the inner header stays as it is. */
  if (tunnel->congestion == 0 || tunnel->congestion == GH_CONGESTION_CAPABLE_0) return verdict;
  if ((__u8 *)(v4 + 1) > packet->end) return GH_NODE_BAD_TUNNEL;
  inner = is_v4 ? v4->traffic_class : (__u8)(gh_from_be16(v6->version_class_flow[0]) >> 4);
  inner &= GH_CONGESTION_MASK;
  if (inner == 0) return tunnel->congestion == GH_CONGESTION_MET ? GH_NODE_CONGESTED : verdict;
  change = inner ^ gh_merge_congestion(inner, tunnel->congestion);
  if (is_v4) {
    gh_change_class_v4(v4, change);
  } else {
    v6->version_class_flow[0] ^= gh_be16((__u16)(change << 4));
  }
  return verdict;
}

static inline enum gh_verdict gh_strip(struct gh_packet *packet, const struct gh_tunnel *tunnel, enum gh_verdict verdict) {
  const enum gh_verdict carried = gh_carry_congestion(packet, tunnel, verdict);
  const __be16 type = gh_be16(tunnel->protocol == GH_PROTOCOL_IPIP ? GH_ETHERTYPE_IPV4 : GH_ETHERTYPE_IPV6);
  __u8 *link = packet->start + tunnel->outer_length;
  if (carried != verdict) return carried;
  if (packet->start + GH_LONGEST_LINK > packet->end || link + GH_LONGEST_LINK > packet->end) return GH_NODE_BAD_TUNNEL;
  gh_copy_tags(packet->start, link, tunnel->link_length, type);
  gh_store32(link + 8, gh_load32(packet->start + 8));
  gh_store64(link, gh_load64(packet->start));
  return gh_move_start(packet, (int)tunnel->outer_length) ? GH_NODE_BAD_TUNNEL : verdict;
}

/* Whether the inner packet must be delivered here: all but TCP segments of connections that this kernel does not know, and
 * ICMP errors about such. */
static inline int gh_belongs_here(struct gh_packet *packet, const struct gh_tunnel *tunnel) {
  const int is_v4 = tunnel->protocol == GH_PROTOCOL_IPIP;
  const __u64 offset = tunnel->link_length + tunnel->outer_length;
  struct gh_parsed inner;
  struct gh_connection connection;
  const enum gh_parse_outcome outcome =
      gh_parse_ip(packet, offset, gh_be16(is_v4 ? GH_ETHERTYPE_IPV4 : GH_ETHERTYPE_IPV6), &inner);
  if (outcome == GH_PARSED_NO_PORTS) {
    if (gh_follow_error(packet, offset, &inner)) return 1;
  } else if (outcome != GH_PARSED_PORTS) {
    return 1;
  }
  if (inner.protocol != GH_PROTOCOL_TCP) return 1;
  if ((inner.tcp_flags & (GH_TCP_SYN | GH_TCP_ACK)) == GH_TCP_SYN) return 1;
  connection.source = inner.source;
  connection.destination = inner.destination;
  connection.source_port = inner.source_port;
  connection.destination_port = inner.destination_port;
  connection.is_v4 = is_v4;
  return gh_owns(packet, &connection, offset, inner.form == GH_FORM_ERROR ? 0 : offset + inner.transport_offset);
}

/* The first hop that is known and of the outer header's family; it leaves the list with those before it, which nobody could
 * ask. NULL when there is none. */
static inline const struct gh_destination *gh_take_hop(const struct gh_state *state, const struct gh_tunnel *tunnel, __u64 *hops) {
  int i;
  for (i = 0; i < GH_HOPS - 1 && *hops >> 48; ++i) {
    const struct gh_destination *node = gh_find_node(state, (__u32)(*hops >> 48));
    *hops <<= 16;
    if (node && (node->family == GH_FAMILY_V4) == tunnel->is_v4) return node;
  }
  return 0;
}

/* Rewrites the outer header for the next hop. Non-zero when there is none. */
static inline int gh_send_on(const struct gh_state *state, const struct gh_identity *self, struct gh_packet *packet,
                             const struct gh_tunnel *tunnel, __u64 hops) {
  const struct gh_destination *node = gh_take_hop(state, tunnel, &hops);
  __u8 *outer = packet->start + tunnel->link_length;
  struct gh_ipv4 *v4 = (struct gh_ipv4 *)outer;
  struct gh_ipv6 *v6 = (struct gh_ipv6 *)outer;
  struct gh_gue *gue = (struct gh_gue *)(outer + tunnel->outer_length - sizeof(struct gh_gue));
  if (!node || packet->start + sizeof(struct gh_ethernet) > packet->end) return -1;
  if ((__u8 *)(v6 + 1) > packet->end || (__u8 *)(gue + 1) > packet->end) return -1;
  if (tunnel->is_v4) {
    gh_store_v4(v4->source, &self->gue_v4.address);
    gh_store_v4(v4->destination, &node->address);
    v4->ttl = GH_TUNNEL_TTL;
    v4->checksum = 0;
    v4->checksum = gh_ipv4_checksum(v4);
  } else {
    gh_store_v6(v6->source, &self->gue_v6.address);
    gh_store_v6(v6->destination, &node->address);
    v6->hop_limit = GH_TUNNEL_TTL;
  }
  gue->hops[0] = gh_be16((__u16)(hops >> 48));
  gue->hops[1] = gh_be16((__u16)(hops >> 32));
  gue->hops[2] = gh_be16((__u16)(hops >> 16));
  gh_turn_around(packet->start, packet->start);
  return 0;
}

/* With hops left: GH_NODE_OWNED and GH_NODE_HOP_UNKNOWN are to be delivered. A function of its own, as few packets need it. */
GH_NOINLINE enum gh_verdict gh_ask_hops(const struct gh_state *state, void *context, const struct gh_tunnel *tunnel, __u64 hops) {
  struct gh_packet packet = gh_packet_of(context);
  if (gh_belongs_here(&packet, tunnel)) return GH_NODE_OWNED;
  return gh_send_on(state, gh_get_identity(state), &packet, tunnel, hops) ? GH_NODE_HOP_UNKNOWN : GH_NODE_SENT_ON;
}

static inline enum gh_verdict gh_decapsulate_uncounted(struct gh_tables *tables, struct gh_packet *packet) {
  const struct gh_state *state = gh_get_state(tables);
  const struct gh_identity *self;
  struct gh_tunnel tunnel;
  enum gh_verdict verdict = GH_NODE_DELIVERED;
  __u64 hops;
  if (!state) return GH_NODE_NOT_TUNNEL;
  self = gh_get_identity(state);
  if (!gh_find_tunnel(packet, self, &tunnel)) return GH_NODE_NOT_TUNNEL;
  if (gh_is_stranger(state, self, &tunnel)) return tunnel.is_ipip ? GH_NODE_NOT_TUNNEL : GH_NODE_STRANGER;
  if (gh_read_shim(packet, &tunnel, &hops)) return GH_NODE_BAD_TUNNEL;
  if (hops >> 48) {
    const struct gh_tunnel copy = tunnel; /* what is pointed to is in memory, not in registers */
    verdict = gh_ask_hops(state, packet->context, &copy, hops);
    if (verdict == GH_NODE_SENT_ON) return verdict;
  }
  verdict = gh_strip(packet, &tunnel, verdict);
  if (verdict != GH_NODE_DELIVERED && verdict != GH_NODE_OWNED && verdict != GH_NODE_HOP_UNKNOWN) return verdict;
  return gh_screen(tables, packet, tunnel.link_length, tunnel.protocol == GH_PROTOCOL_IPIP, verdict);
}

static inline enum gh_verdict gh_decapsulate(struct gh_tables *tables, struct gh_packet *packet) {
  const enum gh_verdict verdict = gh_decapsulate_uncounted(tables, packet);
  gh_count_verdict(tables, verdict);
  return verdict;
}
