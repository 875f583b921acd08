/* Bytes to struct gh_parsed: Ethernet with up to two VLAN tags, IPv4 with options, IPv6 with up to six extension headers, the
 * ports of TCP and UDP. Reads the packet only; nothing is kept but offsets and copies. Before any of it gh_may_be_vip() asks
 * the address filter: a packet that is not for us costs little more than that. */
#pragma once

#include "bpf/hash.h"
#include "bpf/hooks.h"

enum {
  GH_MAX_EXTENSIONS = 6,
  GH_LONGEST_LINK = sizeof(struct gh_ethernet) + 2 * sizeof(struct gh_vlan),
};

/* From GH_PARSED_TRUNCATED on nothing is known of the packet but its addresses, from GH_PARSED_NOT_IP on not even those. */
enum gh_parse_outcome {
  GH_PARSED_PORTS,     /* all fields are valid */
  GH_PARSED_FRAGMENT,  /* the first one has ports */
  GH_PARSED_NO_PORTS,  /* neither TCP nor UDP */
  GH_PARSED_EXTENSION, /* IPv6 headers that are not followed: too many, or a kind that has more to it than its length */
  GH_PARSED_TRUNCATED, /* ends before its headers do, or they contradict each other */
  GH_PARSED_NOT_IP,    /* also IPv6 to an IPv4-mapped address, nobody's; and a frame that ends before the addresses do */
};

enum gh_form {
  GH_FORM_WHOLE,
  GH_FORM_FIRST, /* fragment; ports are valid */
  GH_FORM_LATER, /* fragment without ports, which are 0 */
  GH_FORM_ERROR, /* ICMP error: addresses, ports and protocol are those of the flow that it is about (icmp.h) */
};

struct gh_parsed {
  struct gh_address source;
  struct gh_address destination;
  __u64 transport_offset; /* from the IP header; 64 bits, so that a spill keeps its bounds */
  __u32 ip_length;        /* as the IP header says; no more than what is there */
  union {
    struct {
      __be16 source_port;
      __be16 destination_port;
    };
    __u32 ports;
  };
  __u8 protocol;
  __u8 tcp_flags; /* 0 for all but TCP */
  __u8 traffic_class;
  __u8 is_v4;
  __u8 form;        /* enum gh_form */
  __u8 link_length; /* Ethernet header with its tags: 14, 18 or 22; a byte has bounds that the verifier sees in memory, too */
  __u16 reserved;   /* 0: what a function of its own is given may have no byte that nobody wrote */
};

static inline void gh_address_from_v4(struct gh_address *address, const __u16 *words) {
  address->high = 0;
  address->low = 0xffff0000ULL | (__u64)gh_load32(words) << 32;
}

static inline void gh_address_from_v6(struct gh_address *address, const __u16 *words) {
  address->high = gh_load64(words);
  address->low = gh_load64(words + 4);
}

/* Whether `address` has the form in which the tables hold IPv4. On the wire no IPv6 header may (RFC 4942 §2.2): it would
 * pass for the IPv4 address. */
static inline int gh_is_mapped(const struct gh_address *address) {
  return address->high == 0 && (__u32)address->low == 0xffff0000u;
}

/* 1 for a VLAN tag, else 0, by arithmetic: a branch would be one more path for the verifier, which follows each to its end. */
static inline __u64 gh_is_tag(__be16 type) {
  __u64 difference = (__u64)(type ^ gh_be16(GH_ETHERTYPE_VLAN)) * (type ^ gh_be16(GH_ETHERTYPE_QINQ));
  __asm__("" : "+r"(difference));
  return (difference - 1) >> 63;
}

