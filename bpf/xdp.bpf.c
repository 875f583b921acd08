/* The L4 host's XDP program: the packet core over BPF maps. */
#include "bpf/front_door.h"

SEC("xdp")
int balance(struct xdp_md *context) {
  struct gh_packet packet = gh_xdp_packet(context);
  return gh_leave(context, gh_balance((struct gh_tables *)0, &packet));
}

char _license[] SEC("license") = "Dual BSD/GPL";
