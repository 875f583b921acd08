/* What may not reach a VIP, or not so fast. Only VIPs with GH_VIP_GUARDED pay for it. In order:
 *   1. packets that no stack sends, or none that could be answered;
 *   2. prefix rules of the lists that the VIP's policy names: the longest prefix of the source decides;
 *   3. limits by source prefix: of packets, of SYNs.
 * An ICMP error is judged by the client whose flow it is about, a fragment by its source, and by its header if it has one.
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
GH_INLINE int gh_is_bogus_source(const struct gh_parsed *parsed) {
  const __u64 high = parsed->source.high, low = parsed->source.low;
  const __u32 octet = (__u32)(low >> 32) & 0xff;
  if (parsed->is_v4) return octet == 0 || octet == 127 || octet >= 224; /* RFC 1122 §3.2.1.3; reserved and broadcast */
  if (high != 0) return (high & 0xff) == 0xff;                          /* ff00::/8 */
  return low == 0 || low == 1ULL << 56 || (__u32)low == 0xffff0000u;    /* ::, ::1, ::ffff:0:0/96 (RFC 4942 §2.2) */
}

/* How much of the transport header gh_guard() reads. */
GH_INLINE __u32 gh_transport_size(const struct gh_parsed *parsed) {
  return parsed->protocol == GH_PROTOCOL_TCP ? sizeof(struct gh_tcp) : sizeof(struct gh_udp);
}

/* What the transport header says of itself. */
GH_INLINE enum gh_verdict gh_check_transport(const struct gh_parsed *parsed, const __u8 *transport) {
  const __u64 length = parsed->ip_length - parsed->transport_offset;
  if (parsed->protocol == GH_PROTOCOL_UDP) {
    const __u32 said = gh_from_be16(gh_load16(transport + __builtin_offsetof(struct gh_udp, length)));
    return said < sizeof(struct gh_udp) || (said > length && parsed->form == GH_FORM_WHOLE) ? GH_GUARD_LENGTH : GH_UNDECIDED;
  }
  const __u32 header = transport[__builtin_offsetof(struct gh_tcp, offset)] >> 4;
  if (header < 5 || header * 4 > length) return GH_GUARD_LENGTH;
  if (GH_CLIENT_FLAGS >> (parsed->tcp_flags & 0x3f) & 1) return GH_UNDECIDED;
  return (parsed->tcp_flags & 0x17) == (GH_TCP_SYN | GH_TCP_ACK) ? GH_GUARD_REFLECTED : GH_GUARD_FLAGS;
}

GH_INLINE enum gh_verdict gh_find_bogus(const struct gh_parsed *parsed, const __u8 *transport) {
  if (gh_is_bogus_source(parsed)) return GH_GUARD_SOURCE;
  if (parsed->source.low == parsed->destination.low && parsed->source.high == parsed->destination.high) return GH_GUARD_LAND;
  if (!transport) return GH_UNDECIDED;
  if (parsed->source_port == 0 || parsed->destination_port == 0) return GH_GUARD_PORT;
  return gh_check_transport(parsed, transport);
}

GH_INLINE int gh_is_over(struct gh_tables *tables, const struct gh_policy *policy, const struct gh_rate *rate, __u64 prefix,
                         __u64 kind, __u64 ticks) {
  const struct gh_guard *guard = gh_get_guard(tables);
  if (!guard || rate->cost == 0) return 0;
  return gh_take(tables, gh_source_hash(guard, prefix, (__u64)policy->limit << 2 | kind), rate, ticks * guard->tick);
}

GH_INLINE enum gh_verdict gh_limit(struct gh_tables *tables, const struct gh_policy *policy, const struct gh_wide *source,
                                   const struct gh_parsed *parsed) {
  const __u64 is_v4 = parsed->is_v4;
  const __u64 prefix = is_v4 ? (__u32)source->low >> policy->v4_shift : source->high >> policy->v6_shift;
  const __u64 ticks = gh_get_ticks(tables);
  const int is_syn = (parsed->tcp_flags & (GH_TCP_SYN | GH_TCP_ACK)) == GH_TCP_SYN;
  if (policy->packets.cost && gh_is_busy(tables, policy, prefix, ticks) &&
      gh_is_over(tables, policy, &policy->packets, prefix, is_v4 ? 2 : 0, ticks)) {
    return GH_GUARD_PACKET_RATE;
  }
  if (is_syn && gh_is_over(tables, policy, &policy->syns, prefix, is_v4 ? 3 : 1, ticks)) return GH_GUARD_SYN_RATE;
  return GH_UNDECIDED;
}

/* A verdict, or GH_UNDECIDED for a packet that may go on. `transport`: gh_transport_size() readable bytes of its header; NULL: it
 * has none, or it is not the flow's. */
GH_INLINE enum gh_verdict gh_guard(struct gh_tables *tables, const struct gh_vip *vip, const struct gh_parsed *parsed,
                                   const __u8 *transport) {
  const struct gh_policy *policy = gh_get_policy(tables, gh_policy_number(vip->flags));
  const struct gh_wide source = gh_widen(&parsed->source);
  enum gh_verdict verdict;
  __u32 wanted, lists;
  if (!policy) return GH_UNDECIDED;
  verdict = gh_find_bogus(parsed, transport);
  if (verdict != GH_UNDECIDED) return verdict;
  wanted = policy->deny | policy->allow | policy->exempt;
  if (wanted && gh_is_concerned(tables, &source, parsed->is_v4)) {
    lists = gh_find_lists(tables, &source, parsed->is_v4, wanted);
    if (lists & policy->deny) return GH_GUARD_DENIED;
    if (lists & policy->exempt) return GH_UNDECIDED;
  }
  if (!policy->packets.cost && !policy->syns.cost) return GH_UNDECIDED;
  return gh_limit(tables, policy, &source, parsed);
}
