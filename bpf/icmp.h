/* ICMP and ICMPv6 at a VIP.
 *   Errors (unreachable with any code, too big, time exceeded, parameter problem) take the way of the flow that they quote,
 *   turned round: to the owner of its slot, and by the hop list to the owners before it. Four bytes of the quoted TCP or UDP
 *   header are enough. What an error says is not judged: a too-big with an absurd size is for the kernel of the node to
 *   ignore, which knows the flow. Not followed: quotes of later fragments, which have no ports, and errors behind IP options
 *   or extension headers, which nobody sends.
 *   Echo requests are answered here.
 *   A packet too long for the tunnel is answered with the size that fits, whether it has DF or not (we never fragment).
 *   Both kinds of answers come out of one budget per CPU, and go to no address that stands for many or for nobody.
 *   Everything else (neighbour discovery above all) is left to the host. */
#pragma once

#include "bpf/encap.h"

enum {
  GH_QUOTE_V4 = 548,  /* the answer has 576 bytes (RFC 1812 §4.3.2.3) */
  GH_QUOTE_V6 = 1216, /* no more than 1280 (RFC 4443 §2.4), no more than the smallest packet too long for 1280 has */
  GH_ANSWER_ROOM_V4 = sizeof(struct gh_ipv4) + sizeof(struct gh_icmp),
  GH_ANSWER_ROOM_V6 = sizeof(struct gh_ipv6) + sizeof(struct gh_icmp),
};
static const __u64 gh_budget_window = 1000000000; /* ns: what a quiet CPU may answer at once is what it may in a second */

/* ---- Errors: whose are they? ---- */

static inline int gh_is_error(__u8 type, int is_v4) {
  if (!is_v4) return type >= GH_ICMPV6_UNREACHABLE && type <= GH_ICMPV6_PARAMETER_PROBLEM;
  return type == GH_ICMP_UNREACHABLE || type == GH_ICMP_TIME_EXCEEDED || type == GH_ICMP_PARAMETER_PROBLEM;
}

/* The header of a quoted packet, of which `quoted->ip_length` bytes are there, at `offset`. Non-zero: there is none. */
static inline int gh_parse_quoted_ip(const struct gh_packet *packet, __u64 offset, struct gh_parsed *quoted) {
  union {
    struct gh_ipv4 v4;
    struct gh_ipv6 v6;
    __u64 aligned;
  } ip;
  const __u32 size = quoted->is_v4 ? sizeof(ip.v4) : sizeof(ip.v6);
  if (quoted->ip_length < size || gh_read(packet, offset, &ip, size)) return -1;
  if (ip.v4.version_length >> 4 != (quoted->is_v4 ? 4 : 6)) return -1;
  if (quoted->is_v4) {
    quoted->transport_offset = (__u64)(ip.v4.version_length & 0x0f) * 4;
    quoted->protocol = ip.v4.protocol;
    gh_address_from_v4(&quoted->source, ip.v4.source);
    gh_address_from_v4(&quoted->destination, ip.v4.destination);
    return quoted->transport_offset < sizeof(ip.v4) || (ip.v4.fragment & gh_be16(0x1fff));
  }
  quoted->transport_offset = sizeof(ip.v6);
  quoted->protocol = ip.v6.next_header;
  gh_address_from_v6(&quoted->source, ip.v6.source);
  gh_address_from_v6(&quoted->destination, ip.v6.destination);
  return gh_follow_extensions(packet, offset, quoted) != GH_PARSED_PORTS;
}

/* The same with the ports. */
static inline int gh_parse_quote(const struct gh_packet *packet, __u64 offset, struct gh_parsed *quoted) {
  if (gh_parse_quoted_ip(packet, offset, quoted)) return -1;
  if (quoted->protocol != GH_PROTOCOL_TCP && quoted->protocol != GH_PROTOCOL_UDP) return -1;
  if (quoted->transport_offset + sizeof(quoted->ports) > quoted->ip_length) return -1;
  return gh_read(packet, offset + quoted->transport_offset, &quoted->ports, sizeof(quoted->ports));
}

