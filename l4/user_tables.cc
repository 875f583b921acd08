#include "l4/user_tables.h"

#include <chrono>
#include <cstring>

#include "bpf/hooks.h"
#include "l4/quic_cid.h"
#include "l4/service_hooks.h"
#include "l4/user_hooks.h"

// The hooks of the packet core over l4::Tables.
static inline const gatehouse::l4::ServiceTables& gh_services_of(gh_tables* tables) { return tables->in.services; }
static inline std::uint32_t gh_cpu_of(gh_tables* tables) { return tables->cpu; }

static inline const gh_state* gh_get_state(gh_tables* tables) { return tables->in.state; }
static inline const __u64* gh_get_slot(gh_tables* tables, __u32 index) {
  return reinterpret_cast<const __u64*>(at(tables->in.slots, index));
}
static inline gh_cpu* gh_get_cpu(gh_tables* tables) { return at(tables->in.cpus, tables->cpu); }
static inline void gh_count_verdict(gh_tables* tables, gh_verdict verdict) {
  if (gh_cpu* cpu = gh_get_cpu(tables)) ++cpu->counts.verdicts[verdict];
}
static inline __u64 gh_now() {
  return static_cast<__u64>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

static inline gh_packet gh_packet_of(void* context) {
  auto& buffer = *static_cast<gatehouse::l4::PacketBuffer*>(context);
  std::uint8_t* start = buffer.memory.data() + buffer.start;
  return {start, start + buffer.length, context};
}

template <typename T>
static inline T load(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
static inline __u16 gh_load16(const void* from) { return load<__u16>(from); }
static inline __u32 gh_load32(const void* from) { return load<__u32>(from); }
static inline __u64 gh_load64(const void* from) { return load<__u64>(from); }
static inline void gh_store16(void* to, __u16 value) { std::memcpy(to, &value, sizeof value); }
static inline void gh_store32(void* to, __u32 value) { std::memcpy(to, &value, sizeof value); }
static inline void gh_store64(void* to, __u64 value) { std::memcpy(to, &value, sizeof value); }

static inline __u32 gh_sum_words(const __u8* from, __u32 length) {
  __u64 sum = 0;
  for (__u32 offset = 0; offset < length; offset += 4) sum += gh_load32(from + offset);
  while (sum >> 32) sum = (sum & 0xffffffff) + (sum >> 32);
  return static_cast<__u32>(sum);
}
static inline int gh_read(const gh_packet* packet, __u64 offset, void* to, __u32 length) {
  if (offset + length > static_cast<__u64>(packet->end - packet->start)) return -1;
  std::memcpy(to, packet->start + offset, length);
  return 0;
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
static inline int gh_cut(gh_packet* packet, __u32 length) {
  auto* buffer = static_cast<gatehouse::l4::PacketBuffer*>(packet->context);
  if (length > buffer->length) return -1;
  buffer->length = length;
  packet->end = packet->start + length;
  return 0;
}
GH_NOINLINE int gh_owns(gh_packet* packet, const gh_connection*, __u64, __u64) {
  return static_cast<gatehouse::l4::PacketBuffer*>(packet->context)->is_flow_here;
}

#include "l4/guard_hooks.h"

#include "bpf/decap.h"

static inline gh_verdict gh_judge_apart(gh_tables* tables, void* context, gh_parsed* parsed) {
  gh_packet packet = gh_packet_of(context);
  return gh_judge(tables, &packet, parsed);
}
static inline void gh_name_server_apart(gh_tables* tables, void* context, gh_parsed* parsed, __u32 service) {
  gh_packet packet = gh_packet_of(context);
  gh_name_server(tables, &packet, parsed, service);
}
static inline gh_verdict gh_admit_apart(gh_tables* tables, void* context, const gh_parsed* parsed, gh_vip* vip) {
  gh_packet packet = gh_packet_of(context);
  return gh_admit(tables, &packet, parsed, vip);
}
static inline gh_verdict gh_forward_apart(gh_tables* tables, void* context, const gh_parsed* parsed, const gh_vip* vip) {
  gh_packet packet = gh_packet_of(context);
  return gh_forward(tables, &packet, parsed, vip);
}

namespace gatehouse::l4 {

struct MemoryPlane::Memory {
  Memory(const GuardSizes& guard_sizes, std::uint32_t tick_multiplier) : guard(state.guard, guard_sizes, tick_multiplier) {}
  gh_state state{};
  gh_cpu cpu{};
  std::vector<std::uint64_t> slots;
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
  tables_.set_state(&memory_->state);
  tables_.slots = memory_->slots;
  tables_.cpus = {&memory_->cpu, 1};
  tables_.guard = memory_->guard.tables();
  memory_->flow_lines.resize(flow_lines);
  fill_aes_tables(memory_->aes);
  tables_.services = {memory_->services, memory_->servers,    memory_->service_lines, memory_->vip_places, memory_->quic,
                      memory_->aes,      memory_->flow_lines, memory_->service_counts};
}

MemoryPlane::~MemoryPlane() = default;

gh_verdict balance_on(std::uint32_t cpu, Tables& tables, PacketBuffer& buffer) {
  gh_tables hooks{tables, cpu};
  gh_packet packet = gh_packet_of(&buffer);
  return gh_balance(&hooks, &packet);
}

gh_verdict balance(Tables& tables, PacketBuffer& buffer) { return balance_on(0, tables, buffer); }

gh_action action_of(gh_verdict verdict) { return gh_action_of(verdict); }

gh_verdict decapsulate(Tables& tables, PacketBuffer& buffer) {
  gh_tables hooks{tables};
  gh_packet packet = gh_packet_of(&buffer);
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
  if (!gh_is_concerned(tables.guard, &wide, is_v4)) return 0;
  return gh_find_lists(&hooks, &wide, is_v4, wanted);
}

std::optional<gh_vip> find_vip(const Tables& tables, const Endpoint& vip, std::uint8_t protocol) {
  const gh_address address = to_table_address(vip.address);
  gh_vip found{};
  return gh_find_vip(tables.state, &address, gh_be16(vip.port), protocol, &found) ? std::optional(found) : std::nullopt;
}

std::optional<gh_vip> find_exact_vip(const Tables& tables, const Endpoint& vip, std::uint8_t protocol) {
  const gh_address address = to_table_address(vip.address);
  const __u32 key = gh_entry_key(gh_be16(vip.port), protocol, GH_ENTRY_VIP);
  gh_vip found{};
  return gh_find_entry(tables.state, &address, key, &found) ? std::optional(found) : std::nullopt;
}

std::set<std::uint16_t> numbers_in_table(const Tables& tables) {
  std::set<std::uint16_t> numbers;
  for (const gh_vip_line& line : tables.vip_lines.subspan((tables.state->vip_half & 1) * GH_VIP_LINES, GH_VIP_LINES)) {
    for (const gh_vip_entry& entry : line.entry) {
      if (entry.is_used) numbers.insert(entry.vip);
    }
  }
  return numbers;
}

namespace {

// As gh_recall_flow() for a packet that opens nothing, but without a trace.
std::uint16_t recall(gh_tables& hooks, const gh_vip& entry, const gh_parsed& parsed) {
  const gh_state& state = *hooks.in.state;
  const gh_service* service =
      gh_get_service(&hooks, (state.services & GH_SERVICES_HALF) * GH_MAX_SERVICES + entry.service % GH_MAX_SERVICES);
  if (!(entry.flags & GH_VIP_SERVICE) || !service || !service->has_flow_cache) return 0;
  gh_flow flow;
  __u64 word = 0;
  gh_describe_flow(&flow, &hooks, service, &entry, gh_hash_of(gh_get_identity(&state), &entry, &parsed), parsed.protocol, 0);
  if (!flow.line || !gh_find_flow(flow.line, flow.tag, &word)) return 0;
  if (gh_is_flow_over(word, flow.now, flow.idle)) return 0;
  const auto server = static_cast<std::uint16_t>(word & GH_FLOW_SERVER);
  return gh_is_usable(&hooks, entry.service, server) ? server : 0;
}

// As gh_guard() for a packet that is sound in itself. No limit is charged.
void explain_guard(gh_tables& hooks, const gh_vip& entry, const gh_parsed& parsed, Explanation& explanation) {
  if (!(entry.flags & GH_VIP_GUARDED)) return;
  const struct gh_guard& guard = hooks.in.state->guard;
  const gh_policy& policy = guard.policies[gh_within(gh_policy_number(entry.flags), GH_MAX_POLICIES)];
  const gh_wide source = gh_widen(&parsed.source);
  int is_exempt = 0;
  if (!parsed.is_v4 && gh_is_bogus_v6(&source)) {
    explanation.guard = GH_GUARD_SOURCE;
    return;
  }
  explanation.guard = gh_find_bogus(&parsed, nullptr);
  if (explanation.guard != GH_UNDECIDED) return;
  explanation.guard = gh_judge_source(&hooks, &guard, &policy, &source, parsed.is_v4, &is_exempt);
  explanation.is_limited = !is_exempt && (policy.packets.cost || policy.syns.cost);
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
  parsed.is_v4 = source.address.is_v4() ? 1 : 0;
  gh_vip entry{};
  if (!gh_find_vip(tables.state, &parsed.destination, parsed.destination_port, protocol, &entry)) return std::nullopt;
  Explanation explanation{entry.vip, entry.group, false, 0, 0, {}};
  gh_routed routed{};
  const bool is_routed = gh_route(&hooks, tables.state, gh_get_identity(tables.state), &entry, &parsed, &routed) == 0;
  explanation.has_ring = is_routed && gh_slot_hop(routed.slot, 0) != 0;
  explanation.slot = routed.slot_index;
  explain_guard(hooks, entry, parsed, explanation);
  explanation.epoch = routed.epoch;
  if (const std::uint16_t server = recall(hooks, entry, parsed)) {
    explanation.is_remembered = true;
    routed.slot = gh_slot(server, 0, 0, 0);
  }
  for (int place = 0; place < GH_HOPS; ++place) {
    if (const std::uint16_t node = gh_slot_hop(routed.slot, place)) explanation.hops.push_back(node);
  }
  return explanation;
}

}  // namespace gatehouse::l4
