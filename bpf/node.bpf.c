/* A node's programs: `decapsulate` (XDP) takes packets out of the tunnel or sends them on, `steer` (sk_lookup) gives each
 * new connection of a VIP to one worker's listening socket. The VIP table of `decapsulate` holds the fleet: who may send
 * tunnel packets. */
#include "bpf/xdp.h"

#include <bpf/bpf_core_read.h>

enum { GH_SOCKETS = GH_MAX_LISTENERS * GH_MAX_WORKERS };

GH_ARRAY(counts, struct gh_counts, 1);
GH_ARRAY(listener_lines, struct gh_vip_line, 2 * GH_VIP_LINES);

struct {
  __uint(type, BPF_MAP_TYPE_SOCKMAP);
  __uint(max_entries, GH_SOCKETS);
  __type(key, __u32);
  __type(value, __u64);
} sockets SEC(".maps");

static inline void gh_count_verdict(struct gh_tables *tables, enum gh_verdict verdict) {
  const __u32 index = bpf_get_smp_processor_id();
  struct gh_counts *count = (struct gh_counts *)bpf_map_lookup_elem(&counts, &index);
  (void)tables;
  if (count) ++count->verdicts[verdict];
}

/* Whether a listener knows the segment's flow: by the SYN cookie that it gave out, and by nothing else. */
static inline int gh_has_cookie(struct gh_packet *packet, struct bpf_sock *listener, int is_v4, __u64 ip_offset, __u64 tcp_offset) {
  const __u32 ip_size = is_v4 ? sizeof(struct gh_ipv4) : sizeof(struct gh_ipv6);
  struct gh_tcp tcp;
  union {
    struct gh_ipv4 v4;
    struct gh_ipv6 v6;
  } ip;
  if (tcp_offset == 0 || gh_read(packet, tcp_offset, &tcp, sizeof(tcp)) || gh_read(packet, ip_offset, &ip, ip_size)) return 0;
  if ((tcp.flags & (GH_TCP_SYN | GH_TCP_ACK)) != GH_TCP_ACK) return 0;
  return bpf_tcp_check_syncookie(listener, &ip, ip_size, (struct tcphdr *)&tcp, sizeof(tcp)) == 0;
}

/* What the kernel remembers of a connection that is over: of its layout only what we read, found by name at load. By a plain
 * read: bpf_skc_to_tcp_timewait_sock() does not know connections of listeners that are in a sockmap. Set by the loader, because
 * a kernel that is locked down for confidentiality refuses such reads. */
struct sock_common {
  __u32 skc_tw_rcv_nxt;
} __attribute__((preserve_access_index));
const volatile __u32 may_read_sockets = 0;
struct gh_socket {
  __u64 words[20]; /* all of its sock_common: the verifier allows no sums with a socket's address */
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct gh_socket);
} past_socket SEC(".maps");

/* Whether the segment belongs to the connection that is over, and not to a later one of the same addresses and ports, which
 * may be another node's: its sequence number is near what that connection expected last. A client's next connection begins
 * further on, by one for every 64 ns that the one before it lived (RFC 6528 §3, as Linux does it). */
static inline int gh_is_of_past(struct gh_packet *packet, struct bpf_sock *socket, __u64 tcp_offset) {
  const __u32 behind = 1 << 20, ahead = 1 << 16;
  const __u64 place = bpf_core_field_offset(struct sock_common, skc_tw_rcv_nxt);
  const __u32 zero = 0;
  struct gh_socket *past = (struct gh_socket *)bpf_map_lookup_elem(&past_socket, &zero);
  struct gh_tcp tcp;
  if (!may_read_sockets || !past || tcp_offset == 0 || gh_read(packet, tcp_offset, &tcp, sizeof(tcp))) return 1;
  if (place + sizeof(__u32) > sizeof(*past) || bpf_probe_read_kernel(past, sizeof(*past), socket)) return 1;
  return ((__u32)gh_from_be16(tcp.sequence[0]) << 16 | gh_from_be16(tcp.sequence[1])) -
             *(const __u32 *)((const __u8 *)past + place) + behind < behind + ahead;
}

