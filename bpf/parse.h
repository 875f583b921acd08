/* Bytes to struct gh_parsed: Ethernet (one VLAN tag), IPv4 with options, IPv6, the ports of TCP and UDP. Reads the packet
 * only; nothing is kept but offsets and copies of the addresses. */
#pragma once

#include "bpf/hooks.h"

enum gh_parse_outcome {
  GH_PARSED_PORTS,     /* all fields are valid */
  GH_PARSED_NO_PORTS,  /* neither TCP nor UDP: addresses are valid */
  GH_PARSED_FRAGMENT,  /* addresses are valid */
  GH_PARSED_EXTENSION, /* IPv6 with an extension header: addresses are valid */
  GH_PARSED_NOT_IP,    /* also IPv6 to an IPv4-mapped address: nobody's */
  GH_PARSED_TRUNCATED,
};

struct gh_parsed {
  struct gh_address source;
  struct gh_address destination;
  __u64 link_length;      /* Ethernet header with its tag: 14 or 18; 64 bits, so that a spill keeps its bounds */
  __u32 ip_length;        /* as the IP header says; no more than what is there */
  __u64 transport_offset; /* from the IP header; 64 bits for the same reason */
  __be16 source_port;
  __be16 destination_port;
  __u8 protocol;
  __u8 traffic_class;
  __u8 is_v4;
};

static inline __u64 gh_load64(const __u16 *words) {
  return (__u64)words[0] | (__u64)words[1] << 16 | (__u64)words[2] << 32 | (__u64)words[3] << 48;
}

static inline void gh_address_from_v4(struct gh_address *address, const __u16 *words) {
  address->high = 0;
  address->low = 0xffff0000ULL | (__u64)words[0] << 32 | (__u64)words[1] << 48;
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

/* The ethertype behind at most one VLAN tag, in host order; 0 when the frame is shorter than that. */
static inline __u16 gh_parse_link(const struct gh_packet *packet, __u64 *link_length) {
  const struct gh_ethernet *ethernet = (const struct gh_ethernet *)packet->start;
  const struct gh_vlan *vlan = (const struct gh_vlan *)(ethernet + 1);
  __u16 type;
  if ((const __u8 *)(ethernet + 1) > packet->end) return 0;
  type = gh_from_be16(ethernet->type);
  *link_length = sizeof(*ethernet);
  if (type != GH_ETHERTYPE_VLAN && type != GH_ETHERTYPE_QINQ) return type;
  if ((const __u8 *)(vlan + 1) > packet->end) return 0;
  *link_length = sizeof(*ethernet) + sizeof(*vlan);
  return gh_from_be16(vlan->type);
}

/* The ports must lie within the IP packet, whose length is known to lie within the frame; what follows is padding. The
 * verifier knows only `end`. */
static inline enum gh_parse_outcome gh_parse_ports(const __u8 *start, const __u8 *end, struct gh_parsed *parsed) {
  const struct gh_udp *ports = (const struct gh_udp *)(start + parsed->transport_offset);
  if (parsed->protocol != GH_PROTOCOL_TCP && parsed->protocol != GH_PROTOCOL_UDP) return GH_PARSED_NO_PORTS;
  if (parsed->transport_offset + sizeof(*ports) > parsed->ip_length) return GH_PARSED_TRUNCATED;
  if ((const __u8 *)(ports + 1) > end) return GH_PARSED_TRUNCATED;
  parsed->source_port = ports->source_port;
  parsed->destination_port = ports->destination_port;
  return GH_PARSED_PORTS;
}

static inline enum gh_parse_outcome gh_parse_ipv4(const __u8 *start, const __u8 *end, struct gh_parsed *parsed) {
  const struct gh_ipv4 *ip = (const struct gh_ipv4 *)start;
  __u32 header_length;
  if ((const __u8 *)(ip + 1) > end) return GH_PARSED_TRUNCATED;
  header_length = (__u32)(ip->version_length & 0x0f) * 4;
  if (ip->version_length >> 4 != 4 || header_length < sizeof(*ip)) return GH_PARSED_TRUNCATED;
  parsed->is_v4 = 1;
  parsed->protocol = ip->protocol;
  parsed->traffic_class = ip->traffic_class;
  parsed->ip_length = gh_from_be16(ip->total_length);
  parsed->transport_offset = header_length;
  gh_address_from_v4(&parsed->source, ip->source);
  gh_address_from_v4(&parsed->destination, ip->destination);
  if (parsed->ip_length < header_length || start + parsed->ip_length > end) return GH_PARSED_TRUNCATED;
  if (ip->fragment & gh_be16(0x3fff)) return GH_PARSED_FRAGMENT;
  return gh_parse_ports(start, end, parsed);
}

static inline enum gh_parse_outcome gh_parse_ipv6(const __u8 *start, const __u8 *end, struct gh_parsed *parsed) {
  const struct gh_ipv6 *ip = (const struct gh_ipv6 *)start;
  if ((const __u8 *)(ip + 1) > end) return GH_PARSED_TRUNCATED;
  if ((gh_from_be16(ip->version_class_flow[0]) >> 12) != 6) return GH_PARSED_TRUNCATED;
  parsed->is_v4 = 0;
  parsed->protocol = ip->next_header;
  parsed->traffic_class = (__u8)(gh_from_be16(ip->version_class_flow[0]) >> 4);
  parsed->ip_length = (__u32)gh_from_be16(ip->payload_length) + sizeof(*ip);
  parsed->transport_offset = sizeof(*ip);
  gh_address_from_v6(&parsed->source, ip->source);
  gh_address_from_v6(&parsed->destination, ip->destination);
  if (start + parsed->ip_length > end) return GH_PARSED_TRUNCATED;
  if (gh_is_mapped(&parsed->destination)) return GH_PARSED_NOT_IP;
  switch (parsed->protocol) {
    case 0: case 43: case 51: case 60: case 135: return GH_PARSED_EXTENSION; /* RFC 7045 */
    case GH_PROTOCOL_FRAGMENT: return GH_PARSED_FRAGMENT;
    default: return gh_parse_ports(start, end, parsed);
  }
}

/* Parses an IP packet of `type` at `start`. */
static inline enum gh_parse_outcome gh_parse_ip(const __u8 *start, const __u8 *end, __u16 type, struct gh_parsed *parsed) {
  if (type == GH_ETHERTYPE_IPV4) return gh_parse_ipv4(start, end, parsed);
  if (type == GH_ETHERTYPE_IPV6) return gh_parse_ipv6(start, end, parsed);
  return type == 0 ? GH_PARSED_TRUNCATED : GH_PARSED_NOT_IP;
}

static inline enum gh_parse_outcome gh_parse(const struct gh_packet *packet, struct gh_parsed *parsed) {
  const __u16 type = gh_parse_link(packet, &parsed->link_length);
  if (type == 0) return GH_PARSED_TRUNCATED;
  return gh_parse_ip(packet->start + parsed->link_length, packet->end, type, parsed);
}

/* The transport header of a packet that was parsed. The verifier has forgotten by then how far from the start it can be. */
static inline __u8 *gh_transport(const struct gh_packet *packet, const struct gh_parsed *parsed) {
  __u64 offset = parsed->link_length + parsed->transport_offset;
  __asm__("" : "+r"(offset)); /* or the compiler, which has not, drops the mask */
  return packet->start + (offset & 0x3ff);
}