/* Gives `parsed`, an ICMP message whose IP header is at `offset`, the flow of the packet that it quotes: from the client to the
 * VIP, which sent that packet. Non-zero: it is no error, or about nothing of the VIP's, and `parsed` is void. */
GH_NOINLINE int gh_follow_error(const struct gh_packet *packet, __u64 offset, struct gh_parsed *parsed) {
  const __u64 header = parsed->is_v4 ? sizeof(struct gh_ipv4) : sizeof(struct gh_ipv6);
  const __u64 start = header + sizeof(struct gh_icmp);
  const __u32 ip_length = parsed->ip_length;
  const struct gh_address vip = parsed->destination;
  struct gh_icmp icmp;
  if (parsed->protocol != (parsed->is_v4 ? GH_PROTOCOL_ICMP : GH_PROTOCOL_ICMPV6)) return -1;
  if (parsed->transport_offset != header || start > ip_length || gh_read(packet, offset + header, &icmp, sizeof(icmp))) return -1;
  parsed->ip_length -= (__u32)start;
  if (!gh_is_error(icmp.type, parsed->is_v4) || gh_parse_quote(packet, offset + start, parsed)) return -1;
  if (parsed->source.low != vip.low || parsed->source.high != vip.high) return -1;
  parsed->source = parsed->destination;
  parsed->destination = vip;
  parsed->ports = parsed->ports << 16 | parsed->ports >> 16;
  parsed->ip_length = ip_length;
  parsed->tcp_flags = 0;
  parsed->form = GH_FORM_ERROR;
  return 0;
}

/* ---- Answers ---- */

/* RFC 1122 §3.2.2, RFC 4443 §2.4 (e): never to many, never to nobody. */
static inline int gh_is_one_host(const struct gh_address *address) {
  const __u8 first = gh_is_mapped(address) ? (__u8)(address->low >> 32) : (__u8)address->high;
  if (gh_is_mapped(address)) return first != 0 && first != 127 && first < 224;
  return first != 0xff && (address->high != 0 || (address->low & 0x00ffffffffffffffULL) != 0);
}

/* A bucket of tokens as one word. */
static inline int gh_may_answer(struct gh_tables *tables, const struct gh_identity *identity, const struct gh_parsed *parsed) {
  struct gh_cpu *cpu = gh_get_cpu(tables);
  const __u64 now = gh_now(), interval = identity->answer_interval;
  const __u64 oldest = now > gh_budget_window ? now - gh_budget_window : 0;
  __u64 until;
  if (!cpu || interval == 0 || !gh_is_one_host(&parsed->source)) return 0;
  until = cpu->counts.answers_until < oldest ? oldest : cpu->counts.answers_until;
  if (until + interval > now) return 0;
  cpu->counts.answers_until = until + interval;
  return 1;
}

static inline __u16 gh_fold64(__u64 sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return gh_fold((__u32)sum);
}

static inline __u16 gh_ipv4_checksum(const struct gh_ipv4 *ip) {
  return gh_fold64((__u64)gh_load32(ip) + gh_load32((const __u8 *)ip + 4) + gh_load32((const __u8 *)ip + 8) +
                   gh_load32(ip->source) + gh_load32(ip->destination));
}

static inline void gh_store_v4(__u16 *to, const struct gh_address *address) { gh_store32(to, (__u32)(address->low >> 32)); }

static inline void gh_store_v6(__u16 *to, const struct gh_address *address) {
  gh_store64(to, address->high);
  gh_store64(to + 4, address->low);
}

