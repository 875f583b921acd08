/* Header layouts on the wire. Our own, packed and aligned to two bytes: with VLAN tags and tunnels a header stands at any
 * even address, and the kernel's structs promise more than that. C11 and C++20. */
#pragma once

#include "bpf/abi.h"

/* The path that all packets take is one function: a call costs the kernel's more than what it would do. What few packets need
 * is another, so that its registers and its stack are not those of the path. */
#define GH_INLINE static inline __attribute__((always_inline))
#define GH_NOINLINE static __attribute__((noinline))
/* A function that the verifier reads by itself, once, whatever leads to it. */
#ifdef __bpf__
#define GH_GLOBAL __attribute__((noinline))
#else
#define GH_GLOBAL static inline
#endif

enum {
  GH_ETHERTYPE_IPV4 = 0x0800,
  GH_ETHERTYPE_IPV6 = 0x86dd,
  GH_ETHERTYPE_VLAN = 0x8100,
  GH_ETHERTYPE_QINQ = 0x88a8,
  GH_PROTOCOL_HOP_OPTIONS = 0,
  GH_PROTOCOL_ICMP = 1,
  GH_PROTOCOL_IPIP = 4,
  GH_PROTOCOL_TCP = 6,
  GH_PROTOCOL_UDP = 17,
  GH_PROTOCOL_IPV6 = 41,
  GH_PROTOCOL_ROUTING = 43,
  GH_PROTOCOL_FRAGMENT = 44,
  GH_PROTOCOL_AUTHENTICATION = 51,
  GH_PROTOCOL_ICMPV6 = 58,
  GH_PROTOCOL_OPTIONS = 60,
  GH_PROTOCOL_MOBILITY = 135,
  GH_PROTOCOL_HOST_IDENTITY = 139,
  GH_PROTOCOL_SHIM6 = 140,
  GH_TCP_FIN = 0x01,
  GH_TCP_SYN = 0x02,
  GH_TCP_RST = 0x04,
  GH_TCP_ACK = 0x10,
  GH_ICMP_UNREACHABLE = 3,
  GH_ICMP_TOO_BIG_CODE = 4,
  GH_ICMP_ECHO = 8,
  GH_ICMP_ECHO_REPLY = 0,
  GH_ICMP_TIME_EXCEEDED = 11,
  GH_ICMP_PARAMETER_PROBLEM = 12,
  GH_ICMPV6_UNREACHABLE = 1,
  GH_ICMPV6_TOO_BIG = 2,
  GH_ICMPV6_PARAMETER_PROBLEM = 4,
  GH_ICMPV6_ECHO = 128,
  GH_ICMPV6_ECHO_REPLY = 129,
  /* The low two bits of the traffic class (RFC 3168): no marks wanted is 0. */
  GH_CONGESTION_MASK = 3,
  GH_CONGESTION_CAPABLE_1 = 1,
  GH_CONGESTION_CAPABLE_0 = 2,
  GH_CONGESTION_MET = 3,
};

/* `value`, calculated here and once: a pointer that is made again is, to the verifier, another one whose bounds nobody has
 * checked, and what is calculated later keeps what it is made of in registers until then. */
#define gh_same(value)                \
  ({                                  \
    __typeof__(value) same = (value); \
    __asm__ volatile("" : "+r"(same)); \
    same;                             \
  })

/* `index`, shown to the verifier to be below `limit`, a power of two, also where the compiler knows that it is. */
static inline __u64 gh_within(__u64 index, __u64 limit) {
  __asm__("" : "+r"(index));
  return index & (limit - 1);
}

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

struct gh_icmp {
  __u8 type;
  __u8 code;
  __u16 checksum;
  __be16 words[2]; /* echo: identifier, sequence; too big: unused and MTU, or the MTU's two halves */
} GH_PACKED;

/* IPv6 extension headers that can be followed (RFC 8200 §4). */
struct gh_extension {
  __u8 next_header;
  __u8 length; /* in units of eight bytes, beyond the first */
  __u8 body[6];
} GH_PACKED;

/* What the tunnel with a hop list puts before a packet, by the family of the outer header. */
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
GH_STATIC_ASSERT(sizeof(struct gh_icmp) == 8 && sizeof(struct gh_extension) == 8, "icmp, extension");
GH_STATIC_ASSERT(sizeof(struct gh_outer_v4) == 40 && sizeof(struct gh_outer_v6) == 60, "tunnel");
