/* The outer header: IPv4 or IPv6 by the node's family, then by the VIP's encapsulation
 *   GUE with hop list  UDP and GUE with our private field (bpf/abi.h): 40 bytes over IPv4, 60 over IPv6
 *   GUE                UDP and the four bytes of a GUE header without fields: 32, 52
 *   IPIP               nothing: IPIP, IP6IP6 and their mixes (RFC 2003, RFC 2473): 20, 40
 * and in each
 *   DSCP and ECN are those of the inner packet (RFC 6040, normal mode); TTL 64.
 *   IPv4: DF and id 0, which RFC 6864 allows for packets that nobody may fragment.
 *   Entropy for receive queues and equal-cost paths, from the flow hash: the UDP source port, 49152 and fourteen bits;
 *   with IPIP the host bits of the source prefix that the site sets, if it does; over IPv6 also the flow label (RFC 6438).
 *   UDP checksum 0 in both families: allowed for tunnels by RFC 6935 and RFC 6936, the inner checksum covers the rest. */
#pragma once

#include "bpf/route.h"

enum {
  GH_TUNNEL_TTL = 64,
  GH_TUNNEL_FIRST_PORT = 49152,
  GH_TUNNEL_PORT_SHIFT = 18, /* of the 32-bit hash: fourteen bits are left */
  GH_GUE_LENGTH = 12,        /* UDP and GUE */
  GH_GUE_HOPS_LENGTH = 20,
  GH_DONT_FRAGMENT = 0x4000,
};

/* What stands between the outer IP header and the packet. By arithmetic, as in gh_is_tag(). */
static inline __u32 gh_shim_length(__u8 encapsulation) {
  const __u32 lengths = GH_GUE_HOPS_LENGTH << 8 * GH_ENCAPSULATE_GUE_HOPS | GH_GUE_LENGTH << 8 * GH_ENCAPSULATE_GUE;
  return lengths >> (encapsulation & 3) * 8 & 0x1f;
}

static inline __u32 gh_outer_length(__u8 encapsulation, __u8 family) {
  const __u32 less = sizeof(struct gh_ipv6) - sizeof(struct gh_ipv4);
  return gh_shim_length(encapsulation) + (__u32)sizeof(struct gh_ipv6) - less * (family & GH_FAMILY_V4);
}

/* Of sums below 2^20. */
static inline __u16 gh_fold(__u32 sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (__u16)~sum;
}

static inline __u8 gh_inner_protocol(int is_v4) { return is_v4 ? GH_PROTOCOL_IPIP : GH_PROTOCOL_IPV6; }

/* UDP and GUE before `payload` bytes, as words of memory, least significant byte first. */
GH_INLINE void gh_write_shim(__u8 *to, __u8 encapsulation, __u8 inner_protocol, __u32 payload,
                                 const struct gh_routed *routed) {
  const __u16 source_port = gh_be16((__u16)(GH_TUNNEL_FIRST_PORT | routed->hash >> GH_TUNNEL_PORT_SHIFT));
  const __u16 length = gh_be16((__u16)(payload + gh_shim_length(encapsulation)));
  const int has_hops = encapsulation == GH_ENCAPSULATE_GUE_HOPS;
  gh_store64(to, source_port | (__u64)gh_be16(GH_TUNNEL_PORT) << 16 | (__u64)length << 32);
  gh_store32(to + sizeof(struct gh_udp), (has_hops ? 2u : 0u) | (__u32)inner_protocol << 8);
  /* The epoch takes the owner's place; the rest of the hop list is as it goes on the wire but for the order of bytes. */
  if (has_hops) {
    const __u64 field = (routed->slot & 0x0000ffffffffffffULL) | (__u64)routed->epoch << 48;
    gh_store64(to + GH_GUE_LENGTH, __builtin_bswap64(field));
  }
}

GH_INLINE void gh_write_ipv4(__u8 *to, const struct gh_source *source, __u32 entropy, const struct gh_destination *node,
                             __u8 protocol, __u8 traffic_class, __u32 total_length) {
  const __u16 length = gh_be16((__u16)total_length), dont_fragment = gh_be16(GH_DONT_FRAGMENT);
  const __u16 class_word = (__u16)(0x45 | traffic_class << 8), ttl_word = (__u16)(GH_TUNNEL_TTL | protocol << 8);
  const __u16 checksum = gh_fold((__u32)class_word + length + dont_fragment + ttl_word + source->sum + (entropy & 0xffff) +
                                 (entropy >> 16) + node->sum);
  const __u32 from = (__u32)(source->address.low >> 32) | entropy;
  gh_store64(to, class_word | (__u64)length << 16 | (__u64)dont_fragment << 48);
  gh_store64(to + 8, ttl_word | (__u64)checksum << 16 | (__u64)from << 32);
  gh_store32(to + 16, (__u32)(node->address.low >> 32));
}

GH_INLINE void gh_write_ipv6(__u8 *to, const struct gh_source *source, __u64 entropy, const struct gh_destination *node,
                             __u8 protocol, __u8 traffic_class, __u32 label, __u32 payload_length) {
  const __u32 first = 6u << 28 | (__u32)traffic_class << 20 | label;
  const __u16 length = gh_be16((__u16)payload_length), last = (__u16)(protocol | GH_TUNNEL_TTL << 8);
  gh_store64(to, __builtin_bswap32(first) | (__u64)length << 32 | (__u64)last << 48);
  gh_store64(to + 8, source->address.high);
  gh_store64(to + 16, source->address.low | entropy);
  gh_store64(to + 24, node->address.high);
  gh_store64(to + 32, node->address.low);
}

