/* VIPs whose servers run nothing of ours: what was chosen once for a flow is remembered, because nobody could send a packet
 * on to an earlier owner. Only VIPs with GH_VIP_SERVICE come here.
 *   1. QUIC: a server id in the connection id decides (quic.h).
 *   2. The flow cache: a server that is still usable keeps its flows, also while it drains.
 *   3. The ring: of servers that take new flows. The choice is remembered.
 * What a flow is follows from what the VIP hashes: addresses and ports, both addresses, or the client's alone. */
#pragma once

#include "bpf/flow_cache.h"
#include "bpf/quic.h"
#include "bpf/route.h"

static inline int gh_is_usable(struct gh_tables *tables, __u32 service, __u32 id) {
  const struct gh_server *server = gh_get_server(tables, id);
  return server && (server->flags & GH_SERVER_USABLE) && server->service == service;
}

struct gh_flow {
  struct gh_flow_line *line;
  __u32 tag;
  __u16 now;
  __u16 idle;
  __u8 opens;  /* the first segment of a connection: whatever is remembered was another one's */
  __u8 closes;
};

static inline void gh_describe_flow(struct gh_flow *flow, struct gh_tables *tables, const struct gh_service *service,
                                    const struct gh_vip *vip, __u64 hash, __u8 protocol, __u8 tcp_flags) {
  /* By service, not VIP: where only addresses count, a client's flows to all its VIPs are one. */
  const __u64 key = gh_mix(hash ^ vip->service, 0x9e3779b97f4a7c15ULL);
  const int is_connection = vip->hash_fields == GH_HASH_FLOW;
  flow->line = gh_get_flow_line(tables, (__u32)(key >> 32) & service->flow_line_mask);
  flow->tag = gh_flow_tag(key);
  flow->now = (__u16)((gh_get_ticks(tables) * service->tick_multiplier) >> 32);
  flow->idle = protocol == GH_PROTOCOL_TCP ? service->tcp_idle : service->udp_idle;
  flow->opens = is_connection && (tcp_flags & (GH_TCP_SYN | GH_TCP_ACK)) == GH_TCP_SYN;
  flow->closes = is_connection && (tcp_flags & (GH_TCP_FIN | GH_TCP_RST)) != 0;
}

/* The server that is remembered and usable, the flow's age made new; 0: none. `way` is the flow's, if it has one. */
static inline __u16 gh_recall_flow(struct gh_tables *tables, const struct gh_flow *flow, __u32 service, __u64 **way) {
  __u64 word = 0, aged;
  *way = gh_find_flow(flow->line, flow->tag, &word);
  if (!*way || flow->opens || gh_is_flow_over(word, flow->now, flow->idle)) return 0;
  if (!gh_is_usable(tables, service, word & GH_FLOW_SERVER)) {
    gh_count_service(tables, service, GH_COUNT_MOVED);
    return 0;
  }
  aged = gh_age_flow(word, flow->now, flow->idle, flow->closes);
  /* Once per tick and flow, not per packet: the line is in many caches. */
  if (aged != word) *(volatile __u64 *)*way = aged;
  gh_count_service(tables, service, GH_COUNT_REMEMBERED);
  return (__u16)(word & GH_FLOW_SERVER);
}

static inline void gh_remember_flow(struct gh_tables *tables, const struct gh_flow *flow, __u32 service, __u64 *way,
                                    __u16 server) {
  const __u64 word = gh_flow_word(flow->tag, server | GH_FLOW_YOUNG, flow->now);
  __u64 before;
  if (flow->closes) return;
  if (way) {
    *(volatile __u64 *)way = word;
    return;
  }
  before = gh_add_flow(flow->line, word, flow->now);
  if ((before & GH_FLOW_SERVER) && !gh_is_flow_over(before, flow->now, flow->idle)) {
    gh_count_service(tables, service, GH_COUNT_REPLACED);
  }
}

/* By the ring of servers that take new flows. */
static inline int gh_choose_server(struct gh_tables *tables, const struct gh_state *state, const struct gh_vip *vip,
                                   __u64 hash, struct gh_routed *routed) {
  gh_count_service(tables, vip->service & (GH_MAX_SERVICES - 1), GH_COUNT_CHOSEN);
  return gh_route_hash(tables, state, vip->group, hash, routed);
}

static inline int gh_route_flow(struct gh_tables *tables, const struct gh_state *state, const struct gh_vip *vip,
                                const struct gh_flow *flow, __u64 hash, struct gh_routed *routed) {
  const __u32 number = vip->service & (GH_MAX_SERVICES - 1);
  __u64 *way = 0;
  __u16 server;
  if (!flow->line) return gh_choose_server(tables, state, vip, hash, routed);
  server = gh_recall_flow(tables, flow, number, &way);
  routed->slot = gh_slot(server, 0, 0, 0);
  if (server) return 0;
  if (gh_choose_server(tables, state, vip, hash, routed)) return -1;
  gh_remember_flow(tables, flow, number, way, gh_slot_hop(routed->slot, 0));
  return 0;
}

/* As gh_route(): fills `routed`; non-zero when there is nobody. */
static inline int gh_route_service(struct gh_tables *tables, const struct gh_state *state, const struct gh_vip *vip,
                                   const struct gh_packet *packet, const struct gh_parsed *parsed,
                                   struct gh_routed *routed) {
  const __u32 number = vip->service & (GH_MAX_SERVICES - 1);
  const __u32 half = state->services & GH_SERVICES_HALF;
  const struct gh_service *service = gh_get_service(tables, half * GH_MAX_SERVICES + number);
  const __u64 hash = gh_hash_of(gh_get_identity(state), vip, parsed);
  struct gh_flow flow;
  if (!service) return -1;
  routed->slot_index = 0;
  routed->epoch = 0;
  routed->hash = (__u32)hash;
  if (vip->flags & GH_VIP_QUIC) {
    const int is_usable = parsed->server && gh_is_usable(tables, number, parsed->server);
    gh_count_quic(tables, number, packet, parsed, is_usable);
    routed->slot = gh_slot(parsed->server, 0, 0, 0);
    if (is_usable) return 0;
  }
  if (!service->has_flow_cache) return gh_choose_server(tables, state, vip, hash, routed);
  gh_describe_flow(&flow, tables, service, vip, hash, parsed->protocol, parsed->tcp_flags);
  return gh_route_flow(tables, state, vip, &flow, hash, routed);
}
