/* What stands around the program under test. A wrapper takes the outer header of the last round off, draws a
 * flow, writes it into the packet and tail-calls the target; it stamps the time itself, at the first and the
 * last packet. The floors are targets that do a part of the work. */
#include "bpf/maps.h"

#include "bpf/no_forward.h"

#include "bpf/encap.h"

/* Set by user space before a run. */
__u64 last;          /* number of the packet at which the clock stops; the first has number 0 */
__u64 random_state;  /* of the flow draw */
__u32 flow_mask;     /* flows - 1 */
__u32 plain_bytes;   /* the frame before the program under test has made it longer */

/* Read by user space after it. */
__u64 done;
__u64 failed;        /* packets that did not go the way that the case is about */
__u64 started;       /* ns */
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

static inline __u32 draw_flow(void) {
  random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (__u32)(random_state >> 33) & flow_mask;
}

/* Takes off what the last round put before the frame. The link header is written in every case: the wrapper
 * costs the same whatever the target does. Returns the header behind it, or 0. */
static inline __u8 *restore(struct xdp_md *context, __u16 type, __u32 header_bytes) {
  static const __u8 addresses[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
  const __u32 bytes = (__u32)((long)context->data_end - (long)context->data);
  struct gh_packet packet = gh_xdp_packet(context);
  struct gh_ethernet *ethernet;
  if (bytes != plain_bytes && gh_move_start(&packet, (int)(bytes - plain_bytes))) return 0;
  ethernet = (struct gh_ethernet *)packet.start;
  if (packet.start + sizeof(*ethernet) + header_bytes > packet.end) return 0;
  __builtin_memcpy(ethernet, addresses, sizeof(addresses));
  ethernet->type = gh_be16(type);
  return packet.start + sizeof(*ethernet);
}

SEC("xdp")
int wrap_ipv4(struct xdp_md *context) {
  const __u32 flow = draw_flow();
  struct gh_ipv4 *ip;
  stamp();
  ip = (struct gh_ipv4 *)restore(context, GH_ETHERTYPE_IPV4, sizeof(struct gh_ipv4) + sizeof(struct gh_tcp));
  if (!ip) return fail();
  ip->source[0] = (__u16)(10 | flow >> 16 << 8);
  ip->source[1] = (__u16)flow;
  ((struct gh_tcp *)(ip + 1))->source_port = (__be16)(flow ^ flow >> 5);
  bpf_tail_call(context, &target, 0);
  return fail();
}

SEC("xdp")
int wrap_ipv6(struct xdp_md *context) {
  const __u32 flow = draw_flow();
  struct gh_ipv6 *ip;
  stamp();
  ip = (struct gh_ipv6 *)restore(context, GH_ETHERTYPE_IPV6, sizeof(struct gh_ipv6) + sizeof(struct gh_tcp));
  if (!ip) return fail();
  ip->source[6] = (__u16)(flow >> 16);
  ip->source[7] = (__u16)flow;
  ((struct gh_tcp *)(ip + 1))->source_port = (__be16)(flow ^ flow >> 5);
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

SEC("xdp")
int transmit(struct xdp_md *context) {
  (void)context;
  return XDP_TX;
}

#define KEEP(value) __asm__ volatile("" : : "r"(value))

static inline int parse_for_us(const struct gh_packet *packet, struct gh_parsed *parsed) {
  return gh_parse(packet, parsed) == GH_PARSED_PORTS && parsed->destination_port == gh_be16(443) ? 0 : -1;
}

/* All that balance() reads of a packet. */
SEC("xdp")
int parse(struct xdp_md *context) {
  struct gh_packet packet = gh_xdp_packet(context);
  struct gh_parsed parsed;
  if (parse_for_us(&packet, &parsed)) return fail();
  KEEP(parsed.source.low);
  KEEP(parsed.source.high);
  KEEP(parsed.destination.low);
  KEEP(parsed.destination.high);
  KEEP(parsed.source_port);
  KEEP(parsed.ip_length);
  return XDP_TX;
}

/* Makes room as the tunnel of the packet's family would; the wrapper takes it off: two moves of the start. */
static inline int make_room(struct xdp_md *context, int bytes) {
  struct gh_packet packet = gh_xdp_packet(context);
  return gh_move_start(&packet, -bytes) ? fail() : XDP_TX;
}

SEC("xdp")
int room_ipv4(struct xdp_md *context) { return make_room(context, sizeof(struct gh_outer_v4)); }

SEC("xdp")
int room_ipv6(struct xdp_md *context) { return make_room(context, sizeof(struct gh_outer_v6)); }

/* The same outer header to one constant node: what is left of balance() when nothing is looked up. */
static inline int encapsulate(struct xdp_md *context, const struct gh_node *node) {
  static const struct gh_state state = {
      .source_v4 = {0, 0x0100000affff0000ULL}, .source_v6 = {0xfdULL, 1}, .mtu = 1600};
  static const struct gh_routed routed = {.slot = 1, .hash = 12345, .epoch = 1};
  struct gh_packet packet = gh_xdp_packet(context);
  struct gh_parsed parsed;
  if (parse_for_us(&packet, &parsed)) return fail();
  return gh_encapsulate(&packet, &state, node, &parsed, &routed) == GH_FORWARDED ? XDP_TX : fail();
}

SEC("xdp")
int encapsulate_ipv4(struct xdp_md *context) {
  static const struct gh_node node = {.address = {0, 0x0200000affff0000ULL}, .is_v4 = 1};
  return encapsulate(context, &node);
}

SEC("xdp")
int encapsulate_ipv6(struct xdp_md *context) {
  static const struct gh_node node = {.address = {0xfdULL, 2}};
  return encapsulate(context, &node);
}

char _license[] SEC("license") = "Dual BSD/GPL";
