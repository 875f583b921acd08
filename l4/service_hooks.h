// The hooks of services over l4::ServiceTables; user_tables.cc includes it after struct gh_tables. Internal
// to it.
#pragma once

#include "bpf/hooks.h"
#include "l4/service_tables.h"

static inline const gatehouse::l4::ServiceTables& gh_services_of(gh_tables* tables);

template <typename T>
static inline T* gh_at(std::span<T> table, std::size_t index) {
  return index < table.size() ? &table[index] : nullptr;
}

static inline const gh_service* gh_get_service(gh_tables* tables, __u32 index) {
  return gh_at(gh_services_of(tables).services, index);
}
static inline const gh_server* gh_get_server(gh_tables* tables, __u32 id) {
  return gh_at(gh_services_of(tables).servers, id);
}
static inline const gh_vip_line* gh_get_service_line(gh_tables* tables, __u32 index) {
  return gh_at(gh_services_of(tables).lines, index);
}
static inline const gh_vip_place* gh_get_vip_place(gh_tables* tables, __u32 index) {
  return gh_at(gh_services_of(tables).places, index);
}
static inline const gh_quic* gh_get_quic(gh_tables* tables, __u32 index) {
  return gh_at(gh_services_of(tables).quic, index);
}
static inline const gh_aes* gh_get_aes(gh_tables* tables, __u32 direction) {
  return gh_at(gh_services_of(tables).aes, direction);
}
static inline gh_flow_line* gh_get_flow_line(gh_tables* tables, __u32 index) {
  return gh_at(gh_services_of(tables).flow_lines, index);
}
static inline __u64 gh_get_ticks(gh_tables* tables) { return gh_services_of(tables).ticks; }
static inline void gh_count_service(gh_tables* tables, __u32 service, gh_service_count count) {
  if (gh_service_counts* counts = gh_at(gh_services_of(tables).counts, service)) ++counts->count[count];
}
