/* What the packet core asks of its surroundings. An adapter (XDP: maps.h, user space: l4/user_tables.cc) defines these
 * as static inline functions in the translation unit that includes the core; there is no other seam.
 *
 * gh_tables is the adapter's own: a null pointer under XDP, where the tables are maps, a struct of pointers elsewhere.
 * Every table function returns NULL for an index outside the table. */
#pragma once

#include "bpf/abi_service.h"
#include "bpf/wire.h"

struct gh_tables;

/* The packet being handled: all that is readable, Ethernet header first. `context` is the adapter's own. */
struct gh_packet {
  __u8 *start;
  __u8 *end;
  void *context;
};

/* The packet of `context` as it is now. */
static inline struct gh_packet gh_packet_of(void *context);

/* Words at any address: memcpy where misaligned pointers are undefined, plain loads and stores for the BPF compiler, which
 * would make bytes of a memcpy. */
static inline __u16 gh_load16(const void *from);
static inline __u32 gh_load32(const void *from);
static inline __u64 gh_load64(const void *from);
static inline void gh_store16(void *to, __u16 value);
static inline void gh_store32(void *to, __u32 value);
static inline void gh_store64(void *to, __u64 value);

static inline const struct gh_state *gh_get_state(struct gh_tables *tables);
static inline const __u64 *gh_get_slot(struct gh_tables *tables, __u32 index);

/* Of services (abi_service.h, service.h). */
static inline const struct gh_service *gh_get_service(struct gh_tables *tables, __u32 index);
static inline const struct gh_server *gh_get_server(struct gh_tables *tables, __u32 id);
static inline const struct gh_vip_line *gh_get_service_line(struct gh_tables *tables, __u32 index);
static inline const struct gh_vip_place *gh_get_vip_place(struct gh_tables *tables, __u32 index);
static inline const struct gh_quic *gh_get_quic(struct gh_tables *tables, __u32 index);
static inline const struct gh_aes *gh_get_aes(struct gh_tables *tables, __u32 direction);
static inline struct gh_flow_line *gh_get_flow_line(struct gh_tables *tables, __u32 index);
static inline __u64 gh_get_ticks(struct gh_tables *tables); /* a clock that costs nothing to read */
static inline void gh_count_service(struct gh_tables *tables, __u32 service, enum gh_service_count count);

/* Of protection (abi_guard.h, guard.h). */
static inline const struct gh_prefix_line *gh_get_prefix_line(struct gh_tables *tables, __u32 index);
static inline const __u64 *gh_get_v4_lengths(struct gh_tables *tables, __u32 index);
static inline struct gh_sketch_line *gh_get_sketch_line(struct gh_tables *tables, __u32 index); /* of this CPU */
static inline struct gh_bucket_line *gh_get_bucket_line(struct gh_tables *tables, __u32 index);
static inline __u32 gh_find_rule(struct gh_tables *tables, __u64 high, __u64 low, __u64 length); /* gh_probe_rule() */
static inline __u32 gh_find_lists(struct gh_tables *tables, const struct gh_wide *address, int is_v4,
                                  __u32 wanted); /* gh_search_rules() */
static inline __u32 gh_take(struct gh_tables *tables, __u64 hash, const struct gh_rate *rate, __u64 now); /* gh_charge() */

/* On a node, of SYN cookies (syn_cookie.h). `ip`: the SYN's IP header, without options; `header`: a copy of its TCP header, of `length`
 * bytes. The cookie, or a negative number when there is none to be had. */
struct gh_connection;
struct gh_handshake;
static inline struct gh_cookies *gh_get_cookies(struct gh_tables *tables);
static inline struct gh_handshake *gh_get_handshake(struct gh_tables *tables); /* memory of this CPU */
static inline __s64 gh_make_cookie(struct gh_packet *packet, const struct gh_connection *connection, __u8 *ip, __u8 *header,
                                   __u32 length);
static inline __u32 gh_get_tcp_clock(void); /* ms, as the kernel's own TCP timestamps count */

/* Calls step(0, context) and so on, at most `count` times, until one returns non-zero. A loop that the verifier need not follow. */
static inline void gh_repeat(__u32 count, long (*step)(__u32, void *), void *context);

/* Counters of this CPU. */
static inline void gh_count_verdict(struct gh_tables *tables, enum gh_verdict verdict);
static inline struct gh_cpu *gh_get_cpu(struct gh_tables *tables);

/* ns of a clock that never goes back; some milliseconds behind are allowed, and it is not 0. Only asked for rare packets. */
static inline __u64 gh_now(void);

/* Copies `length` bytes from `offset` on to `to`; non-zero when they are not all there. For what stands at an offset that only
 * the packet knows: a pointer there costs the verifier more than a call costs the few packets that need it. */
static inline int gh_read(const struct gh_packet *packet, __u64 offset, void *to, __u32 length);

/* The sum of `length` bytes as 16-bit words of memory (RFC 1071), not folded further than to 32 bits. `length`, a multiple of
 * four, is known to the compiler, and the bytes to be readable. */
static inline __u32 gh_sum_words(const __u8 *from, __u32 length);

/* Moves the start of the packet by `bytes` (negative: room before it) and sets start and end anew; what was derived from
 * them is void. Returns 0, or non-zero when the driver left no such room, the packet then being unchanged. */
static inline int gh_move_start(struct gh_packet *packet, int bytes);
/* Takes what is behind the first `length` bytes off the packet's end; otherwise the same. */
static inline int gh_cut(struct gh_packet *packet, __u32 length);

/* The three parts of the long way (forward.h), and what may come between. Each is a function that the verifier reads by itself, whatever
 * came before: what depends on the adapter is only how it is called. */
struct gh_parsed;
static inline enum gh_verdict gh_judge_apart(struct gh_tables *tables, void *context, struct gh_parsed *parsed);
static inline enum gh_verdict gh_admit_apart(struct gh_tables *tables, void *context, const struct gh_parsed *parsed,
                                             struct gh_vip *vip);
static inline void gh_name_server_apart(struct gh_tables *tables, void *context, struct gh_parsed *parsed, __u32 service);
static inline enum gh_verdict gh_forward_apart(struct gh_tables *tables, void *context, const struct gh_parsed *parsed,
                                               const struct gh_vip *vip);

/* A TCP connection as the node's kernel knows it: from the client's point of view. */
struct gh_connection {
  struct gh_address source;
  struct gh_address destination;
  __be16 source_port;
  __be16 destination_port;
  __u8 is_v4;
};

/* On a node: does the kernel know the connection? A segment of it has its headers at these offsets; with 0 it is only spoken of. */
GH_NOINLINE int gh_owns(struct gh_packet *packet, const struct gh_connection *connection, __u64 ip_offset, __u64 tcp_offset);
