/* The front door, in order: parse → VIP → guard → route (hash and slot, or a service's memory) → encapsulate. One packet in, one verdict out; every verdict is
 * counted, and a packet that is not for a VIP leaves before anything is hashed or written. */
#pragma once

#include "bpf/guard.h"
#include "bpf/icmp.h"
#include "bpf/nat.h"
#include "bpf/service.h"

/* Packets without ports are ours to name only when they go to a VIP's address. */
static inline enum gh_verdict gh_judge_portless(struct gh_tables *tables, const struct gh_state *state,
                                                struct gh_packet *packet, const struct gh_parsed *parsed,
                                                enum gh_parse_outcome outcome) {
  enum gh_verdict verdict;
  if (!gh_find_vip(tables, state, &parsed->destination, 0, 0)) return GH_NOT_VIP;
  verdict = gh_handle_icmp(tables, state, packet, parsed);
  if (verdict != GH_UNDECIDED) return verdict;
  if (outcome == GH_PARSED_FRAGMENT) return GH_VIP_FRAGMENT;
  return outcome == GH_PARSED_EXTENSION ? GH_VIP_EXTENSION : GH_VIP_NO_PORTS;
}

static inline enum gh_verdict gh_balance_uncounted(struct gh_tables *tables, struct gh_packet *packet) {
  const struct gh_state *state = gh_get_state(tables);
  const struct gh_vip_entry *vip;
  struct gh_node node;
  struct gh_parsed parsed;
  struct gh_routed routed;
  enum gh_parse_outcome outcome;
  enum gh_verdict verdict;
  __u32 vip_number;
  __u16 owner;

  if (!state) return GH_NOT_VIP;
  outcome = gh_parse(packet, &parsed);
  if (outcome == GH_PARSED_NOT_IP) return GH_NOT_VIP;
  if (outcome == GH_PARSED_TRUNCATED) return GH_TRUNCATED;
  if (outcome != GH_PARSED_PORTS) return gh_judge_portless(tables, state, packet, &parsed, outcome);

  vip = gh_find_vip(tables, state, &parsed.destination, parsed.destination_port, parsed.protocol);
  if (!vip) return gh_translate_back(tables, state, packet, &parsed);
  vip_number = vip->vip;
  if (vip->flags & GH_VIP_GUARDED) {
    verdict = gh_guard(tables, vip, packet, &parsed);
    if (verdict != GH_UNDECIDED) return verdict;
  }
  if (vip->flags & (GH_VIP_SERVICE | GH_VIP_QUIC)) {
    if (gh_route_service(tables, state, vip, packet, &parsed, &routed)) return GH_VIP_NO_RING;
  } else if (gh_route(tables, state, vip, &parsed, &routed)) {
    return GH_VIP_NO_RING;
  }
  owner = gh_slot_hop(routed.slot, 0);
  if (gh_find_node(tables, owner, &node)) return GH_VIP_NO_RING;

  if (vip->encapsulation == GH_ENCAPSULATE_NAT) {
    verdict = gh_translate_to_server(tables, packet, &parsed, owner, &node);
  } else {
    verdict = gh_encapsulate(packet, state, &node, &parsed, &routed);
  }
  if (verdict == GH_FORWARDED) {
    gh_count_vip(tables, vip_number, parsed.ip_length);
    gh_count_node(tables, owner, parsed.ip_length);
  }
  return verdict;
}

static inline enum gh_verdict gh_balance(struct gh_tables *tables, struct gh_packet *packet) {
  const enum gh_verdict verdict = gh_balance_uncounted(tables, packet);
  gh_count_verdict(tables, verdict);
  return verdict;
}

static inline enum gh_action gh_action_of(enum gh_verdict verdict) {
  switch (verdict) {
#define GH_CASE(name, action, text, help) \
  case GH_##name: return action;
    GH_VERDICTS(GH_CASE)
#undef GH_CASE
    default: return GH_DROP;
  }
}
