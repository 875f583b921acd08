/* Everything that crosses between the BPF programs, the user-space build of the packet core and the daemons: table
 * layouts, limits, counters, the tunnel header's private field. C11 and C++20; the only definition of any of it.
 *
 * All tables are arrays that user space maps into its memory (BPF_F_MMAPABLE): the daemons write them with plain
 * stores, and the same layout serves the user-space data plane and the tests. What has to change as a whole is
 * prepared beside the live part and switched by one aligned store:
 *   - the VIP table and the address filter have two halves; gh_state.vip_half names the live ones;
 *   - what a plane says of itself has two copies; gh_state.identity names the live one;
 *   - a new ring is written to an idle area of the slot table; one 64-bit store to gh_group.ring switches to it.
 *   - a node has two destinations; gh_node.live names the one in use.
 * An idle part is reused only after a grace period (DataPlane::wait_for_readers).
 * A slot is one word, and a packet looks at one slot: the slots of a live ring change where they are, each by one store. What
 * does not change stays in the caches of the CPUs that forward.
 */
#pragma once

#include "bpf/abi_guard.h"

/* Raised whenever the meaning of a table changes but not its size: tables pinned by another layout are not adopted. */
enum { GH_LAYOUT = 3 };

/* Limits. A table's index is always checked against its limit before use. */
enum {
  GH_MAX_NODES = 4096,     /* node ids are 1..GH_MAX_NODES-1; 0 means "none" */
  GH_MAX_VIPS = 512,       /* VIP numbers are 0..GH_MAX_VIPS-1 */
  GH_MAX_GROUPS = 1024,    /* sets of nodes that VIPs share: one ring each */
  GH_VIP_LINES = 2048,     /* lines in one half of the VIP table; a power of two */
  GH_FILTER_BYTES = 16384, /* of one half of the address filter; a power of two */
  GH_KEY_WORDS = 12,       /* of the flow hash */
  GH_HOPS = 4,             /* the owner and up to three owners before it */
  GH_MAX_LISTENERS = 64,
  GH_MAX_WORKERS = 64,     /* of one node */
  GH_TUNNEL_PORT = 6080,   /* GUE */
};

/* ---- The slot: a hop list in one 64-bit word ----
 * Bits 63..48 the current owner, 47..32 the owner before it, and so on; unused places are 0 and last. With the epoch in the
 * owner's place and its bytes swapped it is the private field of the tunnel's header. */
static inline __u64 gh_slot(__u16 owner, __u16 second, __u16 third, __u16 fourth) {
  return (__u64)owner << 48 | (__u64)second << 32 | (__u64)third << 16 | fourth;
}
static inline __u16 gh_slot_hop(__u64 slot, int place) { return (__u16)(slot >> (48 - 16 * place)); }

/* ---- The ring of a group, switched by one store ---- */
static inline __u64 gh_ring(__u32 base, __u16 epoch) { return (__u64)base | (__u64)epoch << 32 | 1ULL << 63; }
static inline __u32 gh_ring_base(__u64 ring) { return (__u32)ring; } /* first slot in the slot table */
static inline __u16 gh_ring_epoch(__u64 ring) { return (__u16)(ring >> 32); }
static inline int gh_ring_is_set(__u64 ring) { return (ring >> 63) != 0; }

struct gh_group {
  __u64 ring;
};
GH_STATIC_ASSERT(sizeof(struct gh_group) == 8, "gh_group");

/* An IP address as two words of memory in network byte order; IPv4 as ::ffff:a.b.c.d. */
struct gh_address {
  __u64 high;
  __u64 low;
};