/* Turns the request into its reply, in place. */
static inline enum gh_verdict gh_answer_echo(struct gh_packet *packet, const struct gh_parsed *parsed) {
  __u8 *start = gh_same(packet->start + parsed->link_length);
  struct gh_ipv4 *v4 = (struct gh_ipv4 *)start;
  struct gh_ipv6 *v6 = (struct gh_ipv6 *)start;
  struct gh_icmp *icmp = parsed->is_v4 ? (struct gh_icmp *)(v4 + 1) : (struct gh_icmp *)(v6 + 1);
  if (packet->start + sizeof(struct gh_ethernet) > packet->end || (__u8 *)(icmp + 1) > packet->end) return GH_TRUNCATED;
  if (parsed->is_v4) {
    if ((__u8 *)(v4 + 1) > packet->end) return GH_TRUNCATED;
    gh_store_v4(v4->source, &parsed->destination);
    gh_store_v4(v4->destination, &parsed->source);
    v4->ttl = GH_TUNNEL_TTL;
    v4->checksum = 0;
    v4->checksum = gh_ipv4_checksum(v4);
  } else {
    if ((__u8 *)(v6 + 1) > packet->end) return GH_TRUNCATED;
    gh_store_v6(v6->source, &parsed->destination);
    gh_store_v6(v6->destination, &parsed->source);
    v6->hop_limit = GH_TUNNEL_TTL;
  }
  /* RFC 1624, equation 3, over the type: the word's first byte. */
  icmp->checksum = gh_fold((__u16)~icmp->checksum + (__u16)~(__u16)icmp->type +
                           (parsed->is_v4 ? GH_ICMP_ECHO_REPLY : GH_ICMPV6_ECHO_REPLY));
  icmp->type = parsed->is_v4 ? GH_ICMP_ECHO_REPLY : GH_ICMPV6_ECHO_REPLY;
  gh_turn_around(packet->start, packet->start);
  return GH_VIP_ECHO;
}

static inline int gh_is_echo(const struct gh_packet *packet, const struct gh_parsed *parsed) {
  __u8 type;
  if (parsed->protocol != (parsed->is_v4 ? GH_PROTOCOL_ICMP : GH_PROTOCOL_ICMPV6)) return 0;
  if (parsed->transport_offset + sizeof(struct gh_icmp) > parsed->ip_length) return 0;
  if (gh_read(packet, parsed->link_length + parsed->transport_offset, &type, sizeof(type))) return 0;
  return type == (parsed->is_v4 ? GH_ICMP_ECHO : GH_ICMPV6_ECHO);
}

/* A packet to a VIP's address that is neither TCP nor UDP. A verdict, or GH_UNDECIDED and `parsed` names the flow that it is
 * about. */
static inline enum gh_verdict gh_handle_icmp(struct gh_tables *tables, const struct gh_state *state,
                                             struct gh_packet *packet, struct gh_parsed *parsed) {
  struct gh_icmp icmp;
  if (parsed->protocol != (parsed->is_v4 ? GH_PROTOCOL_ICMP : GH_PROTOCOL_ICMPV6)) return GH_VIP_NO_PORTS;
  if (parsed->transport_offset + sizeof(icmp) > parsed->ip_length) return GH_TRUNCATED;
  if (gh_read(packet, parsed->link_length + parsed->transport_offset, &icmp, sizeof(icmp))) return GH_TRUNCATED;
  if (icmp.type == (parsed->is_v4 ? GH_ICMP_ECHO : GH_ICMPV6_ECHO)) {
    /* Options may ask for a route back (RFC 1122 §3.2.2.6): that is the host's to follow. */
    if (parsed->transport_offset != (parsed->is_v4 ? sizeof(struct gh_ipv4) : sizeof(struct gh_ipv6))) return GH_VIP_NO_PORTS;
    return gh_may_answer(tables, gh_get_identity(state), parsed) ? gh_answer_echo(packet, parsed) : GH_VIP_ECHO_DROPPED;
  }
  return gh_follow_error(packet, parsed->link_length, parsed) ? GH_VIP_NO_PORTS : GH_UNDECIDED;
}

/* ---- Too big ---- */

static inline void gh_write_too_big_v4(struct gh_ipv4 *ip, const struct gh_parsed *parsed, __u32 mtu) {
  struct gh_icmp *icmp = (struct gh_icmp *)(ip + 1);
  ip->version_length = 0x45;
  ip->traffic_class = 0;
  ip->total_length = gh_be16(GH_ANSWER_ROOM_V4 + GH_QUOTE_V4);
  ip->id = 0;
  ip->fragment = gh_be16(GH_DONT_FRAGMENT);
  ip->ttl = GH_TUNNEL_TTL;
  ip->protocol = GH_PROTOCOL_ICMP;
  ip->checksum = 0;
  gh_store_v4(ip->source, &parsed->destination);
  gh_store_v4(ip->destination, &parsed->source);
  ip->checksum = gh_ipv4_checksum(ip);
  icmp->type = GH_ICMP_UNREACHABLE;
  icmp->code = GH_ICMP_TOO_BIG_CODE;
  icmp->checksum = 0;
  icmp->words[0] = 0;
  icmp->words[1] = gh_be16((__u16)mtu);
  icmp->checksum = gh_fold64(gh_sum_words((const __u8 *)icmp, sizeof(*icmp) + GH_QUOTE_V4));
}