/* The ethertype behind at most two VLAN tags; 0 when the frame is too short for any packet of ours. */
static inline __be16 gh_parse_link(const struct gh_packet *packet, __u64 *link_length) {
  const struct gh_ethernet *ethernet = (const struct gh_ethernet *)packet->start;
  const struct gh_vlan *vlan = (const struct gh_vlan *)(ethernet + 1);
  const __u8 *behind;
  __u64 is_tagged, tags;
  *link_length = sizeof(*ethernet);
  if (packet->start + GH_LONGEST_LINK > packet->end) return 0;
  is_tagged = gh_is_tag(ethernet->type);
  tags = sizeof(*vlan) * (is_tagged + (is_tagged & gh_is_tag(vlan->type)));
  *link_length += tags;
  behind = gh_same(packet->start + tags);
  return behind + sizeof(*ethernet) > packet->end ? 0 : gh_load16(behind + __builtin_offsetof(struct gh_ethernet, type));
}

/* Whether the destination can be a VIP's address: rarely wrong, and never about a VIP's. */
GH_INLINE int gh_may_be_vip_v4(const struct gh_state *state, const __u8 *start, const __u8 *end) {
  const struct gh_ipv4 *ip = (const struct gh_ipv4 *)start;
  const __u8 *filter = state->filter + (state->vip_half & 1) * GH_FILTER_BYTES;
  return (const __u8 *)(ip + 1) <= end && filter[gh_filter_index_v4(gh_load32(ip->destination))];
}
GH_INLINE int gh_may_be_vip_v6(const struct gh_state *state, const __u8 *start, const __u8 *end) {
  const struct gh_ipv6 *ip = (const struct gh_ipv6 *)start;
  const __u8 *filter = state->filter + (state->vip_half & 1) * GH_FILTER_BYTES;
  return (const __u8 *)(ip + 1) <= end &&
         filter[gh_filter_index_v6(gh_load64(ip->destination), gh_load64(ip->destination + 4))];
}
static inline int gh_may_be_vip(const struct gh_state *state, const __u8 *start, const __u8 *end, __be16 type) {
  if (type == gh_be16(GH_ETHERTYPE_IPV4)) return gh_may_be_vip_v4(state, start, end);
  return type == gh_be16(GH_ETHERTYPE_IPV6) && gh_may_be_vip_v6(state, start, end);
}

/* The header must lie within the IP packet, whose length is known to lie within the frame; what follows is padding. The
 * verifier knows only `end`. A first fragment must have the whole of it, too (RFC 1858 §3). */
GH_INLINE enum gh_parse_outcome gh_parse_ports(const __u8 *start, const __u8 *end, struct gh_parsed *parsed) {
  const __u8 *header = start + parsed->transport_offset;
  const __u64 length = parsed->ip_length;
  if (parsed->protocol == GH_PROTOCOL_TCP) {
    if (parsed->transport_offset + sizeof(struct gh_tcp) > length || header + sizeof(struct gh_tcp) > end) {
      return GH_PARSED_TRUNCATED;
    }
    parsed->tcp_flags = ((const struct gh_tcp *)header)->flags;
  } else if (parsed->protocol == GH_PROTOCOL_UDP) {
    if (parsed->transport_offset + sizeof(struct gh_udp) > length || header + sizeof(struct gh_udp) > end) {
      return GH_PARSED_TRUNCATED;
    }
    parsed->tcp_flags = 0;
  } else {
    return parsed->transport_offset > length ? GH_PARSED_TRUNCATED : GH_PARSED_NO_PORTS;
  }
  parsed->ports = gh_load32(header);
  return parsed->form == GH_FORM_WHOLE ? GH_PARSED_PORTS : GH_PARSED_FRAGMENT;
}

static inline enum gh_parse_outcome gh_later_fragment(struct gh_parsed *parsed) {
  if (parsed->transport_offset > parsed->ip_length) return GH_PARSED_TRUNCATED;
  parsed->form = GH_FORM_LATER;
  parsed->ports = 0;
  parsed->tcp_flags = 0;
  return GH_PARSED_FRAGMENT;
}