/* ---- What a VIP asks for; all zero is a TCP or UDP VIP of nodes that run our agent ---- */
enum gh_vip_flags {
  GH_VIP_GUARDED = 1,   /* prefix rules and limits apply: guard.h */
  GH_VIP_SERVICE = 2,   /* servers without our agent: service.h chooses, not the ring alone */
  GH_VIP_QUIC = 4,      /* service.h looks for a server id in the connection id */
  GH_VIP_FRAGMENTS = 8, /* fragments are forwarded; its hash_fields leave ports out */
  GH_VIP_LONG_WAY = GH_VIP_SERVICE | GH_VIP_QUIC | GH_VIP_FRAGMENTS,
};
enum gh_encapsulation {
  GH_ENCAPSULATE_GUE_HOPS, /* GUE with our private field: epoch and hop list */
  GH_ENCAPSULATE_GUE,      /* GUE without: for stock receivers */
  GH_ENCAPSULATE_IPIP,     /* the IP header alone: IPIP, IP6IP6 and their mixes */
  GH_ENCAPSULATE_NAT,      /* none: destination address and port are rewritten, service.h */
};
enum gh_hash_fields {
  GH_HASH_FLOW,      /* addresses, ports, protocol */
  GH_HASH_ADDRESSES, /* source and destination address */
  GH_HASH_SOURCE,    /* source address only */
};

/* ---- The VIP table: our own two-choice hash of 64-byte lines ----
 * Three kinds of entries: the VIP itself (port 0: any port that no other VIP has); who gets the VIP's fragments, which carry
 * no port; and, with port 0 and protocol 0, that the address belongs to some VIP: it gives packets without ports a name of
 * their own among the verdicts. */
enum gh_entry_kind { GH_ENTRY_NONE, GH_ENTRY_VIP, GH_ENTRY_FRAGMENTS };

struct gh_vip_entry {
  struct gh_address address;
  union {
    struct {
      __u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP, or 0 */
      __u8 is_used;  /* enum gh_entry_kind */
      __be16 port;   /* as in a TCP or UDP header, where the source port is before it */
    };
    __u32 key; /* the three of them: gh_entry_key() */
  };
  __u32 service; /* GH_VIP_SERVICE: what service.h needs to know of it */
  union {
    struct {
      __u16 vip; /* number: index of its counters; on a node: listener number */
      __u16 group;
      __u16 flags;        /* enum gh_vip_flags */
      __u8 encapsulation; /* enum gh_encapsulation */
      __u8 hash_fields;   /* enum gh_hash_fields */
    };
    __u64 traits; /* these five, for one load */
  };
};
GH_STATIC_ASSERT(sizeof(struct gh_vip_entry) == 32, "gh_vip_entry");

/* What a look-up gives: a copy of what the entry says. */
struct gh_vip {
  union {
    struct {
      __u16 vip;
      __u16 group;
      __u16 flags;
      __u8 encapsulation;
      __u8 hash_fields;
    };
    __u64 traits;
  };
  __u32 service;
};

static inline __u32 gh_entry_key(__be16 port, __u8 protocol, enum gh_entry_kind kind) {
  return (__u32)protocol | (__u32)kind << 8 | (__u32)port << 16;
}

struct gh_vip_line {
  struct gh_vip_entry entry[2];
};
GH_STATIC_ASSERT(sizeof(struct gh_vip_line) == 64, "gh_vip_line");

/* ---- A node: where its packets go ---- */
enum gh_family { GH_FAMILY_NONE, GH_FAMILY_V4, GH_FAMILY_V6 }; /* the low bit says IPv4 */

struct gh_destination {
  struct gh_address address; /* outer destination */
  __u8 family;               /* enum gh_family; none: unknown */
  __u8 reserved[3];
  __u32 sum; /* of an IPv4 address: its part of a header checksum, gh_sum_v4() */
};

struct gh_node {
  struct gh_destination destinations[2];
  __u32 live; /* 0 or 1: the destination in use */
  __u32 reserved[3];
};
GH_STATIC_ASSERT(sizeof(struct gh_node) == 64, "gh_node");

/* The two 16-bit words of an IPv4 address, added: one's complement sums may be begun anywhere (RFC 1071 §2). */
static inline __u32 gh_sum_v4(const struct gh_address *address) {
  return (__u32)((address->low >> 32 & 0xffff) + (address->low >> 48));
}

/* Gives a node another destination by one store: a packet sees the old one or the new one. A grace period must have passed
 * since the change before, which a node that nobody has written to yet does not need. */
static inline void gh_switch_destination(struct gh_node *node, const struct gh_address *address, enum gh_family family) {
  const __u32 idle = 1 - (node->live & 1);
  node->destinations[idle].address = *address;
  node->destinations[idle].family = (__u8)family;
  node->destinations[idle].sum = gh_sum_v4(address);
  __atomic_store_n(&node->live, idle, __ATOMIC_RELEASE);
}

