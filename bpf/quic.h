/* QUIC-LB (draft-ietf-quic-load-balancers-21): a connection id that a server made names that server, whatever address the
 * client has by now. After the first byte (three bits of configuration id) it holds server id and nonce, plain or encrypted:
 * one AES block when they are sixteen bytes together, else four rounds of a Feistel network over its halves.
 *
 * Reads no more of QUIC than what all versions have in common (RFC 8999). A connection id that no configuration fits, that is
 * too short or names nobody, is not routable: the flow decides, as for the first packets of a connection, whose id the client
 * has drawn. */
#pragma once

#include "bpf/aes.h"
#include "bpf/parse.h"
#include "bpf/service_table.h"

enum {
  GH_QUIC_LONG = 0x80,       /* in the first byte of a packet */
  GH_QUIC_LONG_ID = 6,       /* where a long header has the destination's connection id, and before it the id's length */
  GH_QUIC_SHORT_ID = 1,
  GH_QUIC_MOST_BYTES = 19,   /* of server id and nonce */
  GH_QUIC_MOST_SERVER_ID = 15,
};

/* First byte of the UDP payload, if `length` bytes of it are there; else NULL. */
static inline const __u8 *gh_udp_payload(const struct gh_packet *packet, const struct gh_parsed *parsed, __u32 length) {
  const __u32 offset = (__u32)(parsed->transport_offset + sizeof(struct gh_udp));
  const __u8 *payload = gh_transport(packet, parsed) + sizeof(struct gh_udp);
  if (parsed->protocol != GH_PROTOCOL_UDP || offset + length > parsed->ip_length) return 0;
  return payload + length > packet->end ? 0 : payload;
}

/* The destination's connection id, and how long it is or (in a short header, which does not say) can be at most. */
static inline const __u8 *gh_quic_id(const struct gh_packet *packet, const struct gh_parsed *parsed, __u32 *length) {
  const __u8 *payload = gh_udp_payload(packet, parsed, GH_QUIC_LONG_ID + 1);
  const __u32 offset = (__u32)(parsed->transport_offset + sizeof(struct gh_udp));
  if (!payload) return 0;
  if (payload[0] & GH_QUIC_LONG) {
    *length = payload[GH_QUIC_LONG_ID - 1];
    return offset + GH_QUIC_LONG_ID + *length > parsed->ip_length ? 0 : payload + GH_QUIC_LONG_ID;
  }
  *length = parsed->ip_length - offset - GH_QUIC_SHORT_ID;
  return payload + GH_QUIC_SHORT_ID;
}

static inline void gh_load_block(struct gh_block *block, const __u8 *bytes) {
  __builtin_memcpy(&block->head, bytes, 8);
  __builtin_memcpy(&block->tail, bytes + 8, 8);
}

/* other ^= AES(half, zeros, length, pass), as much of it as the other half has. */
static inline void gh_quic_pass(const struct gh_aes *aes, const struct gh_quic *quic, const struct gh_block *half,
                                struct gh_block *other, const __u64 mask[2], __u64 pass) {
  struct gh_block block = *half;
  block.tail |= (__u64)quic->length << 48 | pass << 56;
  gh_aes_block(aes, quic, &block, 0);
  other->head ^= block.head & mask[0];
  other->tail ^= block.tail & mask[1];
}

/* Server id and nonce before encryption, as far as the server id reaches. Both halves are as in the draft: of an odd number of
 * bytes the middle one is shared, its first four bits the left half's. */
static inline void gh_quic_four_passes(const struct gh_aes *aes, const struct gh_quic *quic, struct gh_block *left,
                                       struct gh_block *right) {
  const __u32 shift = quic->right_offset * 8;
  __u64 pass;
  left->head &= quic->left_mask[0], left->tail &= quic->left_mask[1];
  right->head &= quic->right_mask[0], right->tail &= quic->right_mask[1];
  for (pass = 4; pass > 0; pass -= 2) {
    gh_quic_pass(aes, quic, right, left, quic->left_mask, pass);
    /* The last pass only matters to a server id that is longer than its nonce. */
    if (pass == 2 && 2 * quic->server_id_length <= quic->length) return;
    gh_quic_pass(aes, quic, left, right, quic->right_mask, pass - 1);
  }
  if (shift < 64) {
    left->head |= right->head << shift;
    left->tail |= right->tail << shift | right->head >> (64 - shift);
  } else {
    left->tail |= right->head << (shift & 63);
  }
}

/* Sixteen bytes that begin with the server id. Non-zero: the id is too short. */
static inline int gh_quic_decode(struct gh_tables *tables, const struct gh_packet *packet, const struct gh_quic *quic,
                                 const __u8 *id, __u32 length, struct gh_block *block) {
  const __u8 *right_bytes = id + 1 + (quic->right_offset & 15);
  const struct gh_aes *aes;
  struct gh_block right;
  if (length < 1u + quic->length || id + 1 + sizeof(*block) > packet->end) return -1;
  gh_load_block(block, id + 1);
  if (!quic->is_encrypted) return 0;
  aes = gh_get_aes(tables, quic->length == sizeof(*block) ? GH_AES_DECRYPT : GH_AES_ENCRYPT);
  if (!aes) return -1;
  if (quic->length == sizeof(*block)) {
    gh_aes_block(aes, quic, block, 1);
    return 0;
  }
  if (right_bytes + sizeof(right) > packet->end) return -1;
  gh_load_block(&right, right_bytes);
  gh_quic_four_passes(aes, quic, block, &right);
  return 0;
}

/* The server that the connection id names; 0: it is not routable. */
static inline __u16 gh_route_quic(struct gh_tables *tables, __u32 half, __u32 service, const struct gh_packet *packet,
                                  const struct gh_parsed *parsed) {
  __u32 length = 0;
  const __u8 *id = gh_quic_id(packet, parsed, &length);
  struct gh_vip entry;
  const struct gh_quic *quic;
  struct gh_address name;
  struct gh_block block;
  if (!id || id + 1 > packet->end) return 0;
  quic = gh_get_quic(tables, (half * GH_MAX_SERVICES + service) * GH_QUIC_CONFIGS + (id[0] >> 5));
  if (!quic || quic->length == 0 || gh_quic_decode(tables, packet, quic, id, length, &block)) return 0;
  name.high = block.head & quic->server_id_mask[0];
  name.low = block.tail & quic->server_id_mask[1];
  if (!gh_find_service_entry(tables, half, &name, gh_entry_key((__be16)service, GH_LINE_QUIC, GH_ENTRY_VIP), &entry)) return 0;
  return entry.vip;
}

static inline void gh_count_quic(struct gh_tables *tables, __u32 service, const struct gh_packet *packet,
                                 const struct gh_parsed *parsed, int is_routed) {
  const __u8 *payload = gh_udp_payload(packet, parsed, 1);
  const int is_long = payload && (payload[0] & GH_QUIC_LONG);
  gh_count_service(tables, service,
                   is_routed ? GH_COUNT_QUIC_ROUTED : is_long ? GH_COUNT_QUIC_FIRST : GH_COUNT_QUIC_UNKNOWN);
}
