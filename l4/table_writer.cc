#include "l4/table_writer.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "bpf/hash.h"
#include "bpf/wire.h"
#include "l4/user_tables.h"

namespace gatehouse::l4 {
namespace {

// What was written before becomes visible before `value` does.
template <typename T>
void publish(T& place, T value) {
  std::atomic_ref<T>(place).store(value, std::memory_order_release);
}

gh_vip_entry make_entry(const VipEntry& vip, std::uint16_t port, std::uint8_t protocol, gh_entry_kind kind) {
  gh_vip_entry entry{};
  entry.address = to_table_address(vip.address);
  entry.key = gh_entry_key(gh_be16(port), protocol, kind);
  entry.vip = vip.vip;
  entry.group = vip.group;
  entry.flags = vip.flags;
  entry.encapsulation = vip.encapsulation;
  entry.hash_fields = vip.hash_fields;
  entry.service = vip.service;
  return entry;
}

// The entries of all VIPs, of their addresses, and of those that get fragments: the first one of an address and protocol. An
// address has the policy of the first of its VIPs that is guarded: by it echo requests are judged.
std::vector<gh_vip_entry> make_entries(std::span<const VipEntry> vips) {
  std::vector<gh_vip_entry> entries;
  std::map<IpAddress, std::uint16_t> addresses;
  std::set<std::pair<IpAddress, std::uint8_t>> fragments;
  for (const VipEntry& vip : vips) {
    entries.push_back(make_entry(vip, vip.port, vip.protocol, GH_ENTRY_VIP));
    std::uint16_t& guarded = addresses[vip.address];
    if (guarded == 0 && (vip.flags & GH_VIP_GUARDED)) guarded = static_cast<std::uint16_t>(GH_VIP_GUARDED | (vip.flags & 0xff00));
    const bool takes_fragments = (vip.flags & GH_VIP_FRAGMENTS) != 0;
    if (takes_fragments && fragments.insert({vip.address, vip.protocol}).second) {
      entries.push_back(make_entry(vip, 0, vip.protocol, GH_ENTRY_FRAGMENTS));
    }
  }
  for (const auto& [address, flags] : addresses) {
    VipEntry any;
    any.address = address;
    any.flags = flags;
    entries.push_back(make_entry(any, 0, 0, GH_ENTRY_VIP));
  }
  return entries;
}

Status place_vips(std::span<const VipEntry> vips, std::span<gh_vip_line> half) {
  for (const gh_vip_entry& entry : make_entries(vips)) {
    if (gh_place(half.data(), entry) == 0) continue;
    return Error{"the VIP table has no room for " + std::to_string(vips.size()) + " VIPs, the limit is " +
                 std::to_string(GH_MAX_VIPS)};
  }
  return {};
}

}  // namespace

gh_source make_source(const IpAddress& address, const std::optional<IpPrefix>& prefix) {
  gh_source source{};
  source.address = to_table_address(prefix ? prefix->address : address);
  if (prefix) source.entropy = gh_host_bits(prefix->length);
  if (address.is_v4()) source.sum = gh_sum_v4(&source.address);
  return source;
}

TableWriter::TableWriter(DataPlane& plane) : plane_(plane) {}

void TableWriter::set_identity(const Identity& identity) {
  gh_identity next{};
  const __u64 secret[4] = {identity.key[0], identity.key[1], identity.key[2], identity.key[3]};
  gh_expand_key(secret, next.hash_key);
  next.gue_v4 = make_source(identity.source_v4);
  next.gue_v6 = make_source(identity.source_v6);
  next.ipip_v4 = make_source(identity.source_v4, identity.ipip_v4);
  next.ipip_v6 = make_source(identity.source_v6, identity.ipip_v6);
  next.mtu = identity.mtu > 0 ? identity.mtu : ~0u;
  if (identity.icmp_answers > 0) next.answer_interval = 1'000'000'000 / identity.icmp_answers;
  gh_state& state = *plane_.tables().state;
  if (std::memcmp(&next, gh_get_identity(&state), sizeof next) == 0) return;
  gh_switch_identity(&state, &next);
  plane_.wait_for_readers();
}

void TableWriter::set_node(std::uint16_t id, const IpAddress& address) {
  set_destination(id, to_table_address(address), address.is_v4() ? GH_FAMILY_V4 : GH_FAMILY_V6);
}

void TableWriter::remove_node(std::uint16_t id) { set_destination(id, gh_address{}, GH_FAMILY_NONE); }

void TableWriter::set_destination(std::uint16_t id, const gh_address& address, gh_family family) {
  gh_node& node = plane_.tables().nodes[id];
  const gh_destination& live = node.destinations[node.live & 1];
  const gh_destination& idle = node.destinations[1 - (node.live & 1)];
  if (live.address.high == address.high && live.address.low == address.low) return;
  if (live.family != GH_FAMILY_NONE || idle.family != GH_FAMILY_NONE) plane_.wait_for_readers();
  gh_switch_destination(&node, &address, family);
}

Status TableWriter::check_vips(std::span<const VipEntry> vips) {
  std::vector<gh_vip_line> half(GH_VIP_LINES);
  return place_vips(vips, half);
}

Status TableWriter::set_vips(std::span<const VipEntry> vips) {
  const Tables& tables = plane_.tables();
  const std::uint32_t idle = 1 - (tables.state->vip_half & 1);
  const auto half = tables.vip_lines.subspan(idle * GH_VIP_LINES, GH_VIP_LINES);
  std::uint8_t* filter = tables.state->filter + idle * GH_FILTER_BYTES;
  std::memset(half.data(), 0, half.size_bytes());
  if (const Status placed = place_vips(vips, half); !placed) return placed;
  std::memset(filter, 0, GH_FILTER_BYTES);
  for (const VipEntry& vip : vips) {
    const gh_address address = to_table_address(vip.address);
    filter[gh_filter_index(&address)] = 1;
  }
  publish(tables.state->vip_half, static_cast<__u32>(idle));
  plane_.wait_for_readers();
  return {};
}

std::size_t TableWriter::ring_areas() {
  const Tables& tables = plane_.tables();
  return tables.slots.size() / tables.state->slots;
}

std::optional<std::uint32_t> TableWriter::idle_area() {
  const Tables& tables = plane_.tables();
  std::vector<bool> is_live(ring_areas() + 1);
  for (const gh_group& group : tables.groups) {
    if (!gh_ring_is_set(group.ring)) continue;
    const std::size_t area = gh_ring_base(group.ring) / tables.state->slots;
    if (area < is_live.size()) is_live[area] = true;
  }
  for (std::uint32_t area = 0; area < ring_areas(); ++area) {
    if (!is_live[area]) return area * tables.state->slots;
  }
  return std::nullopt;
}

Status TableWriter::set_slots(std::uint16_t group, std::span<const SlotWord> words, std::uint16_t epoch) {
  const Tables& tables = plane_.tables();
  GH_CHECK(group < tables.groups.size());
  const std::uint64_t live = tables.groups[group].ring;
  GH_CHECK(gh_ring_is_set(live) || words.size() == tables.state->slots);
  const auto base = gh_ring_is_set(live) ? std::optional(gh_ring_base(live)) : idle_area();
  if (!base) return Error{"no room for one more ring of " + std::to_string(words.size()) + " slots"};
  for (const SlotWord& word : words) {
    std::uint64_t& slot = tables.slots[*base + word.slot];
    if (slot != word.word)
      publish(slot, word.word);  // a line that is not written to stays in the caches of all CPUs
  }
  publish(tables.groups[group].ring, gh_ring(*base, epoch));
  return {};
}

Status TableWriter::set_ring(std::uint16_t group, std::span<const std::uint64_t> ring, std::uint16_t epoch) {
  GH_CHECK(ring.size() == plane_.tables().state->slots);
  std::vector<SlotWord> words;
  words.reserve(ring.size());
  for (std::uint32_t slot = 0; slot < ring.size(); ++slot) words.push_back({slot, ring[slot]});
  return set_slots(group, words, epoch);
}

void TableWriter::remove_ring(std::uint16_t group) { publish(plane_.tables().groups[group].ring, __u64{0}); }

}  // namespace gatehouse::l4
