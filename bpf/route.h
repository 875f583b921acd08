/* From a parsed packet to a hop list: VIP table, flow hash, slot. */
#pragma once

#include "bpf/hash.h"
#include "bpf/parse.h"

static inline const struct gh_vip_entry *gh_match_line(const struct gh_vip_line *line, const struct gh_address *address,
                                                       __be16 port, __u8 protocol) {
  int i;
  if (!line) return 0;
  for (i = 0; i < 2; ++i) {
    const struct gh_vip_entry *entry = &line->entry[i];
    if (entry->address.low == address->low && entry->address.high == address->high && entry->port == port &&
        entry->protocol == protocol && entry->is_used) {
      return entry;
    }
  }
  return 0;
}

/* The entry of (address, port, protocol); port and protocol 0 ask whether the address is in the table at all. */
static inline const struct gh_vip_entry *gh_find_vip(struct gh_tables *tables, const struct gh_state *state,
                                                     const struct gh_address *address, __be16 port, __u8 protocol) {
  const __u64 hash = gh_entry_hash(address, port, protocol);
  const __u32 base = (state->vip_half & 1) * GH_VIP_LINES;
  const struct gh_vip_entry *entry;
  entry = gh_match_line(gh_get_vip_line(tables, base + gh_first_line(hash)), address, port, protocol);
  if (entry) return entry;
  return gh_match_line(gh_get_vip_line(tables, base + gh_second_line(hash)), address, port, protocol);
}

/* Copies where the packets of node `id` go. Non-zero when nobody knows. */
static inline int gh_find_node(struct gh_tables *tables, __u32 id, struct gh_node *found) {
  const struct gh_node *node = gh_get_node(tables, id);
  const struct gh_destination *live;
  if (!node) return -1;
  live = &node->destinations[*(const volatile __u32 *)&node->live & 1]; /* one load; it stays whole for this packet */
  found->address = live->address;
  found->is_v4 = live->is_v4;
  return (found->address.high | found->address.low) == 0;
}

struct gh_routed {
  __u64 slot;       /* hop list */
  __u32 slot_index; /* within the ring */
  __u32 hash;       /* entropy for the tunnel's source port */
  __u16 epoch;
};

/* The hash of what the VIP asks for. */
static inline __u64 gh_hash_of(const struct gh_state *state, const struct gh_vip_entry *vip, const struct gh_parsed *parsed) {
  const struct gh_address none = {0, 0};
  const __u64 ports = (__u64)parsed->source_port | (__u64)parsed->destination_port << 16 | (__u64)parsed->protocol << 32;
  const int is_source = vip->hash_fields == GH_HASH_SOURCE;
  return gh_flow_hash(state->hash_key, &parsed->source, is_source ? &none : &parsed->destination,
                      vip->hash_fields == GH_HASH_FLOW ? ports : 0);
}

/* Returns 0, or non-zero when the group has no ring or the slot no owner. */
static inline int gh_route_hash(struct gh_tables *tables, const struct gh_state *state, __u32 group_number, __u64 hash,
                                struct gh_routed *routed) {
  const struct gh_group *group = gh_get_group(tables, group_number);
  const __u64 *slot;
  __u64 ring;
  if (!group) return -1;
  ring = *(const volatile __u64 *)&group->ring; /* one load: base and epoch belong together */
  if (!gh_ring_is_set(ring)) return -1;
  routed->slot_index = (__u32)(((hash >> 32) * state->slots) >> 32);
  slot = gh_get_slot(tables, gh_ring_base(ring) + routed->slot_index);
  if (!slot) return -1;
  routed->slot = *slot;
  routed->hash = (__u32)hash;
  routed->epoch = gh_ring_epoch(ring);
  return gh_slot_hop(routed->slot, 0) == 0;
}

static inline int gh_route(struct gh_tables *tables, const struct gh_state *state, const struct gh_vip_entry *vip,
                           const struct gh_parsed *parsed, struct gh_routed *routed) {
  return gh_route_hash(tables, state, vip->group, gh_hash_of(state, vip, parsed), routed);
}
