// Writes a data plane's tables so that no packet sees half of a change (the switching rules are in
// bpf/abi.h). One writer per plane; not thread-safe; works the same over BPF maps and plain memory. It keeps
// no state: which half and which ring areas are live stands in the tables, so that an adopted plane needs
// nothing special.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/address.h"
#include "common/result.h"
#include "l4/data_plane.h"
#include "l4/ring_compiler.h"

namespace gatehouse::l4 {

struct VipEntry {
  IpAddress address;
  std::uint16_t port = 0;
  std::uint8_t protocol = 0;  // IPPROTO_TCP or IPPROTO_UDP
  std::uint16_t vip = 0;      // number, < GH_MAX_VIPS
  std::uint16_t group = 0;    // < GH_MAX_GROUPS
  std::uint16_t flags = 0;    // gh_vip_flags, and the number of a policy: write_policies()
  std::uint8_t encapsulation = 0;
  std::uint8_t hash_fields = 0;
  std::uint32_t service = 0;
  bool operator==(const VipEntry&) const = default;
};

class TableWriter {
 public:
  explicit TableWriter(DataPlane& plane);

  // `key` comes from the site secret; every L4 host of a site must use the same.
  void set_identity(const IpAddress& source_v4, const IpAddress& source_v6,
                    std::span<const std::uint64_t, 4> key, std::uint32_t mtu);
  // Also changes the address of a known node: each packet goes to the old one or the new one and none is
  // lost, because the new one is written to the node's idle destination and switched to. To know that it is
  // idle a change of a node waits for a grace period first; the first address of a node and one that it has
  // already cost nothing.
  void set_node(std::uint16_t id, const IpAddress& address);
  void remove_node(std::uint16_t id);  // only when no ring names it any more
  // Replaces the whole VIP table at one stroke. Fails, changing nothing, when the table is too full.
  Status set_vips(std::span<const VipEntry> vips);
  static Status check_vips(std::span<const VipEntry> vips);  // whether it would
  // Changes slots of the ring of `group` where it is, each by one store: a packet looks at one slot. The
  // first time all slots must be given: they go to an idle area, which is switched to at one stroke.
  Status set_slots(std::uint16_t group, std::span<const SlotWord> words, std::uint16_t epoch);
  Status set_ring(std::uint16_t group, std::span<const std::uint64_t> ring, std::uint16_t epoch);
  void remove_ring(std::uint16_t group);  // only when no VIP has named it for a grace period
  std::size_t ring_areas();               // rings that there is room for

 private:
  void set_destination(std::uint16_t id, const gh_address& address, bool is_v4);
  std::optional<std::uint32_t> idle_area();

  DataPlane& plane_;
};

}  // namespace gatehouse::l4
