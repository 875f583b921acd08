/* VIPs whose servers run nothing of ours: what was chosen once for a flow is remembered, because nobody could send a packet
 * on to an earlier owner. Only VIPs with GH_VIP_SERVICE or GH_VIP_QUIC come here. */
#pragma once

#include "bpf/route.h"

/* As gh_route(): fills `routed`; non-zero when there is nobody. */
static inline int gh_route_service(struct gh_tables *tables, const struct gh_state *state, const struct gh_vip_entry *vip,
                                   const struct gh_packet *packet, const struct gh_parsed *parsed,
                                   struct gh_routed *routed) {
  (void)packet;
  return gh_route(tables, state, gh_get_identity(state), vip, parsed, routed);
}
