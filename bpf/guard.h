/* What may not reach a VIP, or not so fast. Only VIPs with GH_VIP_GUARDED pay for it. In order:
 *   1. packets that no stack sends, or none that could be answered;
 *   2. prefix rules of the lists that the VIP's policy names: the longest prefix of the source decides;
 *   3. limits by source prefix: of packets, of SYNs.
 * The checksum of the IPv4 header is not among them: the router before us has just written it, and the node's kernel checks it. */
#pragma once

#include "bpf/guard_limit.h"
#include "bpf/guard_prefix.h"
#include "bpf/route.h"

/* Which combinations of URG, ACK, PSH, RST, SYN and FIN (bits 5..0) a client may send: SYN, with URG; RST, FIN and data, each with
 * ACK, PSH and URG as they like, RST also without ACK. Congestion marks (bits 6, 7) go with any. It is the table of Linux's
 * connection tracking (tcp_valid_flags) without SYN+ACK: a VIP opens no connections that it could answer. */
#define GH_FLAGS_OF_PUSH(flags) (1ULL << (flags) | 1ULL << ((flags) | 0x08))
#define GH_CLIENT_FLAGS                                                                                           \
  (GH_FLAGS_OF_PUSH(0x02) | GH_FLAGS_OF_PUSH(0x22) | GH_FLAGS_OF_PUSH(0x04) | GH_FLAGS_OF_PUSH(0x14) |            \
   GH_FLAGS_OF_PUSH(0x11) | GH_FLAGS_OF_PUSH(0x31) | GH_FLAGS_OF_PUSH(0x10) | GH_FLAGS_OF_PUSH(0x30))

/* Nobody has this address, or none that an answer could be sent to. */
static inline int gh_is_bogus_source(const struct gh_parsed *parsed) {
  const __u64 high = parsed->source.high, low = parsed->source.low;
  const __u32 octet = (__u32)(low >> 32) & 0xff;
  if (parsed->is_v4) return octet == 0 || octet == 127 || octet >= 224; /* RFC 1122 §3.2.1.3; reserved and broadcast */
  if (high != 0) return (high & 0xff) == 0xff;                          /* ff00::/8 */
  return low == 0 || low == 1ULL << 56 || (__u32)low == 0xffff0000u;    /* ::, ::1, ::ffff:0:0/96 (RFC 4942 §2.2) */
}

/* What the transport header says of itself. `flags`: those of TCP, 0 for another protocol. */
static inline enum gh_verdict gh_check_transport(const struct gh_packet *packet, const struct gh_parsed *parsed, __u8 *flags) {
  const __u8 *start = packet->start + parsed->link_length + parsed->transport_offset;
  const __u32 length = parsed->ip_length - parsed->transport_offset;
  const struct gh_tcp *tcp = (const struct gh_tcp *)start;
  const struct gh_udp *udp = (const struct gh_udp *)start;
  *flags = 0;
  if (parsed->protocol == GH_PROTOCOL_UDP) {
    if ((const __u8 *)(udp + 1) > packet->end) return GH_GUARD_LENGTH;
    return gh_from_be16(udp->length) < sizeof(*udp) || gh_from_be16(udp->length) > length ? GH_GUARD_LENGTH : GH_UNDECIDED;
  }
  if (length < sizeof(*tcp) || (const __u8 *)(tcp + 1) > packet->end) return GH_GUARD_LENGTH;
  if (tcp->offset >> 4 < 5 || (__u32)(tcp->offset >> 4) * 4 > length) return GH_GUARD_LENGTH;
  *flags = tcp->flags;
  if (GH_CLIENT_FLAGS >> (tcp->flags & 0x3f) & 1) return GH_UNDECIDED;
  return (tcp->flags & 0x17) == (GH_TCP_SYN | GH_TCP_ACK) ? GH_GUARD_REFLECTED : GH_GUARD_FLAGS;
}

static inline enum gh_verdict gh_find_bogus(const struct gh_packet *packet, const struct gh_parsed *parsed, __u8 *flags) {
  if (gh_is_bogus_source(parsed)) return GH_GUARD_SOURCE;
  if (parsed->source.low == parsed->destination.low && parsed->source.high == parsed->destination.high) return GH_GUARD_LAND;
  if (parsed->source_port == 0 || parsed->destination_port == 0) return GH_GUARD_PORT;
  return gh_check_transport(packet, parsed, flags);
}

static inline int gh_is_over(struct gh_tables *tables, const struct gh_policy *policy, const struct gh_rate *rate, __u64 prefix,
                             __u64 kind, __u64 ticks) {
  const struct gh_guard *guard = gh_get_guard(tables);
  if (!guard || rate->cost == 0) return 0;
  return gh_take(tables, gh_source_hash(guard, prefix, (__u64)policy->limit << 2 | kind), rate, ticks * guard->tick);
}

static inline enum gh_verdict gh_limit(struct gh_tables *tables, const struct gh_policy *policy, const struct gh_wide *source,
                                       int is_v4, int is_syn) {
  const __u64 prefix = is_v4 ? (__u32)source->low >> policy->v4_shift : source->high >> policy->v6_shift;
  const __u64 ticks = gh_get_ticks(tables);
  if (policy->packets.cost && gh_is_busy(tables, policy, prefix, ticks) &&
      gh_is_over(tables, policy, &policy->packets, prefix, is_v4 ? 2 : 0, ticks)) {
    return GH_GUARD_PACKET_RATE;
  }
  if (is_syn && gh_is_over(tables, policy, &policy->syns, prefix, is_v4 ? 3 : 1, ticks)) return GH_GUARD_SYN_RATE;
  return GH_UNDECIDED;
}

/* A verdict, or GH_UNDECIDED for a packet that may go on. */
static inline enum gh_verdict gh_guard(struct gh_tables *tables, const struct gh_vip_entry *vip, const struct gh_packet *packet,
                                       const struct gh_parsed *parsed) {
  const struct gh_policy *policy = gh_get_policy(tables, gh_policy_number(vip->flags));
  const struct gh_wide source = gh_widen(&parsed->source);
  enum gh_verdict verdict;
  __u32 wanted, lists;
  __u8 flags;
  if (!policy) return GH_UNDECIDED;
  verdict = gh_find_bogus(packet, parsed, &flags);
  if (verdict != GH_UNDECIDED) return verdict;
  wanted = policy->deny | policy->allow | policy->exempt;
  if (wanted && gh_is_concerned(tables, &source, parsed->is_v4)) {
    lists = gh_find_lists(tables, &source, parsed->is_v4, wanted);
    if (lists & policy->deny) return GH_GUARD_DENIED;
    if (lists & policy->exempt) return GH_UNDECIDED;
  }
  if (!policy->packets.cost && !policy->syns.cost) return GH_UNDECIDED;
  return gh_limit(tables, policy, &source, parsed->is_v4, (flags & (GH_TCP_SYN | GH_TCP_ACK)) == GH_TCP_SYN);
}
