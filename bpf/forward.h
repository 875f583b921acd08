/* The front door, in order: filter → parse → VIP → guard → route (hash and slot, or a service's memory) → encapsulate. One
 * packet in, one verdict out; every verdict is counted, and a packet that is not for a VIP leaves before anything is parsed.
 *
 * There are two ways. The beaten path takes whole TCP and UDP packets without extension headers to VIPs that ask for nothing
 * special, found at the first look; there is a copy of it for each family, and what it reads of a packet it keeps in registers.
 * All others go the long way, functions of their own that begin anew: VLAN tags, IP options, ICMP, fragments, extension headers, any-port
 * VIPs, packets that are too long, and what is not for a VIP after all. Services and hashes of chosen fields have gone half of the
 * beaten path and take the second half of the long one. */
#pragma once

#include "bpf/guard.h"
#include "bpf/icmp.h"
#include "bpf/nat.h"
#include "bpf/service.h"

static inline int gh_is_fragment(const struct gh_parsed *parsed) {
  return parsed->form == GH_FORM_FIRST || parsed->form == GH_FORM_LATER;
}

/* The VIP that gets the packet, by the ports that it has. */
static inline int gh_choose_vip(const struct gh_state *state, const struct gh_parsed *parsed, struct gh_vip *vip) {
  if (parsed->form == GH_FORM_LATER) {
    return gh_find_entry(state, &parsed->destination, gh_entry_key(0, parsed->protocol, GH_ENTRY_FRAGMENTS), vip);
  }
  return gh_find_vip(state, &parsed->destination, parsed->destination_port, parsed->protocol, vip);
}

GH_INLINE void gh_add_traffic(struct gh_traffic *traffic, const struct gh_parsed *parsed) {
  ++traffic->packets;
  traffic->bytes += parsed->ip_length;
  if ((parsed->tcp_flags & (GH_TCP_SYN | GH_TCP_ACK)) == GH_TCP_SYN) ++traffic->opened;
  if (parsed->form == GH_FORM_ERROR) ++traffic->errors;
}

GH_INLINE void gh_count_forwarded(struct gh_tables *tables, __u32 vip, __u32 owner, const struct gh_parsed *parsed) {
  struct gh_cpu *cpu = gh_get_cpu(tables);
  if (!cpu) return;
  gh_add_traffic(&cpu->vips[gh_within(vip, GH_MAX_VIPS)], parsed);
  gh_add_traffic(&cpu->nodes[gh_within(owner, GH_MAX_NODES)], parsed);
}

/* Tunnels the packet to the owner of its slot. GH_UNDECIDED: it is too long, and routed->room would fit. */
GH_INLINE enum gh_verdict gh_send(struct gh_tables *tables, const struct gh_state *state, const struct gh_identity *identity,
                                  struct gh_packet *packet, const struct gh_vip *vip, const struct gh_parsed *parsed,
                                  struct gh_routed *routed) {
  const __u32 owner = gh_slot_hop(routed->slot, 0);
  const struct gh_destination *node = gh_find_node(state, owner);
  enum gh_verdict verdict;
  __u32 outer_length;
  if (!node) return GH_VIP_NO_RING;
  outer_length = gh_outer_length(vip->encapsulation, node->family);
  if (parsed->ip_length + outer_length > identity->mtu) {
    routed->room = identity->mtu - outer_length;
    return GH_UNDECIDED;
  }
  verdict = gh_encapsulate(packet, identity, vip->encapsulation, node, parsed, routed);
  if (verdict == GH_FORWARDED) gh_count_forwarded(tables, vip->vip, owner, parsed);
  return verdict;
}

/* To a server that gets the packet as its own. */
static inline enum gh_verdict gh_send_translated(struct gh_tables *tables, const struct gh_state *state,
                                                 struct gh_packet *packet, const struct gh_vip *vip,
                                                 const struct gh_parsed *parsed, const struct gh_routed *routed) {
  const __u32 owner = gh_slot_hop(routed->slot, 0);
  const struct gh_destination *node = gh_find_node(state, owner);
  const enum gh_verdict verdict = node ? gh_translate_to_server(tables, packet, parsed, owner, node) : GH_VIP_NO_RING;
  if (verdict == GH_FORWARDED) gh_count_forwarded(tables, vip->vip, owner, parsed);
  return verdict;
}

/* ---- The long way ---- */

