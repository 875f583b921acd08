/* The memory of services' flows: which server a flow was given to. A set-associative array that all CPUs share, so that a
 * flow is found wherever its packets arrive.
 *
 * A way is one aligned word: it is read by one load and written by one store, so that nobody ever sees the tag of one flow
 * with the server of another. Two CPUs that write to one way at a time lose one of the two flows, which is chosen for anew.
 * A line of eight full ways holds a stranger's tag with odds of 8 : 2^32 per look-up of an absent flow (1.9e-9).
 *
 * Ages are ticks of sixteen bits. A flow that rests for 65536 ticks would look young again: user space sweeps the array
 * (l4/service_flows.h) far more often than that. */
#pragma once

#include "bpf/abi_service.h"

enum {
  GH_FLOW_SERVER = 0x3fff,
  GH_FLOW_YOUNG = 0x4000,   /* one packet so far: the first to be replaced, so that a flood replaces itself */
  GH_FLOW_CLOSING = 0x8000, /* FIN or RST was seen */
  GH_FLOW_LINGER = 60,      /* ticks that a closing flow is remembered after its last packet */
  GH_FLOW_AHEAD = 255,      /* ticks that another CPU may be ahead of us; one is the most that happens */
};
GH_STATIC_ASSERT(GH_MAX_NODES <= GH_FLOW_SERVER + 1, "a way has fourteen bits for the server");

static inline __u64 gh_flow_word(__u32 tag, __u32 server_and_marks, __u16 age) {
  return (__u64)tag << 32 | (__u64)age << 16 | server_and_marks;
}
static inline __u32 gh_flow_tag(__u64 hash) { return (__u32)hash ? (__u32)hash : 1; } /* an empty way has tag 0 */

/* Ticks since the last packet, and GH_FLOW_AHEAD more. */
static inline __u16 gh_flow_rest(__u64 word, __u16 now) { return (__u16)(now + GH_FLOW_AHEAD - (__u16)(word >> 16)); }
static inline int gh_is_flow_over(__u64 word, __u16 now, __u16 idle) {
  return gh_flow_rest(word, now) > (__u32)idle + GH_FLOW_AHEAD;
}

/* What follows has no branches: the way that matches is another one for each packet, which no branch predictor learns, and the
 * verifier would follow each way through all the rest of the program. A compiler turns arithmetic on comparisons back into
 * branches; hence these. */
static inline __u64 gh_opaque(__u64 value) {
  __asm__("" : "+r"(value));
  return value;
}
static inline __u64 gh_larger(__u64 a, __u64 b) { /* of numbers below 2^63 */
  const __u64 difference = gh_opaque(b - a);
  return a + (difference & ~gh_opaque((__u64)((__s64)difference >> 63)));
}

/* The way of `tag`, and its word; NULL: there is none. */
static inline __u64 *gh_find_flow(struct gh_flow_line *line, __u32 tag, __u64 *word) {
  __u32 matches = 0, place;
  int i;
  for (i = 0; i < GH_FLOW_WAYS; ++i) {
    const __u64 difference = gh_opaque((__u32)(*(const volatile __u64 *)&line->way[i] >> 32) ^ tag);
    matches |= (__u32)((difference - 1) >> 63) << i;
  }
  if (!matches) return 0;
  matches &= -matches; /* the first one; its number, bit by bit */
  place = ((matches & 0xaa) + 0xff) >> 8 | (((matches & 0xcc) + 0xff) >> 8) << 1 | (((matches & 0xf0) + 0xff) >> 8) << 2;
  *word = *(const volatile __u64 *)&line->way[place & (GH_FLOW_WAYS - 1)];
  return (__u32)(*word >> 32) == tag ? &line->way[place & (GH_FLOW_WAYS - 1)] : 0;
}

/* How much a way deserves to be replaced: empty, then young or closing, then others; the longest rest first. */
static inline __u32 gh_flow_rank(__u64 word, __u16 now) {
  const __u32 is_weak = (((__u32)word >> 14 & 3) + 3) >> 2;
  const __u32 is_empty = 1 - (((__u32)word & GH_FLOW_SERVER) + GH_FLOW_SERVER) / (GH_FLOW_SERVER + 1);
  return gh_flow_rest(word, now) | is_weak << 16 | is_empty << 17;
}

/* Stores a flow that is not there. Returns what was there instead. */
static inline __u64 gh_add_flow(struct gh_flow_line *line, __u64 flow, __u16 now) {
  __u64 best = 0, before;
  int i;
  for (i = 0; i < GH_FLOW_WAYS; ++i) {
    const __u32 rank = gh_flow_rank(*(const volatile __u64 *)&line->way[i], now);
    best = gh_larger(best, (__u64)rank << 3 | (__u64)i);
  }
  best &= GH_FLOW_WAYS - 1;
  before = *(const volatile __u64 *)&line->way[best];
  *(volatile __u64 *)&line->way[best] = flow;
  return before;
}

/* The word of a flow after one more packet, at `now`. A closing flow is as if it had rested already: `idle` is the rest
 * after which it is forgotten. */
static inline __u64 gh_age_flow(__u64 word, __u16 now, __u16 idle, int is_closing) {
  __u32 low = (__u32)word & (GH_FLOW_SERVER | GH_FLOW_CLOSING);
  if (is_closing) low |= GH_FLOW_CLOSING;
  if ((low & GH_FLOW_CLOSING) && idle > GH_FLOW_LINGER) now = (__u16)(now - (idle - GH_FLOW_LINGER));
  return gh_flow_word((__u32)(word >> 32), low, now);
}
