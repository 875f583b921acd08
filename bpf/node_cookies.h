/* SYN cookies of the node's kernel, for its XDP program. */
#pragma once

#include "bpf/abi_guard.h"
#include "bpf/maps.h"

static inline struct gh_cookies *gh_get_cookies(struct gh_tables *tables) {
  const __u32 zero = 0;
  (void)tables;
  return (struct gh_cookies *)bpf_map_lookup_elem(&cookies, &zero);
}

/* The kernel's timestamps are milliseconds of its monotonic clock (tcp_clock_ms). */
static inline __u32 gh_get_tcp_clock(void) { return (__u32)(bpf_ktime_get_ns() / 1000000); }

static inline int gh_read(const struct gh_packet *packet, __u64 offset, void *to, __u32 length) {
  if (length == 0 || length > 60) return -1;
  return bpf_xdp_load_bytes((struct xdp_md *)packet->context, (__u32)offset, to, length) != 0;
}

static inline __attribute__((always_inline)) void gh_repeat(__u32 count, long (*step)(__u32, void *), void *context) {
  bpf_loop(count, step, context, 0);
}

static inline struct bpf_sock *gh_find_socket(struct gh_packet *packet, const __u8 *ip, const __u8 *ports, int is_v4) {
  struct bpf_sock_tuple tuple;
  __builtin_memset(&tuple, 0, sizeof(tuple));
  if (is_v4) {
    __builtin_memcpy(&tuple.ipv4.saddr, ((const struct gh_ipv4 *)ip)->source, 8);
    __builtin_memcpy(&tuple.ipv4.sport, ports, 4);
    return bpf_skc_lookup_tcp(packet->context, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
  }
  __builtin_memcpy(tuple.ipv6.saddr, ((const struct gh_ipv6 *)ip)->source, 32);
  __builtin_memcpy(&tuple.ipv6.sport, ports, 4);
  return bpf_skc_lookup_tcp(packet->context, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

static inline __s64 gh_make_cookie(struct gh_packet *packet, __u8 *ip, __u8 *header, __u32 length, int is_v4) {
  struct bpf_sock *socket = gh_find_socket(packet, ip, header, is_v4);
  __s64 cookie = -1;
  if (!socket) return -1;
  if (socket->state == BPF_TCP_LISTEN && length >= sizeof(struct gh_tcp) && length <= 60) {
    cookie = bpf_tcp_gen_syncookie(socket, ip, is_v4 ? sizeof(struct gh_ipv4) : sizeof(struct gh_ipv6), (struct tcphdr *)header, length);
  }
  bpf_sk_release(socket);
  return cookie;
}
