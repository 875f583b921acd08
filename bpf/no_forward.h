/* The hooks that only a front door needs, for programs that are none: the node's, the probe's, the benchmark's. */
#pragma once

#include "bpf/hooks.h"

static inline const __u64 *gh_get_slot(struct gh_tables *tables, __u32 index) {
  (void)tables, (void)index;
  return 0;
}
static inline struct gh_cpu *gh_get_cpu(struct gh_tables *tables) {
  (void)tables;
  return 0;
}

static inline enum gh_verdict gh_judge_apart(struct gh_tables *tables, void *context, struct gh_parsed *parsed) {
  (void)tables, (void)context, (void)parsed;
  return GH_NOT_VIP;
}
static inline void gh_name_server_apart(struct gh_tables *tables, void *context, struct gh_parsed *parsed) {
  (void)tables, (void)context, (void)parsed;
}
static inline enum gh_verdict gh_forward_apart(struct gh_tables *tables, void *context, const struct gh_parsed *parsed) {
  (void)tables, (void)context, (void)parsed;
  return GH_NOT_VIP;
}

/* Of services. */
#define GH_NO_TABLE(type, name)                                         \
  static inline type *name(struct gh_tables *tables, __u32 index) {     \
    (void)tables, (void)index;                                          \
    return 0;                                                           \
  }
GH_NO_TABLE(const struct gh_service, gh_get_service)
GH_NO_TABLE(const struct gh_server, gh_get_server)
GH_NO_TABLE(const struct gh_vip_line, gh_get_service_line)
GH_NO_TABLE(const struct gh_vip_place, gh_get_vip_place)
GH_NO_TABLE(const struct gh_quic, gh_get_quic)
GH_NO_TABLE(const struct gh_aes, gh_get_aes)
GH_NO_TABLE(struct gh_flow_line, gh_get_flow_line)
#undef GH_NO_TABLE
static inline __u64 gh_get_ticks(struct gh_tables *tables) {
  (void)tables;
  return 0;
}
static inline void gh_count_service(struct gh_tables *tables, __u32 service, enum gh_service_count count) {
  (void)tables, (void)service, (void)count;
}
