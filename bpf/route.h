/* From a parsed packet to a hop list: VIP table, flow hash, slot. */
#pragma once

#include "bpf/parse.h"

/* What the entry of `key` in `line` says is copied to `found`. Non-zero when it is there. */
GH_INLINE int gh_match_line(const struct gh_vip_line *line, const struct gh_address *address, __u32 key,
                            struct gh_vip *found) {
  int i;
  for (i = 0; i < 2; ++i) {
    const struct gh_vip_entry *entry = &line->entry[i];
    if (entry->address.low != address->low || entry->address.high != address->high || entry->key != key) continue;
    found->traits = entry->traits;
    found->service = entry->service;
    return 1;
  }
  return 0;
}

/* The entry of `key` where it stands if it got its first choice, as nearly all do. */
GH_INLINE int gh_find_first(const struct gh_state *state, const struct gh_address *address, __u32 key,
                            struct gh_vip *found) {
  const __u32 base = (state->vip_half & 1) * GH_VIP_LINES;
  return gh_match_line(gh_same(&state->vip_lines[base + gh_first_line(gh_entry_hash(address, key))]), address, key, found);
}

/* The entry of `key`. */
static inline int gh_find_entry(const struct gh_state *state, const struct gh_address *address, __u32 key,
                                struct gh_vip *found) {
  const __u32 base = (state->vip_half & 1) * GH_VIP_LINES;
  if (gh_find_first(state, address, key, found)) return 1;
  return gh_match_line(gh_same(&state->vip_lines[base + gh_second_line(gh_entry_hash(address, key))]), address, key, found);
}

/* The VIP of (address, port, protocol): the one of exactly that port, else the one of any port. */
static inline int gh_find_vip(const struct gh_state *state, const struct gh_address *address, __be16 port, __u8 protocol,
                              struct gh_vip *found) {
  if (gh_find_entry(state, address, gh_entry_key(port, protocol, GH_ENTRY_VIP), found)) return 1;
  return gh_find_entry(state, address, gh_entry_key(0, protocol, GH_ENTRY_VIP), found);
}

/* Whether some VIP has the address; on a node: whether somebody of the fleet does. `found` has the flags of a guarded one. */
static inline int gh_find_address(const struct gh_state *state, const struct gh_address *address, struct gh_vip *found) {
  return gh_find_entry(state, address, gh_entry_key(0, 0, GH_ENTRY_VIP), found);
}
static inline int gh_has_address(const struct gh_state *state, const struct gh_address *address) {
  struct gh_vip found;
  return gh_find_address(state, address, &found);
}

/* Where the packets of node `id` go; NULL when nobody knows, as of node 0. It stays as it is for this packet. */
GH_INLINE const struct gh_destination *gh_find_node(const struct gh_state *state, __u32 id) {
  const struct gh_node *node;
  const struct gh_destination *live;
  if (id >= GH_MAX_NODES) return 0;
  node = gh_same(&state->nodes[gh_within(id, GH_MAX_NODES)]);
  live = gh_same(&node->destinations[*(const volatile __u32 *)&node->live & 1]);
  return live->family != GH_FAMILY_NONE ? live : 0;
}

struct gh_routed {
  __u64 slot;       /* hop list */
  __u32 slot_index; /* within the ring */
  __u32 hash;       /* entropy for the tunnel's source port or address */
  __u32 room;       /* of a packet that is too long for the fabric: what would fit */
  __u16 epoch;
};

/* The hash of what the VIP asks for: equal for all packets that must go to one node. High bits are the best ones. */
GH_INLINE __u64 gh_hash_of(const struct gh_identity *identity, const struct gh_vip *vip, const struct gh_parsed *parsed) {
  const __u64 *key = identity->hash_key;
  const struct gh_address none = {0, 0};
  if (vip->hash_fields == GH_HASH_FLOW) {
    return gh_flow_hash(key, parsed->is_v4, &parsed->source, &parsed->destination,
                        (__u64)parsed->ports | (__u64)parsed->protocol << 32);
  }
  return gh_flow_hash(key, parsed->is_v4, &parsed->source,
                      vip->hash_fields == GH_HASH_SOURCE ? &none : &parsed->destination, 0);
}

/* Returns 0, or non-zero when the group has no ring. */
GH_INLINE int gh_route_hash(struct gh_tables *tables, const struct gh_state *state, __u32 group_number, __u64 hash,
                            struct gh_routed *routed) {
  const __u64 *slot;
  __u64 ring;
  /* One load: base and epoch belong together. */
  ring = *(const volatile __u64 *)&state->groups[gh_within(group_number, GH_MAX_GROUPS)].ring;
  if (!gh_ring_is_set(ring)) return -1;
  routed->slot_index = (__u32)(((hash >> 32) * state->slots) >> 32);
  slot = gh_get_slot(tables, gh_ring_base(ring) + routed->slot_index);
  if (!slot) return -1;
  routed->slot = *slot;
  routed->hash = (__u32)hash;
  routed->epoch = gh_ring_epoch(ring);
  return 0;
}

GH_INLINE int gh_route(struct gh_tables *tables, const struct gh_state *state, const struct gh_identity *identity,
                       const struct gh_vip *vip, const struct gh_parsed *parsed, struct gh_routed *routed) {
  return gh_route_hash(tables, state, vip->group, gh_same(gh_hash_of(identity, vip, parsed)), routed);
}
