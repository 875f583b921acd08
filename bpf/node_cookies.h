/* SYN cookies of the node's kernel, for its XDP program. */
#pragma once

#include "bpf/syn_cookie.h"
#include "bpf/xdp.h"

GH_ARRAY(cookies, struct gh_cookies, 1);

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct gh_handshake);
} handshakes SEC(".maps");

static inline struct gh_cookies *gh_get_cookies(struct gh_tables *tables) {
  const __u32 zero = 0;
  (void)tables;
  return (struct gh_cookies *)bpf_map_lookup_elem(&cookies, &zero);
}

static inline struct gh_handshake *gh_get_handshake(struct gh_tables *tables) {
  const __u32 zero = 0;
  (void)tables;
  return (struct gh_handshake *)bpf_map_lookup_elem(&handshakes, &zero);
}

/* The kernel's timestamps are milliseconds of its monotonic clock (tcp_clock_ms). */
static inline __u32 gh_get_tcp_clock(void) { return (__u32)(bpf_ktime_get_ns() / 1000000); }

GH_INLINE void gh_repeat(__u32 count, long (*step)(__u32, void *), void *context) { bpf_loop(count, step, context, 0); }

static inline __s64 gh_make_cookie(struct gh_packet *packet, const struct gh_connection *connection, __u8 *ip, __u8 *header,
                                   __u32 length) {
  const __u32 ip_size = connection->is_v4 ? sizeof(struct gh_ipv4) : sizeof(struct gh_ipv6);
  struct bpf_sock *socket = gh_find_socket(packet->context, connection);
  __s64 cookie = -1;
  if (!socket) return -1;
  if (socket->state == BPF_TCP_LISTEN) cookie = bpf_tcp_gen_syncookie(socket, ip, ip_size, (struct tcphdr *)header, length);
  bpf_sk_release(socket);
  return cookie;
}