/* ---- What a plane says of itself in every packet ---- */
/* An outer source. IPIP has no ports that could differ from flow to flow, so that receive queues and equal-cost paths would
 * see one flow: there the flow's hash fills the host bits of a prefix. */
struct gh_source {
  struct gh_address address; /* IPv4 in mapped form; with a prefix its host bits are 0 */
  __u64 entropy;             /* mask of the bits of address.low that the hash fills; 0: none */
  __u32 sum;                 /* of an IPv4 address: gh_sum_v4() */
  __u32 reserved;
};

/* gh_source.entropy of a prefix of `length` bits, 96 more than written for IPv4: the host bits among the last eight bytes. */
static inline __u64 gh_host_bits(__u32 length) {
  const __u32 bits = length >= 128 ? 0 : length < 64 ? 64 : 128 - length;
  return bits == 0 ? 0 : __builtin_bswap64(~0ULL >> (64 - bits));
}

struct gh_identity {
  __u64 hash_key[GH_KEY_WORDS]; /* from the site secret: clients cannot aim at a slot */
  struct gh_source gue_v4;      /* towards IPv4 nodes; on a node: its own address */
  struct gh_source gue_v6;
  struct gh_source ipip_v4; /* on a node: from where the fleet's IPIP comes, beside the fleet's addresses */
  struct gh_source ipip_v6;
  __u64 answer_interval; /* ns between two ICMP answers of a CPU, on average */
  __u32 mtu;             /* largest outer IP packet, bytes */
  __u32 reserved[5];
};
GH_STATIC_ASSERT(sizeof(struct gh_identity) == 256, "gh_identity");

/* ---- One per data plane: all its tables of fixed size, so that a packet looks up only once where they are ---- */
struct gh_state {
  __u32 vip_half;      /* 0 or 1: the live half of the VIP table and of the filter */
  __u32 identity;      /* 0 or 1: the live identity */
  __u32 slots;         /* of every ring */
  __u32 self;          /* on a node: its id */
  __u32 workers;       /* on a node: worker places in use, 1..GH_MAX_WORKERS */
  __u32 listener_half; /* on a node: the live half of the listener table */
  __u32 services;      /* bit 0: the live half of the services' tables; bit 1: some service translates addresses */
  __u32 reserved[9];
  struct gh_identity identities[2];
  struct gh_group groups[GH_MAX_GROUPS];
  __u8 filter[2 * GH_FILTER_BYTES];              /* [gh_filter_index(address)]: 0 says that no VIP has the address */
  struct gh_vip_line vip_lines[2 * GH_VIP_LINES]; /* on a node: the fleet, who may send tunnel packets */
  struct gh_node nodes[GH_MAX_NODES];
  struct gh_guard guard; /* of a front door */
};
/* What kernels before 6.4 take for one value of a map. */
GH_STATIC_ASSERT(sizeof(struct gh_state) <= 4 << 20, "gh_state");

static inline const struct gh_identity *gh_get_identity(const struct gh_state *state) {
  return &state->identities[*(const volatile __u32 *)&state->identity & 1];
}

/* Makes `identity` the live one by one store: a packet goes by the old one or by the new one. A grace period must have passed
 * since the change before. */
static inline void gh_switch_identity(struct gh_state *state, const struct gh_identity *identity) {
  const __u32 idle = 1 - (state->identity & 1);
  state->identities[idle] = *identity;
  __atomic_store_n(&state->identity, idle, __ATOMIC_RELEASE);
}

/* ---- The tunnel: GUE variant 0 (draft-ietf-intarea-gue), 4 or 12 bytes after the UDP header ----
 * No optional fields; the private field is the epoch of the ring and the rest of the slot's hop list, so that its
 * size never depends on the state of the fleet. A stock Linux GUE receiver skips it by the header length. Without the
 * private field the header is its first four bytes. */
struct gh_gue {
  __u8 version_length; /* version 0, words beyond the first: 0x02 with the private field, 0x00 without */
  __u8 protocol;       /* IPPROTO_IPIP or IPPROTO_IPV6 */
  __be16 flags;        /* 0 */
  __be16 epoch;
  __be16 hops[3];      /* earlier owners still to be asked, newest first; 0: none */
} __attribute__((packed, aligned(2)));
GH_STATIC_ASSERT(sizeof(struct gh_gue) == 12, "gh_gue");

