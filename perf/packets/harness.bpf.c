/* What stands around the program under test. A wrapper takes off what the last round put before the packet, draws a flow and a
 * VIP, writes them into the packet and tail-calls the target; it stamps the time itself, at the first and the last packet. The
 * floors are targets that do a part of the work. */
#include "bpf/xdp.h"

#include "bpf/no_forward.h"

static inline void gh_count_verdict(struct gh_tables *tables, enum gh_verdict verdict) { (void)tables, (void)verdict; }

#include "bpf/forward.h"

/* Set by user space before a run. */
__u64 last;         /* number of the packet at which the clock stops; the first has number 0 */
__u64 random_state; /* of the flow draw */
__u32 flow_mask;    /* flows - 1 */
__u32 vip_mask;     /* VIPs - 1 */
__u16 first_vip;    /* last sixteen bits of the first one's address */
__u8 tcp_flags;
__u32 plain_bytes;  /* the frame before the program under test has made it longer or shorter */
__u8 head[64];      /* the first bytes of a node's packets: link, outer and the beginning of the inner header */

/* Read by user space after it. */
__u64 done;
__u64 failed;       /* packets that did not go the way that the case is about */
__u64 started;      /* ns */
__u64 ended;

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} target SEC(".maps");

static inline int fail(void) {
  ++failed;
  return XDP_ABORTED;
}

static inline void stamp(void) {
  if (done == 0) started = bpf_ktime_get_ns();
  if (done == last) ended = bpf_ktime_get_ns();
  ++done;
}

static inline __u64 draw(void) {
  random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
  return random_state >> 33;
}

/* Takes off what the last round put before the frame, or puts back what it took. */
static inline int restore_length(struct xdp_md *context, struct gh_packet *packet) {
  const __u32 bytes = (__u32)((long)context->data_end - (long)context->data);
  *packet = gh_packet_of(context);
  return bytes != plain_bytes && gh_move_start(packet, (int)(bytes - plain_bytes));
}

/* The link header is written in every case: the wrapper costs the same whatever the target does. What the wrapper writes it
 * writes in words no shorter than those that a program may read: a load of two stores' bytes waits for both to have left the
 * core, which bytes of a real packet have done long before. Returns the header behind it, or 0. */
static inline __u8 *restore(struct xdp_md *context, __u16 type, __u32 header_bytes) {
  struct gh_packet packet;
  if (restore_length(context, &packet)) return 0;
  if (packet.start + sizeof(struct gh_ethernet) + header_bytes > packet.end) return 0;
  gh_store64(packet.start, 0x0002010000000002ULL);
  gh_store32(packet.start + 8, 0x02000000);
  gh_store16(packet.start + 12, gh_be16(type));
  return packet.start + sizeof(struct gh_ethernet);
}

static inline void write_flow(__u8 *tcp, __u32 flow) {
  gh_store32(tcp, ((flow ^ flow >> 5) & 0xffff) | 1 | (__u32)gh_be16(443) << 16); /* no port is 0 */
  ((struct gh_tcp *)tcp)->flags = tcp_flags;
}

/* Sources of a flow: one after the other, or all over a quarter of IPv4's addresses, a sixteenth of IPv6's. */
static inline __u32 scattered(__u32 flow) { return flow * 0x9e3779b1u; }

static inline int wrap_any_ipv4(struct xdp_md *context, int is_scattered) {
  const __u64 drawn = draw();
  const __u32 flow = (__u32)drawn & flow_mask;
  const __u64 vip = gh_be16((__u16)(first_vip + ((drawn >> 21) & vip_mask)));
  const __u32 near = 10 | (flow >> 16 & 0xff) << 8 | (flow & 0xffff) << 16;
  __u8 *ip;
  stamp();
  ip = restore(context, GH_ETHERTYPE_IPV4, sizeof(struct gh_ipv4) + sizeof(struct gh_tcp));
  if (!ip) return fail();
  gh_store64(ip + 12, (is_scattered ? (scattered(flow) & 0xffffff3f) | 0x80 : near) | 0x12c6ULL << 32 | vip << 48);
  write_flow(ip + sizeof(struct gh_ipv4), flow);
  bpf_tail_call(context, &target, 0);
  return fail();
}

SEC("xdp")
int wrap_ipv4(struct xdp_md *context) { return wrap_any_ipv4(context, 0); }
SEC("xdp")
int wrap_scattered_ipv4(struct xdp_md *context) { return wrap_any_ipv4(context, 1); }

static inline int wrap_any_ipv6(struct xdp_md *context, int is_scattered) {
  const __u64 drawn = draw();
  const __u32 flow = (__u32)drawn & flow_mask;
  const __u64 vip = gh_be16((__u16)(first_vip + ((drawn >> 21) & vip_mask)));
  __u8 *ip;
  stamp();
  ip = restore(context, GH_ETHERTYPE_IPV6, sizeof(struct gh_ipv6) + sizeof(struct gh_tcp));
  if (!ip) return fail();
  if (is_scattered) gh_store64(ip + 8, ((scattered(flow) & 0xffffff0f) | 0x30) | (__u64)scattered(~flow) << 32);
  gh_store64(ip + 16, (__u64)flow << 32);
  gh_store64(ip + 32, vip << 48);
  write_flow(ip + sizeof(struct gh_ipv6), flow);
  bpf_tail_call(context, &target, 0);
  return fail();
}

