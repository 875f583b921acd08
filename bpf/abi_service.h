/* The tables of services, VIPs whose servers run nothing of ours (service.h): a part of bpf/abi.h. Again arrays that user space
 * maps and writes by plain stores. Those of two halves (gh_service, gh_quic, gh_vip_place, service lines) are switched together
 * by one store to gh_state.services; gh_server is one word, written when a server's health changes; the flow cache is the
 * front door's own to write. */
#pragma once

#include "bpf/abi.h"

enum {
  GH_MAX_SERVICES = 64,
  GH_SERVICE_GROUPS = GH_MAX_GROUPS - GH_MAX_SERVICES, /* the group of service n is the n-th from here on */
  GH_SERVICES_HALF = 1,       /* in gh_state.services */
  GH_SERVICES_TRANSLATE = 2,
  GH_SERVICES_QUIC = 4,
  GH_FLOW_WAYS = 8,
  GH_QUIC_CONFIGS = 8,        /* of a service, by the first three bits of a connection id; 7 is nobody's */
  GH_LINE_BACK = 0x80,        /* with a protocol, in service lines: (server's address, port) → VIP */
  GH_LINE_HOST = 0xfe,        /* instead of one: an L4 host, which asks servers in its own name */
  GH_LINE_QUIC = 0xff,        /* instead of one: (server id, service) → server */
};

struct gh_service {
  __u16 tcp_idle; /* ticks (seconds, more or less) that a flow without packets is remembered */
  __u16 udp_idle;
  __u8 has_flow_cache;
  __u8 reserved[3];
  __u32 flow_line_mask;  /* lines of the flow cache, a power of two, less one */
  __u32 tick_multiplier; /* ticks of flows in one of gh_get_ticks(), times 2^32 */
};
GH_STATIC_ASSERT(sizeof(struct gh_service) == 16, "gh_service");

enum gh_server_flags { GH_SERVER_USABLE = 1 }; /* up, or draining: flows that are remembered go there */
struct gh_server {
  __u16 service;
  __be16 port; /* GH_ENCAPSULATE_NAT: instead of the VIP's; 0: the VIP's */
  __u8 flags;
  __u8 encapsulation;
  __u16 reserved;
} __attribute__((aligned(8)));
GH_STATIC_ASSERT(sizeof(struct gh_server) == 8, "gh_server");

/* By VIP number: what translation back writes. */
struct gh_vip_place {
  struct gh_address address;
  __be16 port; /* 0: as it is */
  __u8 reserved[14];
};
GH_STATIC_ASSERT(sizeof(struct gh_vip_place) == 32, "gh_vip_place");

/* The memory of flows: lines of eight ways, each one word, so that no reader ever sees half of one:
 *   bits 0..13 server, 14 young, 15 closing, 16..31 age (the tick of the last packet), 32..63 tag; server 0: empty. */
struct gh_flow_line {
  __u64 way[GH_FLOW_WAYS];
} __attribute__((aligned(64)));
GH_STATIC_ASSERT(sizeof(struct gh_flow_line) == 64, "gh_flow_line");

/* One configuration of QUIC-LB (quic.h), by (half, service, config id). */
struct gh_quic {
  __u8 length; /* of server id and nonce together; 0: no such configuration */
  __u8 server_id_length;
  __u8 is_encrypted;
  __u8 right_offset; /* where the right half starts, in four passes */
  __u32 reserved;
  __u64 server_id_mask[2]; /* masks are over memory, sixteen bytes from the left */
  __u64 left_mask[2];
  __u64 right_mask[2];
  __u32 keys[44]; /* round keys: of decryption for a single pass, of encryption for four */
  __u32 reserved2[6];
};
GH_STATIC_ASSERT(sizeof(struct gh_quic) == 256, "gh_quic");

/* The tables of AES in one direction (aes.h). */
struct gh_aes {
  __u32 round[4][256];
  __u8 box[256];
};
GH_STATIC_ASSERT(sizeof(struct gh_aes) == 4352, "gh_aes");
enum { GH_AES_ENCRYPT, GH_AES_DECRYPT, GH_AES_DIRECTIONS };

/* Counters of a service: one region per CPU, a line for each service. */
#define GH_SERVICE_COUNTS(GH_COUNT)                                                          \
  GH_COUNT(REMEMBERED, "remembered", "packets of flows that the flow cache knew")            \
  GH_COUNT(CHOSEN, "chosen", "packets for which the ring chose, and flows that were stored") \
  GH_COUNT(REPLACED, "replaced", "flows forgotten early, for want of room")                  \
  GH_COUNT(MOVED, "moved", "flows whose server was gone: another was chosen")                \
  GH_COUNT(QUIC_ROUTED, "quic_routed", "QUIC: by the server id in the connection id")        \
  GH_COUNT(QUIC_FIRST, "quic_first", "QUIC: long header without a server id of ours")        \
  GH_COUNT(QUIC_UNKNOWN, "quic_unknown", "QUIC: short header without a server id of ours")   \
  GH_COUNT(TRANSLATED_BACK, "translated_back", "packets of servers that got the VIP's address")
enum gh_service_count {
#define GH_ENUM(name, text, help) GH_COUNT_##name,
  GH_SERVICE_COUNTS(GH_ENUM)
#undef GH_ENUM
  GH_SERVICE_COUNT_COUNT
};
struct gh_service_counts {
  __u64 count[8];
};
GH_STATIC_ASSERT((int)GH_SERVICE_COUNT_COUNT <= 8, "counters of a service fill a cache line");