/* ---- Verdicts: every packet gets exactly one, and every one is counted ----
 * GH_VERDICT(name, action, text): action is what the adapter does. */
enum gh_action { GH_PASS, GH_TRANSMIT, GH_DROP };

#define GH_VERDICTS(GH_VERDICT)                                                                     \
  GH_VERDICT(NOT_VIP, GH_PASS, "not_vip", "not addressed to a VIP: left to the host untouched")     \
  GH_VERDICT(FORWARDED, GH_TRANSMIT, "forwarded", "tunnelled to the owner of its slot")             \
  GH_VERDICT(TRUNCATED, GH_DROP, "truncated", "to a VIP's address, ends before its headers do")     \
  GH_VERDICT(VIP_NO_PORTS, GH_PASS, "vip_no_ports", "to a VIP's address, of no flow: left to the host") \
  GH_VERDICT(VIP_FRAGMENT, GH_DROP, "vip_fragment", "fragment to a VIP's address that takes none")  \
  GH_VERDICT(VIP_EXTENSION, GH_DROP, "vip_extension", "IPv6 headers on a VIP's packet that are not followed") \
  GH_VERDICT(VIP_NO_RING, GH_DROP, "vip_no_ring", "the VIP has no ring, or its slot no node")       \
  GH_VERDICT(VIP_TOO_BIG, GH_TRANSMIT, "vip_too_big", "too long for the fabric: answered with the size that fits") \
  GH_VERDICT(VIP_TOO_BIG_DROPPED, GH_DROP, "vip_too_big_dropped", "too long, and no answer allowed or left") \
  GH_VERDICT(VIP_ECHO, GH_TRANSMIT, "vip_echo", "echo request to a VIP's address, answered")        \
  GH_VERDICT(VIP_ECHO_DROPPED, GH_DROP, "vip_echo_dropped", "echo request beyond the budget of answers") \
  GH_VERDICT(NO_HEADROOM, GH_DROP, "no_headroom", "the driver left no room for the outer header")   \
  GH_VERDICT(TRANSLATED_BACK, GH_TRANSMIT, "translated_back", "from a server: its source is the VIP again") \
  /* Protection of guarded VIPs: guard.h. */                                                         \
  GH_VERDICT(GUARD_DENIED, GH_DROP, "guard_denied", "the source's longest prefix rule says deny")   \
  GH_VERDICT(GUARD_PACKET_RATE, GH_DROP, "guard_packet_rate", "more packets than the source's prefix may send") \
  GH_VERDICT(GUARD_SYN_RATE, GH_DROP, "guard_syn_rate", "more SYNs than the source's prefix may send") \
  GH_VERDICT(GUARD_SOURCE, GH_DROP, "guard_source", "source that is no host's: loopback, multicast, reserved") \
  GH_VERDICT(GUARD_LAND, GH_DROP, "guard_land", "source and destination are the same address")      \
  GH_VERDICT(GUARD_PORT, GH_DROP, "guard_port", "port 0")                                           \
  GH_VERDICT(GUARD_LENGTH, GH_DROP, "guard_length", "TCP or UDP header that says a wrong length")   \
  GH_VERDICT(GUARD_FLAGS, GH_DROP, "guard_flags", "TCP flags that no stack sends")                  \
  GH_VERDICT(GUARD_REFLECTED, GH_DROP, "guard_reflected", "SYN+ACK to a VIP: it opens no connections") \
  GH_VERDICT(NODE_NOT_TUNNEL, GH_PASS, "node_not_tunnel", "node: not our tunnel, left to the host") \
  GH_VERDICT(NODE_STRANGER, GH_DROP, "node_stranger", "node: tunnel packet from outside the fleet") \
  GH_VERDICT(NODE_BAD_TUNNEL, GH_DROP, "node_bad_tunnel", "node: tunnel header is not ours")        \
  GH_VERDICT(NODE_DELIVERED, GH_PASS, "node_delivered", "node: decapsulated, no earlier owner left") \
  GH_VERDICT(NODE_OWNED, GH_PASS, "node_owned", "node: decapsulated, the flow is here or opens")    \
  GH_VERDICT(NODE_SENT_ON, GH_TRANSMIT, "node_sent_on", "node: to an earlier owner of the slot")    \
  GH_VERDICT(NODE_COOKIE_SENT, GH_TRANSMIT, "node_cookie_sent", "node: SYN answered with a cookie, before a socket exists") \
  GH_VERDICT(NODE_COOKIE_BAD, GH_DROP, "node_cookie_bad", "node: under a SYN flood, of no connection and with no cookie of ours") \
  GH_VERDICT(NODE_COOKIE_LOST, GH_DROP, "node_cookie_lost", "node: no room for the answer to a SYN") \
  GH_VERDICT(NODE_HOP_UNKNOWN, GH_PASS, "node_hop_unknown", "node: no address for the next hop, delivered here") \
  GH_VERDICT(NODE_CONGESTED, GH_DROP, "node_congested", "node: met congestion, and its flow takes no marks (RFC 6040)")