/* Its first half: what is this, and whose? GH_UNDECIDED: `parsed` names a flow that may be a VIP's. */
static inline enum gh_verdict gh_judge(struct gh_tables *tables, struct gh_packet *packet, struct gh_parsed *parsed) {
  const struct gh_state *state = gh_get_state(tables);
  const enum gh_parse_outcome outcome = gh_parse(packet, parsed);
  if (!state || outcome == GH_PARSED_NOT_IP) return GH_NOT_VIP;
  if (outcome == GH_PARSED_PORTS) return GH_UNDECIDED;
  if (!gh_has_address(state, &parsed->destination)) return GH_NOT_VIP; /* only what goes to a VIP's address is ours to judge */
  if (outcome == GH_PARSED_TRUNCATED) return GH_TRUNCATED;
  if (outcome == GH_PARSED_EXTENSION) return GH_VIP_EXTENSION;
  if (outcome == GH_PARSED_FRAGMENT) return GH_UNDECIDED;
  if (parsed->form != GH_FORM_WHOLE) return GH_VIP_FRAGMENT;
  return gh_handle_icmp(tables, state, packet, parsed);
}

static inline int gh_route_any(struct gh_tables *tables, const struct gh_state *state, struct gh_packet *packet,
                               const struct gh_vip *vip, const struct gh_parsed *parsed, struct gh_routed *routed) {
  if (vip->flags & (GH_VIP_SERVICE | GH_VIP_QUIC)) return gh_route_service(tables, state, vip, packet, parsed, routed);
  return gh_route(tables, state, gh_get_identity(state), vip, parsed, routed);
}

/* Its second half: the same as the beaten path for every VIP and every form of packet. */
static inline enum gh_verdict gh_forward(struct gh_tables *tables, struct gh_packet *packet, const struct gh_parsed *parsed) {
  const struct gh_state *state = gh_get_state(tables);
  struct gh_routed routed;
  struct gh_vip vip;
  enum gh_verdict verdict;
  if (!state) return GH_NOT_VIP;
  if (!gh_choose_vip(state, parsed, &vip)) {
    return gh_is_fragment(parsed) ? GH_VIP_FRAGMENT : gh_translate_back(tables, state, packet, parsed);
  }
  if (gh_is_fragment(parsed) && !(vip.flags & GH_VIP_FRAGMENTS)) return GH_VIP_FRAGMENT;
  if (vip.flags & GH_VIP_GUARDED) {
    verdict = gh_guard(tables, state, &vip, parsed);
    if (verdict != GH_UNDECIDED) return verdict;
  }
  if (gh_route_any(tables, state, packet, &vip, parsed, &routed)) return GH_VIP_NO_RING;
  if (vip.encapsulation == GH_ENCAPSULATE_NAT) return gh_send_translated(tables, state, packet, &vip, parsed, &routed);
  verdict = gh_send(tables, state, gh_get_identity(state), packet, &vip, parsed, &routed);
  if (verdict != GH_UNDECIDED) return verdict;
  return gh_refuse_length(tables, gh_get_identity(state), packet, parsed, routed.room);
}

/* ---- The beaten path ---- */

/* What its steps say beside verdicts. GH_UNDECIDED: the long way. GH_HANDED: its second half, with what was written to `handed`. */
enum { GH_HANDED = GH_UNDECIDED + 1 };

GH_INLINE int gh_take_beaten_path(struct gh_tables *tables, const struct gh_state *state, struct gh_packet *packet,
                                  const struct gh_parsed *parsed, struct gh_parsed *handed) {
  const __u32 key = gh_entry_key(parsed->destination_port, parsed->protocol, GH_ENTRY_VIP);
  const struct gh_identity *identity = gh_get_identity(state);
  struct gh_vip vip;
  struct gh_routed routed;
  if (!gh_find_first(state, &parsed->destination, key, &vip)) return GH_UNDECIDED;
  if ((vip.flags & GH_VIP_LONG_WAY) || vip.hash_fields != GH_HASH_FLOW) {
    *handed = *parsed; /* what is pointed to is in memory, not in registers */
    return GH_HANDED;
  }
  if (vip.flags & GH_VIP_GUARDED) {
    const enum gh_verdict verdict = gh_guard(tables, state, &vip, parsed);
    if (verdict != GH_UNDECIDED) return verdict;
  }
  if (gh_route(tables, state, identity, &vip, parsed, &routed)) return GH_VIP_NO_RING;
  return gh_send(tables, state, identity, packet, &vip, parsed, &routed);
}