static inline struct bpf_sock *gh_find_socket(void *context, const struct gh_connection *connection) {
  struct bpf_sock_tuple tuple;
  __builtin_memset(&tuple, 0, sizeof(tuple));
  if (connection->is_v4) {
    tuple.ipv4.saddr = (__u32)(connection->source.low >> 32);
    tuple.ipv4.daddr = (__u32)(connection->destination.low >> 32);
    tuple.ipv4.sport = connection->source_port;
    tuple.ipv4.dport = connection->destination_port;
  } else {
    __builtin_memcpy(tuple.ipv6.saddr, &connection->source, sizeof(connection->source));
    __builtin_memcpy(tuple.ipv6.daddr, &connection->destination, sizeof(connection->destination));
    tuple.ipv6.sport = connection->source_port;
    tuple.ipv6.dport = connection->destination_port;
  }
  return bpf_skc_lookup_tcp(context, &tuple, connection->is_v4 ? sizeof(tuple.ipv4) : sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

GH_NOINLINE int gh_owns(struct gh_packet *packet, const struct gh_connection *connection, __u64 ip_offset, __u64 tcp_offset) {
  struct bpf_sock *socket = gh_find_socket(packet->context, connection);
  int owns;
  if (!socket) return 0;
  if (socket->state == BPF_TCP_LISTEN) {
    owns = gh_has_cookie(packet, socket, connection->is_v4, ip_offset, tcp_offset);
  } else {
    owns = socket->state != BPF_TCP_TIME_WAIT || gh_is_of_past(packet, socket, tcp_offset);
  }
  bpf_sk_release(socket);
  return owns;
}

#include "bpf/no_forward.h"

#include "bpf/node_cookies.h"

#include "bpf/decap.h"

SEC("xdp")
int decapsulate(struct xdp_md *context) {
  struct gh_packet packet = gh_packet_of(context);
  return gh_xdp_action(gh_action_of(gh_decapsulate((struct gh_tables *)0, &packet)));
}

static inline int gh_match_listener(__u32 line, const struct gh_address *address, __u32 key, struct gh_vip *found) {
  const struct gh_vip_line *lines = (const struct gh_vip_line *)bpf_map_lookup_elem(&listener_lines, &line);
  return lines && gh_match_line(lines, address, key, found);
}

static inline int gh_find_listener_entry(const struct gh_state *node, const struct gh_address *address, __be16 port,
                                         __u8 protocol, struct gh_vip *found) {
  const __u32 base = (node->listener_half & 1) * GH_VIP_LINES;
  const __u32 key = gh_entry_key(port, protocol, GH_ENTRY_VIP);
  const __u64 hash = gh_entry_hash(address, key);
  return gh_match_listener(base + gh_first_line(hash), address, key, found) ||
         gh_match_listener(base + gh_second_line(hash), address, key, found);
}

/* The listener of (address, port, protocol), or of any port, in the half of the table that is live; -1: not ours. */
static inline int gh_find_listener(const struct gh_state *node, const struct gh_address *address, __be16 port,
                                   __u8 protocol) {
  struct gh_vip found;
  if (gh_find_listener_entry(node, address, port, protocol, &found)) return found.vip;
  return gh_find_listener_entry(node, address, 0, protocol, &found) ? found.vip : -1;
}

/* Non-zero when the worker has a socket and it was assigned. */
static inline int gh_assign(struct bpf_sk_lookup *context, __u32 listener, __u32 worker) {
  const __u32 index = listener * GH_MAX_WORKERS + worker;
  struct bpf_sock *socket = (struct bpf_sock *)bpf_map_lookup_elem(&sockets, &index);
  long failed;
  if (!socket) return 0;
  failed = bpf_sk_assign(context, socket, 0);
  bpf_sk_release(socket);
  return failed == 0;
}

SEC("sk_lookup")
int steer(struct bpf_sk_lookup *context) {
  const __u32 zero = 0;
  const struct gh_state *node = (const struct gh_state *)bpf_map_lookup_elem(&state, &zero);
  struct gh_address local;
  __u64 remote = (__u64)context->remote_port << 32 | context->remote_ip4;
  __u32 workers, first, i;
  int listener;

  if (!node) return SK_PASS;
  if (context->family == 2 /* AF_INET */) {
    local.high = 0;
    local.low = 0xffff0000ULL | (__u64)context->local_ip4 << 32;
  } else {
    local.high = (__u64)context->local_ip6[0] | (__u64)context->local_ip6[1] << 32;
    local.low = (__u64)context->local_ip6[2] | (__u64)context->local_ip6[3] << 32;
    remote ^= (__u64)context->remote_ip6[0] << 32 | context->remote_ip6[1];
    remote = gh_mix(remote, 0x9e3779b97f4a7c15ULL) ^ ((__u64)context->remote_ip6[2] << 32 | context->remote_ip6[3]);
  }
  listener = gh_find_listener(node, &local, gh_be16((__u16)context->local_port), (__u8)context->protocol);
  if (listener < 0 || listener >= GH_MAX_LISTENERS) return SK_PASS;

  workers = node->workers;
  if (workers == 0 || workers > GH_MAX_WORKERS) return SK_PASS;
  remote = gh_mix(remote, gh_get_identity(node)->hash_key[1]) * (gh_get_identity(node)->hash_key[2] | 1);
  first = (__u32)(((remote >> 32) * workers) >> 32);
  if (gh_assign(context, (__u32)listener, first)) return SK_PASS;
  /* That worker is gone or going. A second hash spreads its share over the others; a walk finds whoever is left. */
  first = (__u32)(((remote & 0xffffffff) * workers) >> 32);
  for (i = 0; i < GH_MAX_WORKERS && i < workers; ++i) {
    const __u32 worker = first + i < workers ? first + i : first + i - workers;
    if (gh_assign(context, (__u32)listener, worker)) return SK_PASS;
  }
  return SK_PASS; /* no worker at all: the kernel answers as for a closed port */
}

char _license[] SEC("license") = "Dual BSD/GPL";