/* The IP header is at `offset`, here and below. */
GH_INLINE enum gh_parse_outcome gh_parse_ipv4(const struct gh_packet *packet, __u64 offset, struct gh_parsed *parsed) {
  const __u8 *start = packet->start + offset;
  const struct gh_ipv4 *ip = (const struct gh_ipv4 *)start;
  if ((const __u8 *)(ip + 1) > packet->end) return GH_PARSED_NOT_IP;
  parsed->is_v4 = 1;
  parsed->reserved = 0;
  parsed->form = GH_FORM_WHOLE;
  parsed->protocol = ip->protocol;
  parsed->traffic_class = ip->traffic_class;
  parsed->ip_length = gh_from_be16(ip->total_length);
  parsed->transport_offset = (__u64)(ip->version_length & 0x0f) * 4;
  gh_address_from_v4(&parsed->source, ip->source);
  gh_address_from_v4(&parsed->destination, ip->destination);
  if (ip->version_length >> 4 != 4 || parsed->transport_offset < sizeof(*ip)) return GH_PARSED_TRUNCATED;
  if (start + parsed->ip_length > packet->end) return GH_PARSED_TRUNCATED;
  if (ip->fragment & gh_be16(0x3fff)) {
    if (ip->fragment & gh_be16(0x1fff)) return gh_later_fragment(parsed);
    parsed->form = GH_FORM_FIRST;
  }
  return gh_parse_ports(start, packet->end, parsed);
}

static inline int gh_is_extension(__u8 protocol) {
  return protocol == GH_PROTOCOL_HOP_OPTIONS || protocol == GH_PROTOCOL_ROUTING || protocol == GH_PROTOCOL_OPTIONS ||
         protocol == GH_PROTOCOL_FRAGMENT;
}

/* Those of RFC 7045 whose length or meaning is not the usual one. */
static inline int gh_is_odd_extension(__u8 protocol) {
  return protocol == GH_PROTOCOL_AUTHENTICATION || protocol == GH_PROTOCOL_MOBILITY ||
         protocol == GH_PROTOCOL_HOST_IDENTITY || protocol == GH_PROTOCOL_SHIM6;
}

/* Follows the chain of extension headers. GH_PARSED_PORTS: protocol and offset are those of what comes after it. */
static inline enum gh_parse_outcome gh_follow_extensions(const struct gh_packet *packet, __u64 offset,
                                                         struct gh_parsed *parsed) {
  int i;
  for (i = 0; i < GH_MAX_EXTENSIONS && gh_is_extension(parsed->protocol); ++i) {
    const __u8 protocol = parsed->protocol;
    struct gh_extension header;
    __u16 word;
    if (parsed->transport_offset + sizeof(header) > parsed->ip_length) return GH_PARSED_TRUNCATED;
    if (gh_read(packet, offset + parsed->transport_offset, &header, sizeof(header))) return GH_PARSED_TRUNCATED;
    parsed->protocol = header.next_header;
    parsed->transport_offset += sizeof(header);
    word = (__u16)(header.body[0] << 8 | header.body[1]);
    if (protocol == GH_PROTOCOL_FRAGMENT) {
      if (word >> 3) return gh_later_fragment(parsed);
      if (word & 1) parsed->form = GH_FORM_FIRST; /* without it the fragment is the whole packet (RFC 6946) */
      continue;
    }
    /* With segments left the destination is not the last one (RFC 8200 §4.4): a VIP forwards for nobody. */
    if (protocol == GH_PROTOCOL_ROUTING && (word & 0xff)) return GH_PARSED_EXTENSION;
    parsed->transport_offset += (__u64)header.length * 8;
  }
  return gh_is_extension(parsed->protocol) || gh_is_odd_extension(parsed->protocol) ? GH_PARSED_EXTENSION : GH_PARSED_PORTS;
}

