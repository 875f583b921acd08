#include "l4/user_tables.h"

#include <cstring>

#include "bpf/hooks.h"
#include "l4/quic_cid.h"
#include "l4/service_hooks.h"
#include "l4/user_hooks.h"

// The hooks of the packet core over l4::Tables.
static inline const gatehouse::l4::ServiceTables& gh_services_of(gh_tables* tables) { return tables->in.services; }

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
static inline int gh_owns_flow(gh_packet* packet, __u8*, __u8*, int) {
  return static_cast<gatehouse::l4::PacketBuffer*>(packet->context)->is_flow_here;
}

#include "l4/guard_hooks.h"

#include "bpf/decap.h"

namespace gatehouse::l4 {

struct MemoryPlane::Memory {
  Memory(const GuardSizes& guard_sizes, std::uint32_t tick_multiplier) : guard(guard_sizes, tick_multiplier) {}
  gh_state state{};
  std::vector<gh_vip_line> vip_lines = std::vector<gh_vip_line>(2 * GH_VIP_LINES);
  std::vector<gh_group> groups = std::vector<gh_group>(GH_MAX_GROUPS);
  std::vector<std::uint64_t> slots;
  std::vector<gh_node> nodes = std::vector<gh_node>(GH_MAX_NODES);
  std::vector<std::uint64_t> verdicts = std::vector<std::uint64_t>(GH_VERDICT_STRIDE);
  std::vector<gh_traffic> vip_traffic = std::vector<gh_traffic>(GH_MAX_VIPS);
  std::vector<gh_traffic> node_traffic = std::vector<gh_traffic>(GH_MAX_NODES);
  GuardMemory guard;
  std::vector<gh_service> services = std::vector<gh_service>(2 * GH_MAX_SERVICES);
  std::vector<gh_server> servers = std::vector<gh_server>(GH_MAX_NODES);
  std::vector<gh_vip_line> service_lines = std::vector<gh_vip_line>(2 * GH_VIP_LINES);
  std::vector<gh_vip_place> vip_places = std::vector<gh_vip_place>(2 * GH_MAX_VIPS);
  std::vector<gh_quic> quic = std::vector<gh_quic>(2 * GH_MAX_SERVICES * GH_QUIC_CONFIGS);
  std::vector<gh_aes> aes = std::vector<gh_aes>(GH_AES_DIRECTIONS);
  std::vector<gh_flow_line> flow_lines;
  std::vector<gh_service_counts> service_counts = std::vector<gh_service_counts>(GH_MAX_SERVICES);
};

MemoryPlane::MemoryPlane(std::uint32_t ring_slots, std::uint32_t ring_areas, std::uint32_t flow_lines, const GuardSizes& guard_sizes)
    : memory_(std::make_unique<Memory>(guard_sizes, tick_multiplier())) {
  memory_->state.slots = ring_slots;
  memory_->slots.resize(std::size_t{ring_slots} * ring_areas);
  tables_ = {&memory_->state, memory_->vip_lines, memory_->groups, memory_->slots,
             memory_->nodes,  memory_->verdicts,  memory_->vip_traffic, memory_->node_traffic, {}, {}};
  tables_.guard = memory_->guard.tables();
  memory_->flow_lines.resize(flow_lines);
  fill_aes_tables(memory_->aes);
  tables_.services = {memory_->services, memory_->servers,    memory_->service_lines, memory_->vip_places, memory_->quic,
                      memory_->aes,      memory_->flow_lines, memory_->service_counts};
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

std::optional<gh_vip_entry> find_vip_entry(Tables& tables, const Endpoint& vip, std::uint8_t protocol) {
  gh_tables hooks{tables};
  const gh_address address = to_table_address(vip.address);
  const gh_vip_entry* entry = gh_find_vip(&hooks, tables.state, &address, gh_be16(vip.port), protocol);
  return entry ? std::optional(*entry) : std::nullopt;
}

namespace {

// As gh_recall_flow() for a packet that opens nothing, but without a trace.
std::uint16_t recall(gh_tables& hooks, const gh_vip_entry& entry, const gh_parsed& parsed) {
  const gh_state& state = *hooks.in.state;
  const gh_service* service =
      gh_get_service(&hooks, (state.services & GH_SERVICES_HALF) * GH_MAX_SERVICES + entry.service % GH_MAX_SERVICES);
  if (!(entry.flags & GH_VIP_SERVICE) || !service || !service->has_flow_cache) return 0;
  gh_flow flow;
  __u64 word = 0;
  gh_describe_flow(&flow, &hooks, service, &entry, gh_hash_of(&state, &entry, &parsed), parsed.protocol, 0);
  if (!flow.line || !gh_find_flow(flow.line, flow.tag, &word)) return 0;
  if (gh_is_flow_over(word, flow.now, flow.idle)) return 0;
  const auto server = static_cast<std::uint16_t>(word & GH_FLOW_SERVER);
  return gh_is_usable(&hooks, entry.service, server) ? server : 0;
}

}  // namespace

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
  if (const std::uint16_t server = recall(hooks, *entry, parsed)) {
    explanation.is_remembered = true;
    routed.slot = gh_slot(server, 0, 0, 0);
  }
  for (int place = 0; place < GH_HOPS; ++place) {
    if (const std::uint16_t node = gh_slot_hop(routed.slot, place)) explanation.hops.push_back(node);
  }
  return explanation;
}

}  // namespace gatehouse::l4
