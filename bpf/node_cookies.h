/* SYN cookies of the node's kernel, for its XDP program. */
#pragma once

#include "bpf/abi_guard.h"
#include "bpf/xdp.h"

static inline struct gh_cookies *gh_get_cookies(struct gh_tables *tables) {
  const __u32 zero = 0;
  (void)tables;
  return (struct gh_cookies *)bpf_map_lookup_elem(&cookies, &zero);
}

/* The kernel's timestamps are milliseconds of its monotonic clock (tcp_clock_ms). */
static inline __u32 gh_get_tcp_clock(void) { return (__u32)(bpf_ktime_get_ns() / 1000000); }

GH_INLINE void gh_repeat(__u32 count, long (*step)(__u32, void *), void *context) { bpf_loop(count, step, context, 0); }

static inline __s64 gh_make_cookie(struct gh_packet *packet, __u64 ip_offset, __u8 *header, __u32 length, int is_v4) {
  const __u32 ip_size = is_v4 ? sizeof(struct gh_ipv4) : sizeof(struct gh_ipv6);
  const struct gh_tcp *tcp = (const struct gh_tcp *)header;
  struct gh_connection connection;
  struct bpf_sock *socket;
  __s64 cookie = -1;
  union {
    struct gh_ipv4 v4;
    struct gh_ipv6 v6;
    __u64 aligned;
  } ip;
  if (gh_read(packet, ip_offset, &ip, ip_size)) return -1;
  connection.is_v4 = (__u8)is_v4;
  connection.source_port = tcp->source_port;
  connection.destination_port = tcp->destination_port;
  if (is_v4) {
    gh_address_from_v4(&connection.source, ip.v4.source);
    gh_address_from_v4(&connection.destination, ip.v4.destination);
  } else {
    gh_address_from_v6(&connection.source, ip.v6.source);
    gh_address_from_v6(&connection.destination, ip.v6.destination);
  }
  socket = gh_find_socket(packet->context, &connection);
  if (!socket) return -1;
  if (socket->state == BPF_TCP_LISTEN) cookie = bpf_tcp_gen_syncookie(socket, &ip, ip_size, (struct tcphdr *)header, length);
  bpf_sk_release(socket);
  return cookie;
}
