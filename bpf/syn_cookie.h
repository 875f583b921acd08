/* A node under a flood of SYNs: what the kernel would do at the end of its path, for a tenth of the price, before a socket or a
 * packet buffer exists. The kernel decides when, listener by listener: it makes a cookie while that listener's queue of handshakes is
 * full (tcp_syncookies 1), or always (2). The cookie is the kernel's own, so that it takes the ACK as if it had answered itself, and
 * an earlier owner of a slot knows its own cookies.
 *
 * For as long as cookies may be under way, ACKs for which there is neither a socket nor a cookie are dropped here as well. */
#pragma once

#include "bpf/icmp.h"
#include "bpf/syn_ack.h"

/* What is kept of the packet while it becomes its answer, and that. Too large for a program's stack: gh_get_handshake(). */
struct gh_handshake {
  __u64 macs; /* destination, two bytes of the source */
  __u64 tags; /* behind the addresses: VLAN tags and type */
  __u32 rest_of_mac;
  __u32 link_length;
  struct gh_connection connection;
  struct gh_syn syn;
  struct gh_syn_ack reply;
};

/* Whether cookies may be under way: one was made within the time that the kernel takes them. */
static inline int gh_is_flooded(struct gh_tables *tables, const struct gh_cookies *cookies) {
  const __u64 last = *(const volatile __u64 *)&cookies->last;
  return last != 0 && gh_get_ticks(tables) - last < cookies->valid_ticks;
}

static inline void gh_note_cookie(struct gh_tables *tables, struct gh_cookies *cookies) {
  const __u64 now = gh_get_ticks(tables);
  if (*(volatile __u64 *)&cookies->last != now) *(volatile __u64 *)&cookies->last = now; /* once a tick: all CPUs read it */
}

/* Both headers have been checked to be readable. */
static inline void gh_read_connection(struct gh_connection *connection, const __u8 *ip, const __u8 *tcp, int is_v4) {
  const struct gh_ipv4 *v4 = (const struct gh_ipv4 *)ip;
  const struct gh_ipv6 *v6 = (const struct gh_ipv6 *)ip;
  connection->is_v4 = (__u8)is_v4;
  connection->source_port = gh_load16(tcp);
  connection->destination_port = gh_load16(tcp + 2);
  if (is_v4) {
    gh_address_from_v4(&connection->source, v4->source);
    gh_address_from_v4(&connection->destination, v4->destination);
  } else {
    gh_address_from_v6(&connection->source, v6->source);
    gh_address_from_v6(&connection->destination, v6->destination);
  }
}

static inline void gh_write_ip_v4(__u8 *to, const struct gh_connection *connection, __u32 tcp_length) {
  struct gh_ipv4 *ip = (struct gh_ipv4 *)to;
  __builtin_memset(ip, 0, sizeof(*ip));
  ip->version_length = 0x45;
  ip->total_length = gh_be16((__u16)(sizeof(*ip) + tcp_length));
  ip->fragment = gh_be16(0x4000);
  ip->ttl = 64;
  ip->protocol = GH_PROTOCOL_TCP;
  gh_store_v4(ip->source, &connection->destination);
  gh_store_v4(ip->destination, &connection->source);
  ip->checksum = gh_ipv4_checksum(ip);
}

static inline void gh_write_ip_v6(__u8 *to, const struct gh_connection *connection, __u32 tcp_length) {
  struct gh_ipv6 *ip = (struct gh_ipv6 *)to;
  ip->version_class_flow[0] = gh_be16(0x6000);
  ip->version_class_flow[1] = 0;
  ip->payload_length = gh_be16((__u16)tcp_length);
  ip->next_header = GH_PROTOCOL_TCP;
  ip->hop_limit = 64;
  gh_store_v6(ip->source, &connection->destination);
  gh_store_v6(ip->destination, &connection->source);
}

static inline void gh_keep_link(struct gh_handshake *handshake, const __u8 *link, __u64 link_length) {
  handshake->macs = gh_load64(link);
  handshake->rest_of_mac = gh_load32(link + 8);
  handshake->tags = gh_load64(link + 12);
  handshake->link_length = (__u32)link_length;
}

/* Turned round. `to` has been checked to be accessible for the longest link header. */
static inline void gh_write_link(const struct gh_handshake *handshake, __u8 *to, int is_v4) {
  const __be16 type = gh_be16(is_v4 ? GH_ETHERTYPE_IPV4 : GH_ETHERTYPE_IPV6);
  gh_store64(to, handshake->macs >> 48 | (__u64)handshake->rest_of_mac << 16 | handshake->macs << 48);
  gh_store32(to + 8, (__u32)(handshake->macs >> 16));
  if (handshake->link_length == sizeof(struct gh_ethernet)) {
    gh_store16(to + 12, type);
  } else if (handshake->link_length == sizeof(struct gh_ethernet) + sizeof(struct gh_vlan)) {
    gh_store32(to + 12, (__u32)handshake->tags);
    gh_store16(to + 16, type);
  } else {
    gh_store64(to + 12, handshake->tags);
    gh_store16(to + 20, type);
  }
}