static inline void gh_write_too_big_v6(struct gh_ipv6 *ip, const struct gh_parsed *parsed, __u32 mtu) {
  struct gh_icmp *icmp = (struct gh_icmp *)(ip + 1);
  const __u16 length = gh_be16(sizeof(*icmp) + GH_QUOTE_V6);
  ip->version_class_flow[0] = gh_be16(0x6000);
  ip->version_class_flow[1] = 0;
  ip->payload_length = length;
  ip->next_header = GH_PROTOCOL_ICMPV6;
  ip->hop_limit = GH_TUNNEL_TTL;
  gh_store_v6(ip->source, &parsed->destination);
  gh_store_v6(ip->destination, &parsed->source);
  icmp->type = GH_ICMPV6_TOO_BIG;
  icmp->code = 0;
  icmp->checksum = 0;
  icmp->words[0] = 0;
  icmp->words[1] = gh_be16((__u16)mtu);
  /* With the addresses before it and the rest of the pseudo header (RFC 8200 §8.1). */
  icmp->checksum = gh_fold64((__u64)gh_sum_words((const __u8 *)ip->source, 2 * 16 + sizeof(*icmp) + GH_QUOTE_V6) + length +
                             gh_be16(GH_PROTOCOL_ICMPV6));
}

/* What becomes of a packet that does not fit: `mtu` is told to who sent it. */
GH_NOINLINE enum gh_verdict gh_refuse_length(struct gh_tables *tables, const struct gh_identity *identity,
                                                    struct gh_packet *packet, const struct gh_parsed *parsed, __u32 mtu) {
  const __u32 room = parsed->is_v4 ? GH_ANSWER_ROOM_V4 : GH_ANSWER_ROOM_V6;
  const __u32 quote = parsed->is_v4 ? GH_QUOTE_V4 : GH_QUOTE_V6;
  __u8 *old, *ip;
  if (parsed->form == GH_FORM_LATER || parsed->form == GH_FORM_ERROR || parsed->ip_length < quote) return GH_VIP_TOO_BIG_DROPPED;
  if (!gh_may_answer(tables, identity, parsed) || gh_move_start(packet, -(int)room)) return GH_VIP_TOO_BIG_DROPPED;
  old = gh_same(packet->start + room);
  ip = gh_same(packet->start + parsed->link_length);
  if (packet->start + GH_LONGEST_LINK > packet->end || old + GH_LONGEST_LINK > packet->end) return GH_VIP_TOO_BIG_DROPPED;
  gh_turn_around(old, packet->start);
  if (parsed->is_v4) {
    if (ip + GH_ANSWER_ROOM_V4 + GH_QUOTE_V4 > packet->end) return GH_VIP_TOO_BIG_DROPPED;
    gh_copy_tags(old, packet->start, parsed->link_length, gh_be16(GH_ETHERTYPE_IPV4));
    gh_write_too_big_v4((struct gh_ipv4 *)ip, parsed, mtu);
  } else {
    if (ip + GH_ANSWER_ROOM_V6 + GH_QUOTE_V6 > packet->end) return GH_VIP_TOO_BIG_DROPPED;
    gh_copy_tags(old, packet->start, parsed->link_length, gh_be16(GH_ETHERTYPE_IPV6));
    gh_write_too_big_v6((struct gh_ipv6 *)ip, parsed, mtu);
  }
  return gh_cut(packet, parsed->link_length + room + quote) ? GH_VIP_TOO_BIG_DROPPED : GH_VIP_TOO_BIG;
}