SEC("xdp")
int wrap_ipv6(struct xdp_md *context) { return wrap_any_ipv6(context, 0); }
SEC("xdp")
int wrap_scattered_ipv6(struct xdp_md *context) { return wrap_any_ipv6(context, 1); }

/* Around a node's program: the outer header is written anew, since it was taken off or sent on. */
SEC("xdp")
int wrap_tunnel(struct xdp_md *context) {
  struct gh_packet packet;
  int i;
  stamp();
  if (restore_length(context, &packet) || packet.start + sizeof(head) > packet.end) return fail();
#pragma unroll
  for (i = 0; i < 8; ++i) gh_store64(packet.start + 8 * i, gh_load64(head + 8 * i));
  bpf_tail_call(context, &target, 0);
  return fail();
}

/* The kernel's test loop alone: called without a wrapper. */
SEC("xdp")
int loop(struct xdp_md *context) {
  (void)context;
  stamp();
  return XDP_TX;
}

/* Floor A. */
SEC("xdp")
int transmit(struct xdp_md *context) {
  (void)context;
  return XDP_TX;
}

static inline int turn_and_type(struct gh_packet *packet, __u16 type) {
  if (packet->start + 20 + sizeof(struct gh_ethernet) > packet->end) return -1;
  gh_turn_around(packet->start + 20, packet->start);
  gh_store16(packet->start + 12, gh_be16(type));
  return 0;
}

/* Floor B: the packet's headers are checked in the plainest way, and twenty constant bytes are put before it, an IPIP header but
 * for its length. */
static inline int prepend(struct gh_packet *packet, __u16 length) {
  const __u32 sum = 0x45 + gh_be16(length) + 0x40 + 0x0440 + 0x0100 + 0x000a + 0x0200 + 0x000a;
  __u8 *ip;
  if (gh_move_start(packet, -20) || turn_and_type(packet, GH_ETHERTYPE_IPV4)) return fail();
  ip = packet->start + sizeof(struct gh_ethernet);
  gh_store64(ip, 0x45 | (__u64)gh_be16(length) << 16 | 0x40ULL << 48);
  gh_store64(ip + 8, 0x0440 | (__u64)gh_fold(sum) << 16 | 0x0100000aULL << 32);
  gh_store32(ip + 16, 0x0200000a);
  return XDP_TX;
}

SEC("xdp")
int prepend_ipv4(struct xdp_md *context) {
  struct gh_packet packet = gh_packet_of(context);
  const struct gh_ethernet *ethernet = (const struct gh_ethernet *)packet.start;
  const struct gh_ipv4 *ip = (const struct gh_ipv4 *)(ethernet + 1);
  const struct gh_tcp *tcp = (const struct gh_tcp *)(ip + 1);
  if ((__u8 *)(tcp + 1) > packet.end || ethernet->type != gh_be16(GH_ETHERTYPE_IPV4)) return fail();
  if (ip->version_length != 0x45 || ip->protocol != GH_PROTOCOL_TCP || (ip->fragment & gh_be16(0x3fff))) return fail();
  if (tcp->destination_port != gh_be16(443)) return fail();
  return prepend(&packet, (__u16)(gh_from_be16(ip->total_length) + 20));
}

SEC("xdp")
int prepend_ipv6(struct xdp_md *context) {
  struct gh_packet packet = gh_packet_of(context);
  const struct gh_ethernet *ethernet = (const struct gh_ethernet *)packet.start;
  const struct gh_ipv6 *ip = (const struct gh_ipv6 *)(ethernet + 1);
  const struct gh_tcp *tcp = (const struct gh_tcp *)(ip + 1);
  if ((__u8 *)(tcp + 1) > packet.end || ethernet->type != gh_be16(GH_ETHERTYPE_IPV6)) return fail();
  if (gh_from_be16(ip->version_class_flow[0]) >> 12 != 6 || ip->next_header != GH_PROTOCOL_TCP) return fail();
  if (tcp->destination_port != gh_be16(443)) return fail();
  return prepend(&packet, (__u16)(gh_from_be16(ip->payload_length) + 60));
}

/* One socket lookup for the inner flow of a tunnel packet, which is left as it is: what a node that asks must pay beside
 * decapsulation. */
SEC("xdp")
int look_up(struct xdp_md *context) {
  struct gh_packet packet = gh_packet_of(context);
  const struct gh_ipv4 *ip = (const struct gh_ipv4 *)(packet.start + sizeof(struct gh_ethernet) + sizeof(struct gh_outer_v4));
  struct bpf_sock_tuple tuple;
  struct bpf_sock *socket;
  if ((__u8 *)(ip + 1) + sizeof(struct gh_tcp) > packet.end) return fail();
  __builtin_memset(&tuple, 0, sizeof(tuple));
  tuple.ipv4.saddr = gh_load32(ip->source);
  tuple.ipv4.daddr = gh_load32(ip->destination);
  tuple.ipv4.sport = ((const struct gh_tcp *)(ip + 1))->source_port;
  tuple.ipv4.dport = ((const struct gh_tcp *)(ip + 1))->destination_port;
  socket = bpf_skc_lookup_tcp(context, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
  if (socket) bpf_sk_release(socket);
  return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