/* Makes the packet as long as its answer and writes that, back by the way it came. */
static inline enum gh_verdict gh_send_syn_ack(struct gh_packet *packet, const struct gh_handshake *handshake,
                                              const struct gh_syn_ack *reply, int is_v4) {
  const __u64 ip_length = is_v4 ? sizeof(struct gh_ipv4) : sizeof(struct gh_ipv6);
  const __u64 length = handshake->link_length + ip_length + reply->length;
  const __s64 left = gh_same(packet->end - packet->start); /* pointers may be subtracted as 64-bit numbers only */
  __u8 *ip, *tcp;
  if (gh_move_start(packet, (int)(left - (__s64)length))) return GH_NODE_COOKIE_LOST;
  ip = gh_same(packet->start + gh_within(handshake->link_length, 32));
  tcp = ip + ip_length;
  if (packet->start + GH_LONGEST_LINK > packet->end || tcp + 24 > packet->end) return GH_NODE_COOKIE_LOST;
  gh_write_link(handshake, packet->start, is_v4);
  if (is_v4) {
    gh_write_ip_v4(ip, &handshake->connection, reply->length);
  } else {
    gh_write_ip_v6(ip, &handshake->connection, reply->length);
  }
  __builtin_memcpy(tcp, reply->words, 24);
  if (reply->length > 24 && tcp + 36 <= packet->end) __builtin_memcpy(tcp + 24, reply->words + 12, 12);
  if (reply->length > 36 && tcp + 40 <= packet->end) __builtin_memcpy(tcp + 36, reply->words + 18, 4);
  return GH_NODE_COOKIE_SENT;
}

/* Answers a SYN whose IP header is at `link_length` and without options, or returns `verdict`. A function of its own: only a
 * SYN needs it. */
GH_NOINLINE enum gh_verdict gh_answer_syn(struct gh_tables *tables, void *context, __u64 link_length, int is_v4,
                                          enum gh_verdict verdict) {
  const __u64 ip_length = is_v4 ? sizeof(struct gh_ipv4) : sizeof(struct gh_ipv6);
  struct gh_cookies *cookies = gh_get_cookies(tables);
  struct gh_packet packet = gh_packet_of(context);
  __u8 *ip = gh_same(packet.start + gh_within(link_length, 32));
  __u8 *tcp = ip + ip_length;
  struct gh_handshake *handshake = gh_get_handshake(tables);
  struct gh_syn *syn;
  __u32 length;
  __s64 cookie;
  if (!cookies || !handshake) return verdict;
  if (packet.start + GH_LONGEST_LINK > packet.end || tcp + sizeof(struct gh_tcp) > packet.end) return verdict;
  syn = &handshake->syn;
  gh_keep_link(handshake, packet.start, link_length);
  gh_read_connection(&handshake->connection, ip, tcp, is_v4);
  length = gh_same((__u32)(((struct gh_tcp *)tcp)->offset >> 4) * 4);
  if (length < GH_TCP_SHORTEST_HEADER || gh_read(&packet, link_length + ip_length, syn->header, length)) return verdict;
  cookie = gh_make_cookie(&packet, &handshake->connection, ip, syn->header, length);
  if (cookie < 0) return verdict; /* nobody listens, or the listener is not in need */
  gh_note_cookie(tables, cookies);
  syn->length = length;
  gh_begin_options(syn);
  gh_repeat(GH_TCP_LONGEST_HEADER - GH_TCP_SHORTEST_HEADER, gh_take_option, &syn);
  gh_write_syn_ack(&handshake->reply, syn, cookies, (__u32)cookie, gh_get_tcp_clock(), is_v4);
  gh_finish_syn_ack(&handshake->reply, &handshake->connection);
  return gh_send_syn_ack(&packet, handshake, &handshake->reply, is_v4);
}

/* In a flood: whether the segment is of a connection that the kernel knows, or brings a cookie back. */
GH_NOINLINE enum gh_verdict gh_ask_for_cookie(void *context, __u64 link_length, int is_v4) {
  const __u64 ip_length = is_v4 ? sizeof(struct gh_ipv4) : sizeof(struct gh_ipv6);
  struct gh_packet packet = gh_packet_of(context);
  const __u8 *ip = gh_same(packet.start + gh_within(link_length, 32));
  const struct gh_tcp *tcp = (const struct gh_tcp *)(ip + ip_length);
  struct gh_connection connection;
  if ((const __u8 *)(tcp + 1) > packet.end) return GH_NODE_DELIVERED;
  gh_read_connection(&connection, ip, (const __u8 *)tcp, is_v4);
  return gh_owns(&packet, &connection, link_length, link_length + ip_length) ? GH_NODE_OWNED : GH_NODE_COOKIE_BAD;
}

/* A packet that is out of its tunnel and would be delivered by `verdict`. */
GH_INLINE enum gh_verdict gh_screen(struct gh_tables *tables, struct gh_packet *packet, __u64 link_length, int is_v4,
                                    enum gh_verdict verdict) {
  const struct gh_cookies *cookies = gh_get_cookies(tables);
  const __u8 *ip = gh_same(packet->start + link_length);
  const struct gh_tcp *tcp = (const struct gh_tcp *)(ip + (is_v4 ? sizeof(struct gh_ipv4) : sizeof(struct gh_ipv6)));
  __u8 flags;
  if (!cookies || !cookies->is_on || (const __u8 *)(tcp + 1) > packet->end) return verdict;
  /* Options and extensions before the TCP header are too rare to follow: the kernel does. */
  if (is_v4) {
    const struct gh_ipv4 *v4 = (const struct gh_ipv4 *)ip;
    if (v4->version_length != 0x45 || v4->protocol != GH_PROTOCOL_TCP || (v4->fragment & gh_be16(0x3fff))) return verdict;
  } else if (((const struct gh_ipv6 *)ip)->next_header != GH_PROTOCOL_TCP) {
    return verdict;
  }
  flags = tcp->flags & (GH_TCP_FIN | GH_TCP_SYN | GH_TCP_RST | GH_TCP_ACK);
  if (flags == GH_TCP_SYN) return gh_answer_syn(tables, packet->context, link_length, is_v4, verdict);
  /* What was found to be of a flow here has had the question already. */
  if (verdict != GH_NODE_DELIVERED || !gh_is_flooded(tables, cookies)) return verdict;
  return gh_ask_for_cookie(packet->context, link_length, is_v4);
}
