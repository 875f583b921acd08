/* XDP's part of the kernel adapter: a packet as XDP has it, how its ends are moved, and what becomes of it. */
#pragma once

#include "bpf/maps.h"

static inline int gh_move_start(struct gh_packet *packet, int bytes) {
  struct xdp_md *context = (struct xdp_md *)packet->context;
  if (bpf_xdp_adjust_head(context, bytes)) return -1;
  packet->start = (__u8 *)(long)context->data;
  packet->end = (__u8 *)(long)context->data_end;
  return 0;
}

static inline int gh_cut(struct gh_packet *packet, __u32 length) {
  struct xdp_md *context = (struct xdp_md *)packet->context;
  long left = packet->end - packet->start;
  __asm__ volatile("" : "+r"(left)); /* pointers may be subtracted as 64-bit numbers only */
  if (bpf_xdp_adjust_tail(context, (int)length - (int)left)) return -1;
  packet->start = (__u8 *)(long)context->data;
  packet->end = (__u8 *)(long)context->data_end;
  return 0;
}

static inline int gh_read(const struct gh_packet *packet, __u64 offset, void *to, __u32 length) {
  return bpf_xdp_load_bytes((struct xdp_md *)packet->context, (__u32)offset, to, length) != 0;
}

static inline struct gh_packet gh_packet_of(void *context) {
  const struct xdp_md *xdp = (const struct xdp_md *)context;
  struct gh_packet packet;
  packet.start = (__u8 *)(long)xdp->data;
  packet.end = (__u8 *)(long)xdp->data_end;
  packet.context = context;
  return packet;
}

static inline int gh_xdp_action(enum gh_action action) {
  return action == GH_PASS ? XDP_PASS : action == GH_TRANSMIT ? XDP_TX : XDP_DROP;
}
