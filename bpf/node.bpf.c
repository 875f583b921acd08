/* A node's programs: `decapsulate` (XDP) takes packets out of the tunnel or sends them on, `steer` (sk_lookup) gives each
 * new connection of a VIP to one worker's listening socket. The VIP table of `decapsulate` holds the fleet: who may send
 * tunnel packets. */
#include "bpf/abi_guard.h"
#include "bpf/maps.h"

enum { GH_SOCKETS = GH_MAX_LISTENERS * GH_MAX_WORKERS };

GH_ARRAY(listener_lines, struct gh_vip_line, 2 * GH_VIP_LINES);
GH_ARRAY(cookies, struct gh_cookies, 1);

struct {
  __uint(type, BPF_MAP_TYPE_SOCKMAP);
  __uint(max_entries, GH_SOCKETS);
  __type(key, __u32);
  __type(value, __u64);
} sockets SEC(".maps");

static inline int gh_tcp_state_owns(struct gh_packet *packet, struct bpf_sock *socket, __u8 *ip, __u8 *tcp, int is_v4) {
  const struct gh_tcp *header = (const struct gh_tcp *)tcp;
  if (socket->state != BPF_TCP_LISTEN) return 1;
  /* A listener answers for a flow it knows only by its SYN cookie. */
  if ((header->flags & (GH_TCP_SYN | GH_TCP_ACK)) != GH_TCP_ACK) return 0;
  if (ip + (is_v4 ? sizeof(struct gh_ipv4) : sizeof(struct gh_ipv6)) > packet->end) return 0;
  if (tcp + sizeof(struct gh_tcp) > packet->end) return 0;
  if (is_v4) return bpf_tcp_check_syncookie(socket, ip, sizeof(struct gh_ipv4), (struct tcphdr *)tcp, sizeof(struct gh_tcp)) == 0;
  return bpf_tcp_check_syncookie(socket, ip, sizeof(struct gh_ipv6), (struct tcphdr *)tcp, sizeof(struct gh_tcp)) == 0;
}

static inline int gh_owns_flow(struct gh_packet *packet, __u8 *ip, __u8 *tcp, int is_v4) {
  struct bpf_sock_tuple tuple;
  struct bpf_sock *socket;
  int owns;
  if (tcp + sizeof(struct gh_tcp) > packet->end) return 1;
  __builtin_memset(&tuple, 0, sizeof(tuple));
  if (is_v4) {
    if (ip + sizeof(struct gh_ipv4) > packet->end) return 1;
    __builtin_memcpy(&tuple.ipv4.saddr, ((struct gh_ipv4 *)ip)->source, 8);
    __builtin_memcpy(&tuple.ipv4.sport, tcp, 4);
    socket = bpf_skc_lookup_tcp(packet->context, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
  } else {
    if (ip + sizeof(struct gh_ipv6) > packet->end) return 1;
    __builtin_memcpy(tuple.ipv6.saddr, ((struct gh_ipv6 *)ip)->source, 32);
    __builtin_memcpy(&tuple.ipv6.sport, tcp, 4);
    socket = bpf_skc_lookup_tcp(packet->context, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
  }
  if (!socket) return 0;
  owns = gh_tcp_state_owns(packet, socket, ip, tcp, is_v4);
  bpf_sk_release(socket);
  return owns;
}

#include "bpf/node_cookies.h"

#include "bpf/no_forward.h"

#include "bpf/decap.h"

SEC("xdp")
int decapsulate(struct xdp_md *context) {
  struct gh_packet packet = gh_xdp_packet(context);
  return gh_xdp_action(gh_action_of(gh_decapsulate((struct gh_tables *)0, &packet)));
}

/* The listener of (address, port, protocol), in the half of the table that is live; -1: not ours. */
static inline int gh_find_listener(const struct gh_state *node, const struct gh_address *address, __be16 port,
                                   __u8 protocol) {
  const __u64 hash = gh_entry_hash(address, port, protocol);
  const __u32 base = (node->listener_half & 1) * GH_VIP_LINES;
  __u32 index = base + gh_first_line(hash);
  const struct gh_vip_entry *entry;
  entry = gh_match_line((struct gh_vip_line *)bpf_map_lookup_elem(&listener_lines, &index), address, port, protocol);
  if (entry) return entry->vip;
  index = base + gh_second_line(hash);
  entry = gh_match_line((struct gh_vip_line *)bpf_map_lookup_elem(&listener_lines, &index), address, port, protocol);
  return entry ? entry->vip : -1;
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
  remote = gh_mix(remote, node->hash_key[1]) * (node->hash_key[2] | 1);
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
