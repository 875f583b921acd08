/* Hashes: sums of products of 32-bit words and 64-bit keys, of which the high 32 bits count (multilinear hashing; Lemire,
 * Kaser: Strongly universal string hashing is fast, 2014). The products do not wait for each other, as the steps of a chain of
 * mixers do. The keys of the flow hash are secret: who does not know them cannot choose connections that meet in one
 * slot. Those of the tables are not: the operator, not the client, chooses what is in them. */
#pragma once

#include "bpf/abi.h"

static inline __u64 gh_mix(__u64 value, __u64 multiplier) {
  value *= multiplier | 1;
  return value ^ (value >> 32);
}

/* Fills the words of a key from the four that the site secret gives. */
static inline void gh_expand_key(const __u64 secret[4], __u64 key[GH_KEY_WORDS]) {
  int i;
  for (i = 0; i < GH_KEY_WORDS; ++i) {
    __u64 word = secret[i & 3] + (__u64)(i + 1) * 0x9e3779b97f4a7c15ULL;
    word = gh_mix(word, secret[(i + 1) & 3]) ^ secret[(i + 2) & 3];
    key[i] = gh_mix(gh_mix(word, 0xbf58476d1ce4e5b9ULL), secret[(i + 3) & 3]);
  }
}

/* The product of two words of the message, each with its key. */
static inline __u64 gh_term(const __u64 *key, __u64 first, __u64 second) {
  return (key[0] + (__u32)first) * (key[1] + (__u32)second);
}

/* Of a flow; `ports` holds both ports, and the protocol above them. Of IPv4 addresses only the last word is hashed. High bits
 * are the best ones. */
static inline __attribute__((always_inline)) __u64 gh_flow_hash(const __u64 key[GH_KEY_WORDS], int is_v4, const struct gh_address *source,
                                 const struct gh_address *destination, __u64 ports) {
  __u64 sum = key[0] + gh_term(key + 1, ports, ports >> 32);
  sum += gh_term(key + 3, source->low >> 32, destination->low >> 32);
  if (!is_v4) {
    sum += gh_term(key + 5, source->low, destination->low);
    sum += gh_term(key + 7, source->high, destination->high);
    sum += gh_term(key + 9, source->high >> 32, destination->high >> 32);
  }
  return (sum ^ sum >> 32) * (key[11] | 1);
}

/* Where an entry may stand in a half of the VIP table: gh_first_line and gh_second_line of this hash. `key` is that of
 * gh_entry_key(). */
static inline __u64 gh_entry_hash(const struct gh_address *address, __u32 key) {
  const __u64 sum = address->low * 0x9e3779b97f4a7c15ULL + address->high * 0xc2b2ae3d27d4eb4fULL + key * 0x85ebca77c2b2ae63ULL;
  return (sum ^ sum >> 32) * 0x165667b19e3779f9ULL;
}
static inline __u32 gh_first_line(__u64 hash) { return (__u32)(hash >> 53) & (GH_VIP_LINES - 1); }
static inline __u32 gh_second_line(__u64 hash) { return (__u32)(hash >> 42) & (GH_VIP_LINES - 1); }

/* The place of an address in the filter, by one multiplication: what is asked of every packet that is not for us. */
static inline __u32 gh_filter_index_v4(__u32 word) { return word * 0x9e3779b1u >> 18; }
static inline __u32 gh_filter_index_v6(__u64 high, __u64 low) {
  return (__u32)((low ^ (high << 32 | high >> 32)) * 0x9e3779b97f4a7c15ULL >> 50);
}
static inline __u32 gh_filter_index(const struct gh_address *address) {
  const int is_v4 = address->high == 0 && (__u32)address->low == 0xffff0000u;
  return is_v4 ? gh_filter_index_v4((__u32)(address->low >> 32)) : gh_filter_index_v6(address->high, address->low);
}
GH_STATIC_ASSERT(GH_FILTER_BYTES == 1 << (32 - 18) && GH_FILTER_BYTES == 1 << (64 - 50), "shifts of the filter");
GH_STATIC_ASSERT(GH_VIP_LINES == 1 << (64 - 53), "shifts of the VIP table");

/* Puts `entry` into a half of a table that nobody reads yet (cuckoo hashing: Pagh, Rodler 2001). Non-zero when it is too
 * full; the half is then to be given up. Victims are drawn at random (the same for equal tables): by turns, two entries
 * may throw each other out for ever in a table that is half empty. */
static inline int gh_place(struct gh_vip_line *half, struct gh_vip_entry entry) {
  __u32 dice = 1;
  int kick, choice, i;
  for (kick = 0; kick < 256; ++kick) {
    const __u64 hash = gh_entry_hash(&entry.address, entry.key);
    const __u32 lines[2] = {gh_first_line(hash), gh_second_line(hash)};
    struct gh_vip_entry *victim, moved;
    for (choice = 0; choice < 2; ++choice) {
      for (i = 0; i < 2; ++i) {
        if (half[lines[choice]].entry[i].is_used) continue;
        half[lines[choice]].entry[i] = entry;
        return 0;
      }
    }
    dice = dice * 1664525u + 1013904223u;
    victim = &half[lines[dice >> 31]].entry[dice >> 30 & 1];
    moved = *victim;
    *victim = entry;
    entry = moved;
  }
  return -1;
}
