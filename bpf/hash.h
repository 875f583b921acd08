/* Hashes. The flow hash is keyed with words derived from the site secret, used as odd multipliers (multiply-shift,
 * Dietzfelbinger et al. 1997): who does not know them cannot choose connections that meet in one slot. */
#pragma once

#include "bpf/abi.h"

static inline __u64 gh_mix(__u64 value, __u64 multiplier) {
  value *= multiplier | 1;
  return value ^ (value >> 32);
}

/* `ports` holds both ports and the protocol. High bits are the best ones. */
static inline __u64 gh_flow_hash(const __u64 key[4], const struct gh_address *source, const struct gh_address *destination,
                                 __u64 ports) {
  __u64 hash = gh_mix(source->low ^ key[0], key[1]);
  hash = gh_mix(hash ^ source->high, key[2]);
  hash = gh_mix(hash ^ destination->low, key[3]);
  hash = gh_mix(hash ^ destination->high, key[1] ^ key[3]);
  hash = gh_mix(hash ^ ports, key[2] ^ key[0]);
  return hash * (key[3] | 1);
}

/* Where (address, port, protocol) may stand in a half of the VIP table: gh_first_line and gh_second_line of this hash. Not
 * keyed: the operator, not the client, chooses what is in the table. */
static inline __u64 gh_table_hash(const struct gh_address *address, __u32 port_and_protocol) {
  __u64 hash = gh_mix(address->low ^ port_and_protocol, 0x9e3779b97f4a7c15ULL);
  return gh_mix(hash ^ address->high, 0xc2b2ae3d27d4eb4fULL) * 0x165667b19e3779f9ULL;
}

static inline __u64 gh_entry_hash(const struct gh_address *address, __be16 port, __u8 protocol) {
  return gh_table_hash(address, (__u32)port << 8 | protocol);
}
static inline __u32 gh_first_line(__u64 hash) { return (__u32)(hash >> 40) & (GH_VIP_LINES - 1); }
static inline __u32 gh_second_line(__u64 hash) { return (__u32)(hash >> 20) & (GH_VIP_LINES - 1); }

/* Puts `entry` into a half of a table that nobody reads yet (cuckoo hashing: Pagh, Rodler 2001). Non-zero when it is too
 * full; the half is then to be given up. Victims are drawn at random (the same for equal tables): by turns, two entries
 * may throw each other out for ever in a table that is half empty. */
static inline int gh_place(struct gh_vip_line *half, struct gh_vip_entry entry) {
  __u32 dice = 1;
  int kick, choice, i;
  for (kick = 0; kick < 256; ++kick) {
    const __u64 hash = gh_entry_hash(&entry.address, entry.port, entry.protocol);
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
