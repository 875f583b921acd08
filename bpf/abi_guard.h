/* The tables of protection (guard.h), a part of bpf/abi.h. Again arrays that user space maps and writes by plain stores.
 *
 * Prefix rules stand in a hash of (prefix, length), 64-byte lines of two. Before it stands, in gh_state, what tells that no rule
 * concerns a packet: for IPv4 a bit for each /20 and each /24 that a rule covers or lies in, or that nobody's address is in; for IPv6 a bit for
 * each /16, and bits by hash of /32 and /48, in the same word. Bits too many cost time, never a verdict: a writer sets bits before it publishes a rule, and clears them after it has
 * taken it away, whenever it likes. A rule is published, changed and taken away by one store: to its length or to its lists.
 *
 * Limits are buckets of one 64-bit word each, 64-byte lines of eight, changed by compare-and-swap and by addition. Before them stands
 * a sketch, for the same reason. */
#pragma once

#include "bpf/abi_types.h"

enum {
  GH_PREFIX_LISTS = 32,         /* named lists of prefix rules: bits of a word */
  GH_PREFIX_PROBES = 64,        /* lines that a rule may stand in: its own, nearly always, and those after it */
  GH_MAX_POLICIES = 256,
  GH_V4_COARSE_WORDS = 1 << 14, /* a bit for each /20: few enough for a near cache */
  GH_V4_FILTER_WORDS = 1 << 18, /* a bit for each /24 */
  GH_V4_BLOCKS = 1 << 16,       /* a word for each /16 */
  GH_V6_EXACT_WORDS = 1 << 10,  /* a bit for each /16 */
  GH_V6_HASHED_WORDS = 1 << 17, /* bits by hash: 16 for every rule there is room for, or all */
  GH_BUCKET_WAYS = 8,
};

/* ---- Prefix rules ----
 * Addresses in host order here: IPv4 as 0000:0000:0000:0000:0000:ffff:a.b.c.d, its lengths 96 more than people say. A length is
 * held as the lowest bit of its prefix, in the word where that is: its netmask is the negative of it. */
struct gh_wide {
  __u64 high;
  __u64 low;
};
/* How a rule names its length. No two of these are equal: one bit set, one bit clear, none clear; 0 is no rule. */
static inline __u64 gh_low_length(__u64 bit) { return bit; }   /* 65..128: bit 128 - length */
static inline __u64 gh_high_length(__u64 bit) { return ~bit; } /* 1..64: bit 64 - length */
enum { GH_NO_RULE = 0 };
#define GH_DEFAULT_LENGTH (~0ULL) /* 0 */

struct gh_prefix_key {
  struct gh_wide prefix;
  __u64 length;
};
struct gh_prefix_line {
  struct gh_prefix_key key[2];
  __u32 lists[2]; /* bit n: list n has the rule */
  __u32 overflow; /* rules of this line that stand in a later one */
  __u32 reserved;
};
GH_STATIC_ASSERT(sizeof(struct gh_prefix_line) == 64, "gh_prefix_line");

/* ---- What a VIP asks for: its policy ----
 * A policy that VIPs name is not written any more: others are prepared beside it, and the VIP table switches. */
struct gh_rate {
  __u64 cost;  /* bucket time that a packet borrows; 0: no limit */
  __u64 burst; /* bucket time that may be borrowed */
};
struct gh_policy {
  __u32 deny; /* lists; of several rules of the same prefix deny comes first */
  __u32 allow;
  __u32 exempt; /* allowed, and not limited either */
  __u32 limit;  /* whose buckets: policies with the same number share them */
  struct gh_rate packets; /* of a source prefix */
  struct gh_rate syns;
  __u64 sketch_key;    /* odd */
  __u32 free_packets;  /* of a source, in each window on each CPU, that no bucket is charged with */
  __u8 v4_shift;       /* a source prefix without its other bits: of the lower half of gh_wide.low */
  __u8 v6_shift;       /* of gh_wide.high */
  __u8 window_shift;   /* ticks of a window: a power of two */
  __u8 reserved;
};
GH_STATIC_ASSERT(sizeof(struct gh_policy) == 64, "gh_policy");

/* The policy of a VIP with GH_VIP_GUARDED: the high half of its flags. */
static inline __u32 gh_policy_number(__u16 flags) { return flags >> 8; }

/* ---- Buckets ----
 * Bits 24..63 a time, 0..23 the tag of the source; 0: empty. The time is when the bucket will be full again: what it is ahead of
 * now has been borrowed. It is counted in 1/16384 ms and wraps around after 18 hours: the daemon takes buckets away that have been
 * full for long. */