/* Whether a frame of another type than IP carries a packet, behind VLAN tags, that may be to a VIP. */
static inline int gh_may_be_tagged_vip(const struct gh_state *state, const struct gh_packet *packet) {
  __u64 link_length;
  const __be16 type = gh_parse_link(packet, &link_length);
  return gh_may_be_vip(state, packet->start + link_length, packet->end, type);
}

/* Of a packet that is to no VIP: it may still come from a server whose address is to be translated back. */
static inline enum gh_verdict gh_leave_to_host(const struct gh_state *state) {
  return state->services & GH_SERVICES_TRANSLATE ? GH_UNDECIDED : GH_NOT_VIP;
}

/* The two families on the beaten path. */
GH_INLINE int gh_balance_v4(struct gh_tables *tables, const struct gh_state *state, struct gh_packet *packet,
                            struct gh_parsed *handed) {
  const struct gh_ipv4 *ip = (const struct gh_ipv4 *)(packet->start + sizeof(struct gh_ethernet));
  struct gh_parsed parsed;
  if (!gh_may_be_vip_v4(state, (const __u8 *)ip, packet->end)) return gh_leave_to_host(state);
  if (ip->version_length != 0x45 || (ip->fragment & gh_be16(0x3fff))) return GH_UNDECIDED; /* options, fragments */
  parsed.link_length = sizeof(struct gh_ethernet);
  if (gh_parse_ipv4(packet, sizeof(struct gh_ethernet), &parsed) != GH_PARSED_PORTS) return GH_UNDECIDED;
  return gh_take_beaten_path(tables, state, packet, &parsed, handed);
}

GH_INLINE int gh_balance_v6(struct gh_tables *tables, const struct gh_state *state, struct gh_packet *packet,
                            struct gh_parsed *handed) {
  const struct gh_ipv6 *ip = (const struct gh_ipv6 *)(packet->start + sizeof(struct gh_ethernet));
  struct gh_parsed parsed;
  if (!gh_may_be_vip_v6(state, (const __u8 *)ip, packet->end)) return gh_leave_to_host(state);
  if (gh_load64(ip->destination) == 0) return GH_UNDECIDED; /* so are mapped addresses */
  parsed.link_length = sizeof(struct gh_ethernet);
  if (gh_parse_ipv6(packet, sizeof(struct gh_ethernet), &parsed) != GH_PARSED_PORTS) return GH_UNDECIDED;
  return gh_take_beaten_path(tables, state, packet, &parsed, handed);
}

GH_INLINE enum gh_verdict gh_balance_uncounted(struct gh_tables *tables, struct gh_packet *packet) {
  const struct gh_ethernet *ethernet = (const struct gh_ethernet *)packet->start;
  const struct gh_state *state = gh_get_state(tables);
  struct gh_parsed handed;
  int verdict;
  if (!state || (const __u8 *)(ethernet + 1) > packet->end) return GH_NOT_VIP;
  if (ethernet->type == gh_be16(GH_ETHERTYPE_IPV4)) {
    verdict = gh_balance_v4(tables, state, packet, &handed);
  } else if (ethernet->type == gh_be16(GH_ETHERTYPE_IPV6)) {
    verdict = gh_balance_v6(tables, state, packet, &handed);
  } else {
    verdict = gh_may_be_tagged_vip(state, packet) ? GH_UNDECIDED : gh_leave_to_host(state);
  }
  if (verdict == GH_UNDECIDED) {
    __builtin_memset(&handed, 0, sizeof(handed));
    verdict = gh_judge_apart(tables, packet->context, &handed);
  } else if (verdict != GH_HANDED) {
    return (enum gh_verdict)verdict;
  }
  return verdict == GH_UNDECIDED || verdict == GH_HANDED ? gh_forward_apart(tables, packet->context, &handed) : (enum gh_verdict)verdict;
}

GH_INLINE enum gh_verdict gh_balance(struct gh_tables *tables, struct gh_packet *packet) {
  const enum gh_verdict verdict = gh_balance_uncounted(tables, packet);
  if (verdict != GH_FORWARDED) gh_count_verdict(tables, verdict); /* forwarded ones are counted with their VIP */
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
