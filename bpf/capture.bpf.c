/* The front door with a record of packets before and after the core has had them. It takes the place of balance() while
 * somebody captures: nobody else pays for it. Shares the tables of xdp.bpf.c. */
#include "bpf/front_door.h"

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 22);
} captures SEC(".maps");

GH_ARRAY(capture_filter, struct gh_capture_filter, 1);

static inline int gh_is_wanted(const struct gh_capture_filter *filter, const struct gh_packet *packet) {
  struct gh_parsed parsed;
  if (filter->sample == 0) return 0;
  if ((filter->address.high | filter->address.low) != 0) {
    const enum gh_parse_outcome outcome = gh_parse(packet, &parsed);
    if (outcome == GH_PARSED_NOT_IP || outcome == GH_PARSED_TRUNCATED) return 0;
    if (parsed.destination.low != filter->address.low || parsed.destination.high != filter->address.high) return 0;
    /* What has no ports, an ICMP error for one, may belong to any of them. */
    if (outcome == GH_PARSED_PORTS && filter->port && parsed.destination_port != filter->port) return 0;
    if (outcome == GH_PARSED_PORTS && filter->protocol && parsed.protocol != filter->protocol) return 0;
  }
  return filter->sample == 1 || bpf_get_prandom_u32() % filter->sample == 0;
}

static inline void gh_copy_frame(struct xdp_md *context, struct gh_captured *record, int place) {
  __u64 length = (__u64)(context->data_end - context->data);
  record->lengths[place] = (__u32)length;
  if (length > GH_CAPTURE_BYTES) length = GH_CAPTURE_BYTES;
  __asm__ volatile("" : "+r"(length)); /* the bounds are for the verifier: the compiler must not know better */
  if (length > 0 && length <= GH_CAPTURE_BYTES) bpf_xdp_load_bytes(context, 0, record->bytes[place], (__u32)length);
}

/* NULL when the packet is not wanted. What is returned must be given to gh_end_capture(). */
static inline struct gh_captured *gh_begin_capture(struct xdp_md *context, const struct gh_packet *packet) {
  const __u32 zero = 0;
  const struct gh_capture_filter *filter = (const struct gh_capture_filter *)bpf_map_lookup_elem(&capture_filter, &zero);
  struct gh_captured *record;
  if (!filter || !gh_is_wanted(filter, packet)) return 0;
  record = (struct gh_captured *)bpf_ringbuf_reserve(&captures, sizeof(*record), 0);
  if (!record) return 0; /* nobody reads as fast as that */
  record->time = bpf_ktime_get_ns();
  record->interface = context->ingress_ifindex;
  gh_copy_frame(context, record, 0);
  return record;
}

static inline void gh_end_capture(struct xdp_md *context, struct gh_captured *record, enum gh_verdict verdict) {
  const __u32 zero = 0;
  const struct gh_capture_filter *filter = (const struct gh_capture_filter *)bpf_map_lookup_elem(&capture_filter, &zero);
  if (!record) return;
  if (!filter || (filter->verdicts && !(filter->verdicts >> (verdict & 63) & 1))) {
    bpf_ringbuf_discard(record, 0);
    return;
  }
  record->verdict = verdict;
  gh_copy_frame(context, record, 1);
  bpf_ringbuf_submit(record, 0);
}

SEC("xdp")
int balance_and_capture(struct xdp_md *context) {
  struct gh_packet packet = gh_xdp_packet(context);
  struct gh_captured *record = gh_begin_capture(context, &packet);
  const enum gh_verdict verdict = gh_balance((struct gh_tables *)0, &packet);
  gh_end_capture(context, record, verdict);
  return gh_leave(context, verdict);
}

char _license[] SEC("license") = "Dual BSD/GPL";
