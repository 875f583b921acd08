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

/* Nobody has this address, or none that an answer could be sent to. Of IPv4 ones the filter says that they are to be looked at. */
GH_INLINE int gh_is_bogus_v4(const struct gh_wide *source) {
  const __u32 octet = (__u32)source->low >> 24;
  return octet == 0 || octet == 127 || octet >= 224; /* RFC 1122 §3.2.1.3; reserved and broadcast */
}
GH_INLINE int gh_is_bogus_v6(const struct gh_wide *source) {
  const __u64 high = source->high, low = source->low;
  if (high != 0) return high >> 56 == 0xff;              /* ff00::/8 */
  return low <= 1 || low >> 32 == 0xffff; /* ::, ::1, ::ffff:0:0/96 (RFC 4942 §2.2) */
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
  const __u64 words = transport[__builtin_offsetof(struct gh_tcp, offset)] >> 4;
  if (words < 5 || words * 4 > length) return GH_GUARD_LENGTH;
  if (GH_CLIENT_FLAGS >> (parsed->tcp_flags & 0x3f) & 1) return GH_UNDECIDED;
  return (parsed->tcp_flags & 0x17) == (GH_TCP_SYN | GH_TCP_ACK) ? GH_GUARD_REFLECTED : GH_GUARD_FLAGS;
}

GH_INLINE enum gh_verdict gh_find_bogus(const struct gh_parsed *parsed, const __u8 *transport) {
  if (parsed->source.low == parsed->destination.low && parsed->source.high == parsed->destination.high) return GH_GUARD_LAND;
  if (!transport) return GH_UNDECIDED;
  if (parsed->source_port == 0 || parsed->destination_port == 0) return GH_GUARD_PORT;
  return gh_check_transport(parsed, transport);
}

/* Whether one packet more is too many for the source. `kind` tells families and what is counted. */
GH_INLINE int gh_is_over(struct gh_tables *tables, const struct gh_guard *guard, const struct gh_policy *policy,
                         const struct gh_rate *rate, __u64 prefix, __u64 kind, __u64 ticks) {
  return gh_take(tables, gh_source_hash(guard, prefix, (__u64)policy->limit << 2 | kind), rate, ticks * guard->tick) != 0;
}

GH_INLINE enum gh_verdict gh_limit(struct gh_tables *tables, const struct gh_guard *guard, const struct gh_policy *policy,
                                   const struct gh_wide *source, const struct gh_parsed *parsed) {
  const __u64 is_v4 = parsed->is_v4;
  const __u64 prefix = is_v4 ? (__u32)source->low >> policy->v4_shift : source->high >> policy->v6_shift;
  const __u64 ticks = gh_get_ticks(tables);
  if (policy->packets.cost && gh_is_busy(tables, policy, prefix, ticks) &&
      gh_is_over(tables, guard, policy, &policy->packets, prefix, is_v4 ? 2 : 0, ticks)) {
    return GH_GUARD_PACKET_RATE;
  }
  if ((parsed->tcp_flags & (GH_TCP_SYN | GH_TCP_ACK)) == GH_TCP_SYN && policy->syns.cost &&
      gh_is_over(tables, guard, policy, &policy->syns, prefix, is_v4 ? 3 : 1, ticks)) {
    return GH_GUARD_SYN_RATE;
  }
  return GH_UNDECIDED;
}

/* What the rules say of a source. GH_UNDECIDED: it may come, and `is_exempt` says whether without limits. */
GH_INLINE enum gh_verdict gh_judge_source(struct gh_tables *tables, const struct gh_guard *guard, const struct gh_policy *policy,
                                          const struct gh_wide *source, int is_v4, int *is_exempt) {
  const __u32 wanted = policy->deny | policy->allow | policy->exempt;
  __u32 lists;
  *is_exempt = 0;
  if (!gh_is_concerned(guard, source, is_v4)) return GH_UNDECIDED;
  if (is_v4 && gh_is_bogus_v4(source)) return GH_GUARD_SOURCE;
  lists = wanted ? gh_find_lists(tables, source, is_v4, wanted) : 0;
  if (lists & policy->deny) return GH_GUARD_DENIED;
  *is_exempt = (lists & policy->exempt) != 0;
  return GH_UNDECIDED;
}

/* A verdict, or GH_UNDECIDED for a packet that may go on. `transport`: gh_transport_size() readable bytes of its header; NULL: it
 * has none, or it is not the flow's. */
GH_INLINE enum gh_verdict gh_guard(struct gh_tables *tables, const struct gh_state *state, const struct gh_vip *vip,
                                   const struct gh_parsed *parsed, const __u8 *transport) {
  const struct gh_guard *guard = &state->guard;
  const struct gh_policy *policy = gh_same(&guard->policies[gh_within(gh_policy_number(vip->flags), GH_MAX_POLICIES)]);
  const struct gh_wide source = gh_widen(&parsed->source);
  enum gh_verdict verdict;
  int is_exempt;
  if (!parsed->is_v4 && gh_is_bogus_v6(&source)) return GH_GUARD_SOURCE;
  verdict = gh_find_bogus(parsed, transport);
  if (verdict != GH_UNDECIDED) return verdict;
  verdict = gh_judge_source(tables, guard, policy, &source, parsed->is_v4, &is_exempt);
  if (verdict != GH_UNDECIDED || is_exempt) return verdict;
  return gh_limit(tables, guard, policy, &source, parsed);
}
