/* The services' lines: a table like the VIPs', in the half that is live with the services. It holds what the way back from a
 * server asks for, and the server ids of QUIC; the protocol says which (GH_LINE_BACK, GH_LINE_HOST, GH_LINE_QUIC). */
#pragma once

#include "bpf/route.h"

static inline const struct gh_vip_entry *gh_find_service_entry(struct gh_tables *tables, __u32 half,
                                                               const struct gh_address *address, __be16 port,
                                                               __u8 protocol) {
  const __u64 hash = gh_entry_hash(address, port, protocol);
  const __u32 base = (half & GH_SERVICES_HALF) * GH_VIP_LINES;
  const struct gh_vip_entry *entry;
  entry = gh_match_line(gh_get_service_line(tables, base + gh_first_line(hash)), address, port, protocol);
  if (entry) return entry;
  return gh_match_line(gh_get_service_line(tables, base + gh_second_line(hash)), address, port, protocol);
}
