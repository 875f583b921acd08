/* The front door with a record of packets before and after the core has had them. It takes the place of balance() while
 * somebody captures: nobody else pays for it. Shares the tables of xdp.bpf.c. */
#include "bpf/front_door.h"

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 22);
} captures SEC(".maps");

GH_ARRAY(capture_filter, struct gh_capture_filter, 1);

/* Where each CPU keeps what it has seen until the verdict is known; time 0: nothing that is wanted. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct gh_captured);
} captured SEC(".maps");

GH_NOINLINE int gh_is_wanted(const struct gh_capture_filter *filter, const struct gh_packet *packet) {
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

GH_INLINE void gh_copy_frame(struct xdp_md *context, struct gh_captured *record, int place) {
  __u64 length = (__u64)(context->data_end - context->data);
  record->lengths[place] = (__u32)length;
  if (length > GH_CAPTURE_BYTES) length = GH_CAPTURE_BYTES;
  __asm__ volatile("" : "+r"(length)); /* the bounds are for the verifier: the compiler must not know better */
  if (length > 0 && length <= GH_CAPTURE_BYTES) bpf_xdp_load_bytes(context, 0, record->bytes[place], (__u32)length);
}

/* Whether the packet is wanted stands in the record: a program that keeps it in its frame has too large a one. */
GH_NOINLINE int gh_begin_capture(struct xdp_md *context) {
  const __u32 zero = 0;
  const struct gh_capture_filter *filter = (const struct gh_capture_filter *)bpf_map_lookup_elem(&capture_filter, &zero);
  struct gh_captured *record = (struct gh_captured *)bpf_map_lookup_elem(&captured, &zero);
  struct gh_packet packet = gh_packet_of(context);
  if (!filter || !record) return 0;
  record->time = 0;
  if (!gh_is_wanted(filter, &packet)) return 0;
  record->time = bpf_ktime_get_ns();
  record->interface = context->ingress_ifindex;
  gh_copy_frame(context, record, 0);
  return 1;
}

GH_NOINLINE int gh_end_capture(struct xdp_md *context, enum gh_verdict verdict) {
  const __u32 zero = 0;
  const struct gh_capture_filter *filter = (const struct gh_capture_filter *)bpf_map_lookup_elem(&capture_filter, &zero);
  struct gh_captured *record = (struct gh_captured *)bpf_map_lookup_elem(&captured, &zero);
  if (!filter || !record || record->time == 0 || (filter->verdicts && !(filter->verdicts >> (verdict & 63) & 1))) return 0;
  record->verdict = verdict;
  gh_copy_frame(context, record, 1);
  return (int)bpf_ringbuf_output(&captures, record, sizeof(*record), 0); /* fails when nobody reads as fast as that */
}

SEC("xdp")
int balance_and_capture(struct xdp_md *context) {
  struct gh_packet packet = gh_packet_of(context);
  enum gh_verdict verdict;
  gh_begin_capture(context);
  verdict = gh_balance((struct gh_tables *)0, &packet);
  gh_end_capture(context, verdict);
  return gh_leave(context, verdict);
}

char _license[] SEC("license") = "Dual BSD/GPL";
