/* The services' lines: a table like the VIPs', in the half that is live with the services. It holds what the way back from a
 * server asks for, and the server ids of QUIC; the protocol says which (GH_LINE_BACK, GH_LINE_HOST, GH_LINE_QUIC). */
#pragma once

#include "bpf/route.h"

static inline int gh_match_service_line(struct gh_tables *tables, __u32 index, const struct gh_address *address, __u32 key,
                                        struct gh_vip *found) {
  const struct gh_vip_line *line = gh_get_service_line(tables, index);
  return line && gh_match_line(line, address, key, found);
}

/* `key` is that of gh_entry_key(). */
static inline int gh_find_service_entry(struct gh_tables *tables, __u32 half, const struct gh_address *address, __u32 key,
                                        struct gh_vip *found) {
  const __u64 hash = gh_entry_hash(address, key);
  const __u32 base = (half & GH_SERVICES_HALF) * GH_VIP_LINES;
  return gh_match_service_line(tables, base + gh_first_line(hash), address, key, found) ||
         gh_match_service_line(tables, base + gh_second_line(hash), address, key, found);
}
