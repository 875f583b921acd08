/* Servers that cannot take a header off: the packet gets the server's address and port, and what the server answers gets the
 * VIP's again. Neither way keeps anything per flow: forward, the flow cache or the ring names the server; back, a table says
 * which VIP a server's (address, port, protocol) stands behind. Checksums follow by difference (RFC 1624), so that one that
 * was wrong stays wrong. Fragments have no ports and are not translated. */
#pragma once

#include "bpf/encap.h"
#include "bpf/service_table.h"

/* The checksum after words that sum up to `change` (new ones, and the complements of old ones) were exchanged. */
static inline __u16 gh_follow_change(__u16 checksum, __u32 change) {
  __u32 sum = (__u16)~checksum + change;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (__u16)~sum;
}

static inline __u32 gh_exchange(__u16 *word, __u16 value) {
  const __u32 change = (__u32)(__u16)~*word + value;
  *word = value;
  return change;
}

/* Whether the header that the checksum stands in is there, and the checksum: sets `checksum` to it. */
static inline int gh_find_checksum(const struct gh_packet *packet, const struct gh_parsed *parsed, __u8 *transport,
                                   __u16 **checksum) {
  const __u32 length = parsed->protocol == GH_PROTOCOL_TCP ? sizeof(struct gh_tcp) : sizeof(struct gh_udp);
  if (parsed->transport_offset + length > parsed->ip_length) return -1;
  if (parsed->protocol == GH_PROTOCOL_TCP) {
    if (transport + sizeof(struct gh_tcp) > packet->end) return -1;
    *checksum = &((struct gh_tcp *)transport)->checksum;
    return 0;
  }
  if (transport + sizeof(struct gh_udp) > packet->end) return -1;
  *checksum = &((struct gh_udp *)transport)->checksum;
  return 0;
}

static inline __u32 gh_exchange_v4(struct gh_ipv4 *ip, int is_source, const struct gh_address *address) {
  __u16 *words = is_source ? ip->source : ip->destination;
  __u32 change = gh_exchange(&words[0], (__u16)(address->low >> 32));
  change += gh_exchange(&words[1], (__u16)(address->low >> 48));
  ip->checksum = gh_follow_change(ip->checksum, change);
  return change;
}

static inline __u32 gh_exchange_v6(struct gh_ipv6 *ip, int is_source, const struct gh_address *address) {
  __u16 *words = is_source ? ip->source : ip->destination;
  __u32 change = 0;
  int i;
  for (i = 0; i < 4; ++i) change += gh_exchange(&words[i], (__u16)(address->high >> (16 * i)));
  for (i = 0; i < 4; ++i) change += gh_exchange(&words[4 + i], (__u16)(address->low >> (16 * i)));
  return change;
}

/* Gives the packet another source or destination; port 0 leaves the port. Non-zero, the packet being as it was: its transport
 * header is not whole. */
static inline int gh_translate(struct gh_packet *packet, const struct gh_parsed *parsed, int is_source,
                               const struct gh_address *address, __be16 port) {
  __u8 *ip = packet->start + parsed->link_length;
  __u8 *transport = gh_transport(packet, parsed);
  struct gh_udp *ports = (struct gh_udp *)transport;
  __u16 *checksum = 0;
  __u32 change;
  if (gh_find_checksum(packet, parsed, transport, &checksum)) return -1;
  if (parsed->is_v4) {
    if (ip + sizeof(struct gh_ipv4) > packet->end) return -1;
    change = gh_exchange_v4((struct gh_ipv4 *)ip, is_source, address);
  } else {
    if (ip + sizeof(struct gh_ipv6) > packet->end) return -1;
    change = gh_exchange_v6((struct gh_ipv6 *)ip, is_source, address);
  }
  if (port) change += gh_exchange(is_source ? &ports->source_port : &ports->destination_port, port);
  if (parsed->protocol == GH_PROTOCOL_UDP && *checksum == 0) return 0; /* the sender made none (RFC 768) */
  *checksum = gh_follow_change(*checksum, change);
  if (parsed->protocol == GH_PROTOCOL_UDP && *checksum == 0) *checksum = 0xffff;
  return 0;
}

/* To the server: instead of a tunnel. What an ICMP error quotes would have to be translated, too: it is not. */
static inline enum gh_verdict gh_translate_to_server(struct gh_tables *tables, struct gh_packet *packet,
                                                     const struct gh_parsed *parsed, __u32 id,
                                                     const struct gh_destination *node) {
  const struct gh_server *server = gh_get_server(tables, id);
  if (!server || (node->family == GH_FAMILY_V4) != parsed->is_v4) return GH_VIP_NO_RING;
  if (parsed->form == GH_FORM_ERROR) return GH_VIP_NO_PORTS;
  if (gh_translate(packet, parsed, 0, &node->address, server->port)) return GH_TRUNCATED;
  if (packet->start + sizeof(struct gh_ethernet) > packet->end) return GH_TRUNCATED;
  gh_turn_around(packet->start, packet->start);
  return GH_FORWARDED;
}

/* Whether the source is a server's that stands behind a VIP, and the destination no L4 host, whose health checks it answers. */
static inline int gh_find_translation(struct gh_tables *tables, __u32 half, const struct gh_parsed *parsed,
                                      struct gh_vip *found) {
  const __u8 protocol = parsed->protocol | GH_LINE_BACK;
  const __u32 exact = gh_entry_key(parsed->source_port, protocol, GH_ENTRY_VIP);
  struct gh_vip host;
  if (!parsed->is_v4 && gh_is_mapped(&parsed->source)) return 0;
  if (!gh_find_service_entry(tables, half, &parsed->source, exact, found) &&
      !gh_find_service_entry(tables, half, &parsed->source, gh_entry_key(0, protocol, GH_ENTRY_VIP), found)) {
    return 0;
  }
  return !gh_find_service_entry(tables, half, &parsed->destination, gh_entry_key(0, GH_LINE_HOST, GH_ENTRY_VIP), &host);
}

/* A packet that is not to a VIP: from a server of ours to a client? */
GH_NOINLINE enum gh_verdict gh_translate_back(struct gh_tables *tables, const struct gh_state *state,
                                                struct gh_packet *packet, const struct gh_parsed *parsed) {
  const __u32 half = state->services & GH_SERVICES_HALF;
  const struct gh_vip_place *place;
  struct gh_vip entry;
  if (!(state->services & GH_SERVICES_TRANSLATE) || parsed->form != GH_FORM_WHOLE) return GH_NOT_VIP;
  if (!gh_find_translation(tables, half, parsed, &entry)) return GH_NOT_VIP;
  place = gh_get_vip_place(tables, half * GH_MAX_VIPS + entry.vip);
  if (!place) return GH_NOT_VIP;
  if (gh_translate(packet, parsed, 1, &place->address, place->port)) return GH_TRUNCATED;
  if (packet->start + sizeof(struct gh_ethernet) > packet->end) return GH_TRUNCATED;
  gh_count_service(tables, entry.service, GH_COUNT_TRANSLATED_BACK);
  gh_turn_around(packet->start, packet->start);
  return GH_TRANSLATED_BACK;
}
