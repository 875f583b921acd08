#include "l4/table_writer.h"

#include <algorithm>
#include <atomic>
#include <cstring>

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
  return entry;
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

Status TableWriter::set_vips(std::span<const VipEntry> vips) {
  const Tables& tables = plane_.tables();
  const std::uint32_t idle = 1 - (tables.state->vip_half & 1);
  const auto half = tables.vip_lines.subspan(idle * GH_VIP_LINES, GH_VIP_LINES);
  std::memset(half.data(), 0, half.size_bytes());
  std::vector<IpAddress> addresses;
  for (const VipEntry& vip : vips) {
    bool is_placed = gh_place(half.data(), make_entry(vip, vip.port, vip.protocol)) == 0;
    if (std::find(addresses.begin(), addresses.end(), vip.address) == addresses.end()) {
      addresses.push_back(vip.address);
      is_placed = is_placed && gh_place(half.data(), make_entry(vip, 0, 0)) == 0;
    }
    if (!is_placed) return Error{"the VIP table is full at " + std::to_string(vips.size()) + " VIPs"};
  }
  publish(tables.state->vip_half, static_cast<__u32>(idle));
  plane_.wait_for_readers();
  return {};
}

Status TableWriter::set_ring(std::uint16_t group, std::span<const std::uint64_t> ring, std::uint16_t epoch) {
  const Tables& tables = plane_.tables();
  GH_CHECK(ring.size() == tables.state->slots && group < tables.groups.size());
  const auto is_live = [&tables](std::uint32_t base) {
    return std::any_of(tables.groups.begin(), tables.groups.end(), [base](const gh_group& other) {
      return gh_ring_is_set(other.ring) && gh_ring_base(other.ring) == base;
    });
  };
  for (std::uint32_t base = 0; base + ring.size() <= tables.slots.size(); base += static_cast<std::uint32_t>(ring.size())) {
    if (is_live(base)) continue;
    std::copy(ring.begin(), ring.end(), tables.slots.begin() + base);
    publish(tables.groups[group].ring, gh_ring(base, epoch));
    plane_.wait_for_readers();
    return {};
  }
  return Error{"no room for one more ring of " + std::to_string(ring.size()) + " slots"};
}

}  // namespace gatehouse::l4
