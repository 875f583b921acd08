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
static inline void gh_name_server_apart(struct gh_tables *tables, void *context, struct gh_parsed *parsed, __u32 service) {
  (void)tables, (void)context, (void)parsed, (void)service;
}
static inline enum gh_verdict gh_admit_apart(struct gh_tables *tables, void *context, const struct gh_parsed *parsed,
                                             struct gh_vip *vip) {
  (void)tables, (void)context, (void)parsed, (void)vip;
  return GH_NOT_VIP;
}
static inline enum gh_verdict gh_forward_apart(struct gh_tables *tables, void *context, const struct gh_parsed *parsed,
                                               const struct gh_vip *vip) {
  (void)tables, (void)context, (void)parsed, (void)vip;
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
static inline void gh_count_service(struct gh_tables *tables, __u32 service, enum gh_service_count count) {
  (void)tables, (void)service, (void)count;
}

/* Of protection; a node has cookies of its own (node_cookies.h). */
GH_NO_TABLE(const struct gh_prefix_line, gh_get_prefix_line)
GH_NO_TABLE(const __u64, gh_get_v4_lengths)
GH_NO_TABLE(struct gh_bucket_line, gh_get_bucket_line)
GH_NO_TABLE(struct gh_sketch_line, gh_get_sketch_line)
#undef GH_NO_TABLE
static inline __u32 gh_find_rule(struct gh_tables *tables, __u64 high, __u64 low, __u64 length) {
  (void)tables, (void)high, (void)low, (void)length;
  return 0;
}
static inline __u32 gh_find_lists(struct gh_tables *tables, const struct gh_wide *address, int is_v4, __u32 wanted) {
  (void)tables, (void)address, (void)is_v4, (void)wanted;
  return 0;
}
static inline __u32 gh_take(struct gh_tables *tables, __u64 hash, const struct gh_rate *rate, __u64 now) {
  (void)tables, (void)hash, (void)rate, (void)now;
  return 0;
}
