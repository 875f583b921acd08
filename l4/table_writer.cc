#include "l4/table_writer.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>

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

bool is_zero(const gh_address& address) { return (address.high | address.low) == 0; }

gh_vip_entry make_entry(const VipEntry& vip, std::uint16_t port, std::uint8_t protocol) {
  gh_vip_entry entry{};
  entry.address = to_table_address(vip.address);
  entry.port = gh_be16(port);
  entry.protocol = protocol;
  entry.is_used = 1;
  entry.vip = vip.vip;
  entry.group = vip.group;
  entry.flags = vip.flags;
  entry.encapsulation = vip.encapsulation;
  entry.hash_fields = vip.hash_fields;
  entry.service = vip.service;
  return entry;
}

Status place_vips(std::span<const VipEntry> vips, std::span<gh_vip_line> half) {
  std::set<IpAddress> addresses;
  for (const VipEntry& vip : vips) {
    bool is_placed = gh_place(half.data(), make_entry(vip, vip.port, vip.protocol)) == 0;
    if (addresses.insert(vip.address).second)
      is_placed = is_placed && gh_place(half.data(), make_entry(vip, 0, 0)) == 0;
    if (!is_placed) return Error{"the VIP table is full at " + std::to_string(vips.size()) + " VIPs"};
  }
  return {};
}

}  // namespace

TableWriter::TableWriter(DataPlane& plane) : plane_(plane) {}

void TableWriter::set_identity(const IpAddress& source_v4, const IpAddress& source_v6,
                               std::span<const std::uint64_t, 4> key, std::uint32_t mtu) {
  gh_state& state = *plane_.tables().state;
  state.source_v4 = to_table_address(source_v4);
  state.source_v6 = to_table_address(source_v6);
  std::copy(key.begin(), key.end(), state.hash_key);
  state.mtu = mtu;
}

void TableWriter::set_node(std::uint16_t id, const IpAddress& address) {
  set_destination(id, to_table_address(address), address.is_v4());
}

void TableWriter::remove_node(std::uint16_t id) { set_destination(id, gh_address{}, false); }

void TableWriter::set_destination(std::uint16_t id, const gh_address& address, bool is_v4) {
  gh_node& node = plane_.tables().nodes[id];
  const gh_address& live = node.destinations[node.live & 1].address;
  const gh_address& idle = node.destinations[1 - (node.live & 1)].address;
  if (live.high == address.high && live.low == address.low) return;
  if (!is_zero(live) || !is_zero(idle)) plane_.wait_for_readers();
  gh_switch_destination(&node, &address, is_v4 ? 1 : 0);
}

Status TableWriter::check_vips(std::span<const VipEntry> vips) {
  std::vector<gh_vip_line> half(GH_VIP_LINES);
  return place_vips(vips, half);
}

Status TableWriter::set_vips(std::span<const VipEntry> vips) {
  const Tables& tables = plane_.tables();
  const std::uint32_t idle = 1 - (tables.state->vip_half & 1);
  const auto half = tables.vip_lines.subspan(idle * GH_VIP_LINES, GH_VIP_LINES);
  std::memset(half.data(), 0, half.size_bytes());
  if (const Status placed = place_vips(vips, half); !placed) return placed;
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
