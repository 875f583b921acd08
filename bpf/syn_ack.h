/* What a SYN offers and what a SYN+ACK with a cookie answers. Pure: bytes in, bytes out.
 *
 * The kernel has no state when the client's ACK comes back. It finds the segment size in the cookie, and what else was agreed in the
 * low six bits of our timestamp, which the client returns (cookie_init_timestamp() in the kernel): window scale, 15 for none, SACK, ECN.
 * Without timestamps nothing but the segment size is agreed. */
#pragma once

#include "bpf/abi_guard.h"
#include "bpf/hooks.h"

enum {
  GH_TCP_LONGEST_HEADER = 60,
  GH_TCP_SHORTEST_HEADER = 20,
  GH_SYN_ACK_LONGEST = 40,
  GH_SYN_ACK_WINDOW = 29200, /* no more than the kernel will believe that it offered */
  GH_NO_SCALE = 15,
};

/* A SYN's TCP header, and what its options offer. */
struct gh_syn {
  __u8 header[GH_TCP_LONGEST_HEADER]; /* starts at a multiple of four */
  __u32 length;
  __u32 at; /* the next option */
  __be32 timestamp;
  __u8 has_timestamp;
  __u8 has_sack;
  __u8 scale; /* 0..14, or GH_NO_SCALE */
};

static inline void gh_begin_options(struct gh_syn *syn) {
  syn->at = GH_TCP_SHORTEST_HEADER;
  syn->timestamp = 0;
  syn->has_timestamp = syn->has_sack = 0;
  syn->scale = GH_NO_SCALE;
}

/* Takes one option, a step of gh_repeat() with a pointer to a pointer to a gh_syn: non-zero when it was the last. One that lies about
 * its length ends the list. */
static long gh_take_option(__u32 step, void *context) {
  struct gh_syn *syn = *(struct gh_syn **)context;
  const __u32 at = syn->at;
  __u32 kind, size;
  (void)step;
  if (at + 1 >= syn->length || at > GH_TCP_LONGEST_HEADER - 2) return 1;
  kind = syn->header[at];
  size = kind == 1 ? 1 : syn->header[at + 1];
  if (kind == 0 || (kind != 1 && size < 2) || at + size > syn->length) return 1;
  syn->at = at + size;
  if (kind == 4 && size == 2) syn->has_sack = 1;
  if (kind == 3 && size == 3 && at <= GH_TCP_LONGEST_HEADER - 3) {
    syn->scale = syn->header[at + 2] > 14 ? 14 : syn->header[at + 2]; /* RFC 7323 §2.3 */
  }
  if (kind == 8 && size == 10 && at <= GH_TCP_LONGEST_HEADER - 10) {
    __builtin_memcpy(&syn->timestamp, syn->header + at + 2, sizeof(syn->timestamp));
    syn->has_timestamp = 1;
  }
  return 0;
}

/* The newest timestamp that is not after `now` and carries what was agreed. */
static inline __u32 gh_cookie_timestamp(__u32 now, const struct gh_syn *syn) {
  const __u32 agreed = (__u32)syn->scale | (syn->has_sack ? 16u : 0);
  const __u32 timestamp = (now & ~63u) | agreed;
  return timestamp > now ? timestamp - 64 : timestamp;
}

struct gh_syn_ack {
  __u16 words[GH_SYN_ACK_LONGEST / 2]; /* without checksum; zero behind its length */
  __u32 length;
};

/* `now`: of the kernel's timestamps. */
static inline void gh_write_syn_ack(struct gh_syn_ack *reply, const struct gh_syn *syn, const struct gh_cookies *cookies, __u32 cookie,
                                    __u32 now, int is_v4) {
  const __u16 *header = (const __u16 *)syn->header;
  const __u32 sequence = __builtin_bswap32((__u32)header[2] | (__u32)header[3] << 16) + 1;
  const __u32 timestamp = __builtin_bswap32(gh_cookie_timestamp(now, syn));
  const int has_timestamp = syn->has_timestamp && cookies->has_timestamps;
  const int has_scale = has_timestamp && syn->scale != GH_NO_SCALE;
  __builtin_memset(reply, 0, sizeof(*reply));
  reply->length = has_scale ? 40 : has_timestamp ? 36 : 24;
  reply->words[0] = header[1];
  reply->words[1] = header[0];
  reply->words[2] = gh_be16((__u16)(cookie >> 16));
  reply->words[3] = gh_be16((__u16)cookie);
  reply->words[4] = gh_be16((__u16)(sequence >> 16));
  reply->words[5] = gh_be16((__u16)sequence);
  reply->words[6] = (__u16)(reply->length / 4 << 4 | (GH_TCP_SYN | GH_TCP_ACK) << 8);
  reply->words[7] = gh_be16(GH_SYN_ACK_WINDOW);
  reply->words[10] = gh_be16(0x0204);
  reply->words[11] = gh_be16(is_v4 ? cookies->segment_v4 : cookies->segment_v6);
  if (!has_timestamp) return;
  reply->words[12] = gh_be16(syn->has_sack ? 0x0402 : 0x0101);
  reply->words[13] = gh_be16(0x080a);
  reply->words[14] = (__u16)timestamp;
  reply->words[15] = (__u16)(timestamp >> 16);
  reply->words[16] = (__u16)syn->timestamp;
  reply->words[17] = (__u16)(syn->timestamp >> 16);
  if (!has_scale) return;
  reply->words[18] = gh_be16(0x0103);
  reply->words[19] = gh_be16((__u16)(0x0300 | cookies->scale));
}

static inline __u32 gh_sum_address(const struct gh_address *address, int is_v4) {
  const __u64 high = is_v4 ? 0 : address->high, low = is_v4 ? address->low >> 32 : address->low;
  return (__u32)((high & 0xffff) + (high >> 16 & 0xffff) + (high >> 32 & 0xffff) + (high >> 48) + (low & 0xffff) + (low >> 16 & 0xffff) +
                 (low >> 32 & 0xffff) + (low >> 48));
}

/* Puts the TCP checksum in. */
static inline void gh_finish_syn_ack(struct gh_syn_ack *reply, const struct gh_connection *connection) {
  __u32 sum = gh_be16((__u16)reply->length) + gh_be16(GH_PROTOCOL_TCP);
  int i;
  sum += gh_sum_address(&connection->source, connection->is_v4) + gh_sum_address(&connection->destination, connection->is_v4);
  for (i = 0; i < GH_SYN_ACK_LONGEST / 2; ++i) sum += reply->words[i];
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  reply->words[8] = (__u16)~sum;
}