#define GH_BUCKET_TAG 0xffffffULL
enum { GH_BUCKET_UNITS = 16384 * 1000 /* in a second */, GH_MAX_RATE = 1000 * 1000, GH_MAX_BURST_SECONDS = 600 };
struct gh_bucket_line {
  __u64 way[GH_BUCKET_WAYS];
};
GH_STATIC_ASSERT(sizeof(struct gh_bucket_line) == 64, "gh_bucket_line");

static inline struct gh_rate gh_make_rate(__u64 per_second, __u64 burst) {
  struct gh_rate rate = {0, 0};
  if (per_second == 0) return rate;
  rate.cost = (GH_BUCKET_UNITS + per_second / 2) / per_second << 24;
  rate.burst = burst * rate.cost;
  return rate;
}

/* ---- The sketch ----
 * What spares a bucket to packets of sources that send little: a small count per CPU, without a lock, of hash classes of sources. Bits
 * 12..15 the window in which it was counted, 0..11 the packets. One region per CPU, which fits the nearest cache. */
enum {
  GH_SKETCH_BITS = 14, /* places of a CPU */
  GH_SKETCH_LINES = 1 << (GH_SKETCH_BITS - 5),
  GH_SKETCH_WINDOW = 1 << 12,
  GH_SKETCH_MOST = GH_SKETCH_WINDOW - 1,
  GH_SKETCH_SHARE = 8, /* the part of a limit that may pass uncharged: one in so many */
};
struct gh_sketch_line {
  __u16 count[32];
};
GH_STATIC_ASSERT(sizeof(struct gh_sketch_line) == 64, "gh_sketch_line");

/* ---- One per data plane, in gh_state ---- */
enum { GH_V6_SHORTEST_HASHED = 20 }; /* shorter ones have exact bits; up to 47: the bits of each /32, from 48 on of the /48 */
struct gh_guard {
  __u64 key[3];        /* of hashes: at random, so that sources cannot be chosen to meet */
  __u64 tick;          /* bucket time of a tick of the clock */
  __u64 v6_lengths[2]; /* lengths that rules have: bits as in gh_low_length, bits as in gh_high_length */
  __u32 v6_has_short;  /* exact bits are to be asked */
  __u32 v6_has_default;
  __u32 v6_shift;      /* 32 less the logarithm of the number of hashed words in use */
  __u32 prefix_mask;   /* lines less one */
  __u32 bucket_mask;
  __u32 reserved[7];
  struct gh_policy policies[GH_MAX_POLICIES];
  __u64 v4_coarse[GH_V4_COARSE_WORDS];
  __u64 v4_filter[GH_V4_FILTER_WORDS];
  __u64 v6_exact[GH_V6_EXACT_WORDS];
  __u64 v6_hashed[GH_V6_HASHED_WORDS];
};
GH_STATIC_ASSERT(sizeof(struct gh_guard) % 64 == 32, "gh_guard");

/* ---- On a node: SYN cookies (syn_cookie.h) ---- */
struct gh_cookies {
  __u64 last;        /* tick at which the programs made the last one; 0: never */
  __u64 valid_ticks; /* for how long a cookie is good */
  __u16 segment_v4;  /* largest segment that listeners want */
  __u16 segment_v6;
  __u8 scale;          /* of the window that the kernel will have offered */
  __u8 has_timestamps; /* the kernel's have no secret offset (tcp_timestamps 2), so that we can make them */
  __u8 is_on;
  __u8 reserved[9];
};
GH_STATIC_ASSERT(sizeof(struct gh_cookies) == 32, "gh_cookies");

/* ---- Lists by number: what an adopted plane must know to go on ----
 * A list that a config changes gets a new number with all its rules, which no policy names until the VIP table switches; the old
 * number is emptied after that. So a packet is judged by the lists of one config, whole. */
enum gh_list_state { GH_LIST_FREE, GH_LIST_IN_USE, GH_LIST_COMING, GH_LIST_GOING };
enum gh_list_action { GH_LIST_DENY = 1, GH_LIST_ALLOW, GH_LIST_EXEMPT };
struct gh_prefix_list {
  char name[64]; /* NUL-terminated */
  __u64 digest;  /* of what the config said when it was last applied */
  __u32 state;   /* enum gh_list_state */
  __u32 action;  /* enum gh_list_action */
  __u64 reserved[6];
};
GH_STATIC_ASSERT(sizeof(struct gh_prefix_list) == 128, "gh_prefix_list");
