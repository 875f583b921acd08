/* The kernel adapter of services: their maps, and the clock of flows. The loader sizes the flow cache. */
#pragma once

#include "bpf/maps.h"

GH_ARRAY(services, struct gh_service, 2 * GH_MAX_SERVICES);
GH_ARRAY(servers, struct gh_server, GH_MAX_NODES);
GH_ARRAY(service_lines, struct gh_vip_line, 2 * GH_VIP_LINES);
GH_ARRAY(vip_places, struct gh_vip_place, 2 * GH_MAX_VIPS);
GH_ARRAY(quic_configs, struct gh_quic, 2 * GH_MAX_SERVICES * GH_QUIC_CONFIGS);
GH_ARRAY(aes, struct gh_aes, GH_AES_DIRECTIONS);
GH_ARRAY(flow_lines, struct gh_flow_line, 1);
GH_ARRAY(service_counts, struct gh_service_counts, GH_MAX_SERVICES);

#define GH_TABLE(type, name, map)                                       \
  static inline type *name(struct gh_tables *tables, __u32 index) {     \
    (void)tables;                                                       \
    return (type *)bpf_map_lookup_elem(&map, &index);                   \
  }
GH_TABLE(const struct gh_service, gh_get_service, services)
GH_TABLE(const struct gh_server, gh_get_server, servers)
GH_TABLE(const struct gh_vip_line, gh_get_service_line, service_lines)
GH_TABLE(const struct gh_vip_place, gh_get_vip_place, vip_places)
GH_TABLE(const struct gh_quic, gh_get_quic, quic_configs)
GH_TABLE(const struct gh_aes, gh_get_aes, aes)
GH_TABLE(struct gh_flow_line, gh_get_flow_line, flow_lines)
#undef GH_TABLE

struct gh_clock {
  __u64 ticks;
};

static inline void gh_count_service(struct gh_tables *tables, __u32 service, enum gh_service_count count) {
  const __u32 index = bpf_get_smp_processor_id() * GH_MAX_SERVICES + service;
  struct gh_service_counts *counts = (struct gh_service_counts *)bpf_map_lookup_elem(&service_counts, &index);
  (void)tables;
  if (counts) ++counts->count[count];
}
