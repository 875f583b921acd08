/* AES-128, one block (FIPS 197), by tables that user space computes (l4/quic_cid.h): one source for the kernel and for user
 * space. The kernel's own cipher can be called from XDP since Linux 6.10 only, and this product runs from 6.1 on.
 *
 * Not constant in time, as table look-ups never are: what it protects is which server a connection id names, against
 * observers of the network; a process on the L4 host that can time its caches is not kept out. */
#pragma once

#include "bpf/abi_service.h"
#include "bpf/wire.h"

enum { GH_AES_ROUNDS = 10 };

struct gh_block {
  __u64 head; /* bytes 0..7 as they stand in memory */
  __u64 tail;
};

static inline __u32 gh_aes_column(const struct gh_aes *aes, __u32 a, __u32 b, __u32 c, __u32 d) {
  return aes->round[0][a >> 24] ^ aes->round[1][b >> 16 & 0xff] ^ aes->round[2][c >> 8 & 0xff] ^ aes->round[3][d & 0xff];
}
static inline __u32 gh_aes_last_column(const struct gh_aes *aes, __u32 a, __u32 b, __u32 c, __u32 d) {
  return (__u32)aes->box[a >> 24] << 24 | (__u32)aes->box[b >> 16 & 0xff] << 16 | (__u32)aes->box[c >> 8 & 0xff] << 8 |
         aes->box[d & 0xff];
}

/* The rounds of both directions: decryption is the same with its own tables, its columns in the order 0, 3, 2, 1, and its
 * round keys in that order too (FIPS 197 §5.3.5, the equivalent inverse cipher). */
static inline void gh_aes_rounds(const struct gh_aes *aes, const __u32 *keys, __u32 s[4]) {
  __u32 t[4];
  int round;
  s[0] ^= keys[0], s[1] ^= keys[1], s[2] ^= keys[2], s[3] ^= keys[3];
  for (round = 1; round < GH_AES_ROUNDS; ++round) {
    t[0] = gh_aes_column(aes, s[0], s[1], s[2], s[3]) ^ keys[4 * round];
    t[1] = gh_aes_column(aes, s[1], s[2], s[3], s[0]) ^ keys[4 * round + 1];
    t[2] = gh_aes_column(aes, s[2], s[3], s[0], s[1]) ^ keys[4 * round + 2];
    t[3] = gh_aes_column(aes, s[3], s[0], s[1], s[2]) ^ keys[4 * round + 3];
    s[0] = t[0], s[1] = t[1], s[2] = t[2], s[3] = t[3];
  }
  t[0] = gh_aes_last_column(aes, s[0], s[1], s[2], s[3]) ^ keys[40];
  t[1] = gh_aes_last_column(aes, s[1], s[2], s[3], s[0]) ^ keys[41];
  t[2] = gh_aes_last_column(aes, s[2], s[3], s[0], s[1]) ^ keys[42];
  t[3] = gh_aes_last_column(aes, s[3], s[0], s[1], s[2]) ^ keys[43];
  s[0] = t[0], s[1] = t[1], s[2] = t[2], s[3] = t[3];
}

/* In place. A function of its own that the verifier reads once; it wants to see that no pointer is null. */
GH_GLOBAL int gh_aes_block(const struct gh_aes *aes, const struct gh_quic *quic, struct gh_block *block,
                                   int is_decryption) {
  __u32 s[4], second, fourth;
  if (!aes || !quic || !block) return -1;
  second = __builtin_bswap32((__u32)(block->head >> 32));
  fourth = __builtin_bswap32((__u32)(block->tail >> 32));
  s[0] = __builtin_bswap32((__u32)block->head);
  s[1] = is_decryption ? fourth : second;
  s[2] = __builtin_bswap32((__u32)block->tail);
  s[3] = is_decryption ? second : fourth;
  gh_aes_rounds(aes, quic->keys, s);
  block->head = __builtin_bswap32(s[0]) | (__u64)__builtin_bswap32(is_decryption ? s[3] : s[1]) << 32;
  block->tail = __builtin_bswap32(s[2]) | (__u64)__builtin_bswap32(is_decryption ? s[1] : s[3]) << 32;
  return 0;
}
