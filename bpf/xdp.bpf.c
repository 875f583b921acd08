/* The L4 host's XDP program: the packet core over BPF maps. */
#include "bpf/front_door.h"

SEC("xdp")
int balance(struct xdp_md *context) {
  struct gh_packet packet = gh_packet_of(context);
  return gh_leave(context, gh_balance((struct gh_tables *)0, &packet));
}

/* The clock of flows, for user space, which has no other way to read it: run by BPF_PROG_TEST_RUN. */
SEC("syscall")
int read_clock(struct gh_clock *clock) {
  clock->ticks = gh_get_ticks((struct gh_tables *)0);
  return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
