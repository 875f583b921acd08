/* What may not reach a VIP, or not so fast: prefix rules, limits by source prefix, packets that no stack sends. Only VIPs
 * with GH_VIP_GUARDED pay for it. */
#pragma once

#include "bpf/route.h"

/* A verdict, or GH_UNDECIDED for a packet that may go on. */
static inline enum gh_verdict gh_guard(struct gh_tables *tables, const struct gh_state *state,
                                       const struct gh_vip *vip, const struct gh_parsed *parsed) {
  (void)tables, (void)state, (void)vip, (void)parsed;
  return GH_UNDECIDED;
}
