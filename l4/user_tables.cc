#include "l4/user_tables.h"

#include <cstring>

#include "l4/user_hooks.h"

// The hooks of the packet core over l4::Tables.
static inline const gh_state* gh_get_state(gh_tables* tables) { return tables->in.state; }
static inline const gh_vip_line* gh_get_vip_line(gh_tables* tables, __u32 index) { return at(tables->in.vip_lines, index); }
static inline const gh_group* gh_get_group(gh_tables* tables, __u32 index) { return at(tables->in.groups, index); }
static inline const __u64* gh_get_slot(gh_tables* tables, __u32 index) {
  return reinterpret_cast<const __u64*>(at(tables->in.slots, index));
}
static inline const gh_node* gh_get_node(gh_tables* tables, __u32 id) { return at(tables->in.nodes, id); }
static inline void gh_count_verdict(gh_tables* tables, gh_verdict verdict) {
  if (auto* count = at(tables->in.verdicts, verdict)) ++*count;
}
static inline void count_traffic(std::span<gh_traffic> table, std::size_t index, __u32 bytes) {
  if (auto* traffic = at(table, index)) {
    ++traffic->packets;
    traffic->bytes += bytes;
  }
}
static inline void gh_count_vip(gh_tables* tables, __u32 vip, __u32 bytes) {
  count_traffic(tables->in.vip_traffic, vip, bytes);
}
static inline void gh_count_node(gh_tables* tables, __u32 id, __u32 bytes) {
  count_traffic(tables->in.node_traffic, id, bytes);
}
static inline int gh_move_start(gh_packet* packet, int bytes) {
  auto* buffer = static_cast<gatehouse::l4::PacketBuffer*>(packet->context);
  const std::ptrdiff_t start = static_cast<std::ptrdiff_t>(buffer->start) + bytes;
  const std::ptrdiff_t end = static_cast<std::ptrdiff_t>(buffer->start + buffer->length);
  constexpr std::ptrdiff_t kSmallestFrame = 14;  // as bpf_xdp_adjust_head demands
  if (start < 0 || start > end - kSmallestFrame) return -1;
  buffer->start = static_cast<std::size_t>(start);
  buffer->length = static_cast<std::size_t>(end - start);
  packet->start = buffer->memory.data() + buffer->start;
  return 0;
}
static inline int gh_owns_flow(gh_packet*, __u8*, __u8*, int) { return 0; }

#include "l4/guard_hooks.h"

#include "bpf/decap.h"

namespace gatehouse::l4 {

struct MemoryPlane::Memory {
  explicit Memory(const GuardSizes& guard_sizes) : guard(guard_sizes) {}
  gh_state state{};
  std::vector<gh_vip_line> vip_lines = std::vector<gh_vip_line>(2 * GH_VIP_LINES);
  std::vector<gh_group> groups = std::vector<gh_group>(GH_MAX_GROUPS);
  std::vector<std::uint64_t> slots;
  std::vector<gh_node> nodes = std::vector<gh_node>(GH_MAX_NODES);
  std::vector<std::uint64_t> verdicts = std::vector<std::uint64_t>(GH_VERDICT_STRIDE);
  std::vector<gh_traffic> vip_traffic = std::vector<gh_traffic>(GH_MAX_VIPS);
  std::vector<gh_traffic> node_traffic = std::vector<gh_traffic>(GH_MAX_NODES);
  GuardMemory guard;
};

MemoryPlane::MemoryPlane(std::uint32_t ring_slots, std::uint32_t ring_areas, const GuardSizes& guard_sizes)
    : memory_(std::make_unique<Memory>(guard_sizes)) {
  memory_->state.slots = ring_slots;
  memory_->slots.resize(std::size_t{ring_slots} * ring_areas);
  tables_ = {&memory_->state, memory_->vip_lines, memory_->groups, memory_->slots,
             memory_->nodes,  memory_->verdicts,  memory_->vip_traffic, memory_->node_traffic, memory_->guard.tables()};
}

MemoryPlane::~MemoryPlane() = default;

namespace {

gh_packet view(PacketBuffer& buffer) {
  std::uint8_t* start = buffer.memory.data() + buffer.start;
  return {start, start + buffer.length, &buffer};
}

}  // namespace

gh_verdict balance(Tables& tables, PacketBuffer& buffer) {
  gh_tables hooks{tables};
  gh_packet packet = view(buffer);
  return gh_balance(&hooks, &packet);
}

gh_verdict decapsulate(Tables& tables, PacketBuffer& buffer) {
  gh_tables hooks{tables};
  gh_packet packet = view(buffer);
  return gh_decapsulate(&hooks, &packet);
}

gh_address to_table_address(const IpAddress& address) {
  gh_address table;
  std::memcpy(&table, address.bytes.data(), sizeof table);
  return table;
}

IpAddress from_table_address(const gh_address& table) {
  IpAddress address;
  std::memcpy(address.bytes.data(), &table, sizeof table);
  return address;
}

std::uint32_t find_prefix_lists(const GuardTables& tables, const IpAddress& source, std::uint32_t wanted) {
  Tables own;
  own.guard = tables;
  gh_tables hooks{own};
  const gh_address address = to_table_address(source);
  const gh_wide wide = gh_widen(&address);
  const bool is_v4 = source.is_v4();
  if (!gh_is_concerned(&hooks, &wide, is_v4)) return 0;
  return gh_find_lists(&hooks, &wide, is_v4, wanted);
}

std::optional<Explanation> explain_packet(Tables& tables, const Endpoint& source, const Endpoint& vip,
                                          std::uint8_t protocol) {
  gh_tables hooks{tables};
  gh_parsed parsed{};
  parsed.source = to_table_address(source.address);
  parsed.destination = to_table_address(vip.address);
  parsed.source_port = gh_be16(source.port);
  parsed.destination_port = gh_be16(vip.port);
  parsed.protocol = protocol;
  const gh_vip_entry* entry =
      gh_find_vip(&hooks, tables.state, &parsed.destination, parsed.destination_port, protocol);
  if (!entry) return std::nullopt;
  Explanation explanation{entry->vip, entry->group, false, 0, 0, {}};
  gh_routed routed{};
  explanation.has_ring = gh_route(&hooks, tables.state, entry, &parsed, &routed) == 0;
  explanation.slot = routed.slot_index;
  explanation.epoch = routed.epoch;
  for (int place = 0; place < GH_HOPS; ++place) {
    if (const std::uint16_t node = gh_slot_hop(routed.slot, place)) explanation.hops.push_back(node);
  }
  return explanation;
}

}  // namespace gatehouse::l4