enum gh_verdict {
#define GH_ENUM(name, action, text, help) GH_##name,
  GH_VERDICTS(GH_ENUM)
#undef GH_ENUM
  GH_VERDICT_COUNT,
  GH_UNDECIDED = GH_VERDICT_COUNT /* what a stage of the path says when the next one is to decide */
};
enum { GH_VERDICT_STRIDE = 64 }; /* room for more */
GH_STATIC_ASSERT((int)GH_VERDICT_COUNT <= (int)GH_VERDICT_STRIDE, "raise GH_VERDICT_STRIDE");
#ifdef __cplusplus
inline constexpr const char *gh_verdict_names[] = { /* by enum gh_verdict, as users read them */
#define GH_NAME(name, action, text, help) text,
    GH_VERDICTS(GH_NAME)
#undef GH_NAME
};
#endif

/* ---- What each CPU counts ----
 * The packets that were forwarded are those of all VIPs: GH_FORWARDED itself is counted by nobody, and what stands in its place
 * are the packets of VIPs that are no more. */
struct gh_traffic {
  __u64 packets; /* all that was tunnelled */
  __u64 bytes;   /* of the IP packet, without Ethernet and tunnel headers */
  __u64 opened;  /* SYNs among them: new TCP flows */
  __u64 errors;  /* ICMP errors among them, about flows */
};

struct gh_counts {
  __u64 verdicts[GH_VERDICT_STRIDE];
  __u64 answers_until; /* the budget of ICMP answers, ns: until when those so far last at an even pace */
  __u64 reserved[7];
};

struct gh_cpu { /* of a front door; a node has the first part alone */
  struct gh_counts counts;
  struct gh_traffic vips[GH_MAX_VIPS];
  struct gh_traffic nodes[GH_MAX_NODES];
};

/* ---- Capture: packets as they came and as they left, through a ring buffer ---- */
enum { GH_CAPTURE_BYTES = 256 }; /* kept of a packet, each time */

struct gh_capture_filter {
  struct gh_address address; /* destination; all zero: any */
  __be16 port;               /* destination; 0: any */
  __u8 protocol;             /* 0: any */
  __u8 reserved[5];
  __u64 verdicts; /* bit n: verdict n is wanted; 0: all are */
  __u32 sample;   /* one of so many; 0: none */
  __u32 reserved2;
};
GH_STATIC_ASSERT(sizeof(struct gh_capture_filter) == 40, "gh_capture_filter");

struct gh_captured {
  __u64 time; /* ns, the kernel's monotonic clock */
  __u32 interface;
  __u32 verdict;
  __u32 lengths[2]; /* of the frame as it came, as it left */
  __u8 bytes[2][GH_CAPTURE_BYTES];
};
GH_STATIC_ASSERT(sizeof(struct gh_captured) == 24 + 2 * GH_CAPTURE_BYTES, "gh_captured");

/* ---- Probes: the L4 host marks a probe's socket; the tc program tunnels what carries the mark to that node ---- */
enum { GH_PROBE_MARK = 0x47480000, GH_PROBE_MASK = 0x7fff0000 }; /* low 16 bits: node id */
