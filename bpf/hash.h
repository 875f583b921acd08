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

/* Position of an address and port in the VIP table: low and high half give the two lines where it may stand. Not keyed:
 * the operator, not the client, chooses what is in the table. */
static inline __u64 gh_table_hash(const struct gh_address *address, __u32 port_and_protocol) {
  __u64 hash = gh_mix(address->low ^ port_and_protocol, 0x9e3779b97f4a7c15ULL);
  return gh_mix(hash ^ address->high, 0xc2b2ae3d27d4eb4fULL) * 0x165667b19e3779f9ULL;
}
