/* Header layouts on the wire. Our own, packed and aligned to two bytes: with VLAN tags and tunnels a header stands at any
 * even address, and the kernel's structs promise more than that. C11 and C++20. */
#pragma once

#include "bpf/abi.h"

enum {
  GH_LONGEST_LINK = 18, /* Ethernet with a tag */
  GH_ETHERTYPE_IPV4 = 0x0800,
  GH_ETHERTYPE_IPV6 = 0x86dd,
  GH_ETHERTYPE_VLAN = 0x8100,
  GH_ETHERTYPE_QINQ = 0x88a8,
  GH_PROTOCOL_IPIP = 4,
  GH_PROTOCOL_TCP = 6,
  GH_PROTOCOL_UDP = 17,
  GH_PROTOCOL_IPV6 = 41,
  GH_PROTOCOL_FRAGMENT = 44,
  GH_PROTOCOL_ICMPV6 = 58,
  GH_TCP_FIN = 0x01,
  GH_TCP_SYN = 0x02,
  GH_TCP_RST = 0x04,
  GH_TCP_ACK = 0x10,
  /* The low two bits of the traffic class (RFC 3168): no marks wanted is 0. */
  GH_CONGESTION_MASK = 3,
  GH_CONGESTION_CAPABLE_1 = 1,
  GH_CONGESTION_CAPABLE_0 = 2,
  GH_CONGESTION_MET = 3,
};

static inline __be16 gh_be16(__u16 value) { return (__be16)__builtin_bswap16(value); }
static inline __u16 gh_from_be16(__be16 value) { return __builtin_bswap16((__u16)value); }

#define GH_PACKED __attribute__((packed, aligned(2)))

struct gh_ethernet {
  __u8 destination[6];
  __u8 source[6];
  __be16 type;
} GH_PACKED;

struct gh_vlan {
  __be16 control;
  __be16 type;
} GH_PACKED;

struct gh_ipv4 {
  __u8 version_length;
  __u8 traffic_class;
  __be16 total_length;
  __be16 id;
  __be16 fragment;
  __u8 ttl;
  __u8 protocol;
  __u16 checksum;
  __u16 source[2];
  __u16 destination[2];
} GH_PACKED;

struct gh_ipv6 {
  __u16 version_class_flow[2];
  __be16 payload_length;
  __u8 next_header;
  __u8 hop_limit;
  __u16 source[8];
  __u16 destination[8];
} GH_PACKED;

struct gh_udp {
  __be16 source_port;
  __be16 destination_port;
  __be16 length;
  __u16 checksum;
} GH_PACKED;

/* Ports and flags; the rest of a TCP header is not ours to read. */
struct gh_tcp {
  __be16 source_port;
  __be16 destination_port;
  __u16 sequence[2];
  __u16 acknowledgment[2];
  __u8 offset;
  __u8 flags;
  __u16 window;
  __u16 checksum;
  __u16 urgent;
} GH_PACKED;

/* What the tunnel puts before a packet, by the family of the outer header. */
struct gh_outer_v4 {
  struct gh_ipv4 ip;
  struct gh_udp udp;
  struct gh_gue gue;
} GH_PACKED;
struct gh_outer_v6 {
  struct gh_ipv6 ip;
  struct gh_udp udp;
  struct gh_gue gue;
} GH_PACKED;

GH_STATIC_ASSERT(sizeof(struct gh_ethernet) == 14 && sizeof(struct gh_vlan) == 4, "link headers");
GH_STATIC_ASSERT(sizeof(struct gh_ipv4) == 20 && sizeof(struct gh_ipv6) == 40, "network headers");
GH_STATIC_ASSERT(sizeof(struct gh_tcp) == 20 && sizeof(struct gh_udp) == 8, "transport headers");
GH_STATIC_ASSERT(sizeof(struct gh_outer_v4) == 40 && sizeof(struct gh_outer_v6) == 60, "tunnel");