/* As gh_parse_ports(), where extension headers stand before the ports. */
GH_NOINLINE enum gh_parse_outcome gh_parse_far_ports(const struct gh_packet *packet, __u64 offset,
                                                     struct gh_parsed *parsed) {
  const enum gh_parse_outcome outcome = gh_follow_extensions(packet, offset, parsed);
  const __u32 size = parsed->protocol == GH_PROTOCOL_TCP ? sizeof(struct gh_tcp) : sizeof(struct gh_udp);
  union {
    struct gh_tcp tcp;
    __u32 ports;
  } header;
  if (outcome != GH_PARSED_PORTS) return outcome;
  if (parsed->transport_offset > parsed->ip_length) return GH_PARSED_TRUNCATED;
  if (parsed->protocol != GH_PROTOCOL_TCP && parsed->protocol != GH_PROTOCOL_UDP) return GH_PARSED_NO_PORTS;
  if (parsed->transport_offset + size > parsed->ip_length) return GH_PARSED_TRUNCATED;
  if (gh_read(packet, offset + parsed->transport_offset, &header, size)) return GH_PARSED_TRUNCATED;
  parsed->tcp_flags = parsed->protocol == GH_PROTOCOL_TCP ? header.tcp.flags : 0;
  parsed->ports = header.ports;
  return parsed->form == GH_FORM_WHOLE ? GH_PARSED_PORTS : GH_PARSED_FRAGMENT;
}

/* GH_PARSED_EXTENSION also when they could be followed: gh_parse_ip() does. */
GH_INLINE enum gh_parse_outcome gh_parse_ipv6(const struct gh_packet *packet, __u64 offset, struct gh_parsed *parsed) {
  const __u8 *start = packet->start + offset;
  const struct gh_ipv6 *ip = (const struct gh_ipv6 *)start;
  if ((const __u8 *)(ip + 1) > packet->end) return GH_PARSED_NOT_IP;
  parsed->is_v4 = 0;
  parsed->reserved = 0;
  parsed->form = GH_FORM_WHOLE;
  parsed->protocol = ip->next_header;
  parsed->traffic_class = (__u8)(gh_from_be16(ip->version_class_flow[0]) >> 4);
  parsed->ip_length = (__u32)gh_from_be16(ip->payload_length) + sizeof(*ip);
  parsed->transport_offset = sizeof(*ip);
  gh_address_from_v6(&parsed->source, ip->source);
  gh_address_from_v6(&parsed->destination, ip->destination);
  if (gh_is_mapped(&parsed->destination)) return GH_PARSED_NOT_IP;
  if ((gh_from_be16(ip->version_class_flow[0]) >> 12) != 6) return GH_PARSED_TRUNCATED;
  if (start + parsed->ip_length > packet->end) return GH_PARSED_TRUNCATED;
  if (parsed->protocol == GH_PROTOCOL_TCP || parsed->protocol == GH_PROTOCOL_UDP) {
    return gh_parse_ports(start, packet->end, parsed);
  }
  return GH_PARSED_EXTENSION;
}

/* Parses an IP packet of `type`. */
static inline enum gh_parse_outcome gh_parse_ip(const struct gh_packet *packet, __u64 offset, __be16 type,
                                                struct gh_parsed *parsed) {
  enum gh_parse_outcome outcome;
  if (type == gh_be16(GH_ETHERTYPE_IPV4)) return gh_parse_ipv4(packet, offset, parsed);
  if (type != gh_be16(GH_ETHERTYPE_IPV6)) return GH_PARSED_NOT_IP;
  outcome = gh_parse_ipv6(packet, offset, parsed);
  return outcome == GH_PARSED_EXTENSION ? gh_parse_far_ports(packet, offset, parsed) : outcome;
}

static inline enum gh_parse_outcome gh_parse(const struct gh_packet *packet, struct gh_parsed *parsed) {
  __u64 link_length;
  const __be16 type = gh_parse_link(packet, &link_length);
  parsed->link_length = (__u8)link_length;
  return gh_parse_ip(packet, link_length, type, parsed);
}

/* The transport header of a packet that was parsed. The verifier has forgotten by then how far from the start it can be. */
static inline __u8 *gh_transport(const struct gh_packet *packet, const struct gh_parsed *parsed) {
  __u64 offset = parsed->link_length + parsed->transport_offset;
  __asm__("" : "+r"(offset)); /* or the compiler, which has not, drops the mask */
  return packet->start + (offset & 0x3ff);
}