GH_INLINE void gh_write_outer_v4(__u8 *to, const struct gh_identity *identity, __u8 encapsulation,
                                 const struct gh_destination *node, const struct gh_parsed *inner,
                                 const struct gh_routed *routed) {
  const __u8 protocol = gh_inner_protocol(inner->is_v4);
  const __u32 length = inner->ip_length + sizeof(struct gh_ipv4), shim = gh_shim_length(encapsulation);
  if (encapsulation == GH_ENCAPSULATE_IPIP) {
    const __u32 entropy = routed->hash & (__u32)(identity->ipip_v4.entropy >> 32);
    gh_write_ipv4(to, &identity->ipip_v4, entropy, node, protocol, inner->traffic_class, length);
  } else {
    gh_write_ipv4(to, &identity->gue_v4, 0, node, GH_PROTOCOL_UDP, inner->traffic_class, length + shim);
    gh_write_shim(to + sizeof(struct gh_ipv4), encapsulation, protocol, inner->ip_length, routed);
  }
}

GH_INLINE void gh_write_outer_v6(__u8 *to, const struct gh_identity *identity, __u8 encapsulation,
                                 const struct gh_destination *node, const struct gh_parsed *inner,
                                 const struct gh_routed *routed) {
  const __u8 protocol = gh_inner_protocol(inner->is_v4);
  const __u32 label = routed->hash >> 12; /* twenty bits */
  if (encapsulation == GH_ENCAPSULATE_IPIP) {
    const __u64 entropy = ((__u64)routed->hash << 32 | routed->hash) & identity->ipip_v6.entropy;
    gh_write_ipv6(to, &identity->ipip_v6, entropy, node, protocol, inner->traffic_class, label, inner->ip_length);
  } else {
    const __u32 length = inner->ip_length + gh_shim_length(encapsulation);
    gh_write_ipv6(to, &identity->gue_v6, 0, node, GH_PROTOCOL_UDP, inner->traffic_class, label, length);
    gh_write_shim(to + sizeof(struct gh_ipv6), encapsulation, protocol, inner->ip_length, routed);
  }
}

/* The frame goes back by the way it came: the router that sent it routes the outer packet. `from` has been checked to be
 * readable for twelve bytes, `to` to be writable. */
GH_INLINE void gh_turn_around(const __u8 *from, __u8 *to) {
  const __u64 first = gh_load64(from); /* destination, two bytes of the source */
  const __u32 second = gh_load32(from + 8);
  gh_store64(to, first >> 48 | (__u64)second << 16 | first << 48);
  gh_store32(to + 8, (__u32)(first >> 16));
}

/* Puts the link header that is at `from` at `to`, with `type` behind its tags. Both have been checked to be accessible for the
 * longest one. */
GH_INLINE void gh_copy_tags(const __u8 *from, __u8 *to, __u64 link_length, __be16 type) {
  if (link_length == sizeof(struct gh_ethernet)) {
    gh_store16(to + 12, type);
    return;
  }
  if (link_length == sizeof(struct gh_ethernet) + sizeof(struct gh_vlan)) {
    gh_store32(to + 12, gh_load32(from + 12));
    gh_store16(to + 16, type);
    return;
  }
  gh_store64(to + 12, gh_load64(from + 12));
  gh_store16(to + 20, type);
}

/* Puts the outer header before the packet and turns it around. The caller has checked that it fits the fabric. */
GH_INLINE enum gh_verdict gh_encapsulate(struct gh_packet *packet, const struct gh_identity *identity,
                                             __u8 encapsulation, const struct gh_destination *node,
                                             const struct gh_parsed *inner, const struct gh_routed *routed) {
  const __u64 outer_length = gh_outer_length(encapsulation, node->family), link_length = inner->link_length;
  __u8 *outer, *old;
  if (gh_move_start(packet, -(int)outer_length)) return GH_NO_HEADROOM;
  /* What was readable before must be shown to the verifier again. */
  outer = gh_same(packet->start + link_length);
  old = gh_same(packet->start + outer_length);
  if (packet->start + GH_LONGEST_LINK > packet->end || old + GH_LONGEST_LINK > packet->end) return GH_NO_HEADROOM;
  gh_turn_around(old, packet->start);
  if (node->family == GH_FAMILY_V4) {
    if (outer + sizeof(struct gh_outer_v4) > packet->end) return GH_NO_HEADROOM;
    gh_copy_tags(old, packet->start, link_length, gh_be16(GH_ETHERTYPE_IPV4));
    gh_write_outer_v4(outer, identity, encapsulation, node, inner, routed);
  } else {
    if (outer + sizeof(struct gh_outer_v6) > packet->end) return GH_NO_HEADROOM;
    gh_copy_tags(old, packet->start, link_length, gh_be16(GH_ETHERTYPE_IPV6));
    gh_write_outer_v6(outer, identity, encapsulation, node, inner, routed);
  }
  return GH_FORWARDED;
}
