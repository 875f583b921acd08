// Writes a data plane's tables so that no packet sees half of a change (the switching rules are in
// bpf/abi.h). One writer per plane; not thread-safe; works the same over BPF maps and plain memory. It keeps
// no state: which half and which ring areas are live stands in the tables, so that an adopted plane needs
// nothing special.
#pragma once

#include <array>
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
  std::uint16_t port = 0;     // 0: any that no other VIP of the address has
  std::uint8_t protocol = 0;  // IPPROTO_TCP or IPPROTO_UDP
  std::uint16_t vip = 0;      // number, < GH_MAX_VIPS
  std::uint16_t group = 0;    // < GH_MAX_GROUPS
  std::uint16_t flags = 0;    // enum gh_vip_flags, and the number of a policy: write_policies()
  std::uint8_t encapsulation = GH_ENCAPSULATE_GUE_HOPS;
  std::uint8_t hash_fields = GH_HASH_FLOW;
  std::uint32_t service = 0;
  bool operator==(const VipEntry&) const = default;
};

// What the plane says of itself in every packet.
struct Identity {
  IpAddress source_v4;  // outer sources; unspecified: no node of that family
  IpAddress source_v6;
  std::array<std::uint64_t, 4> key{};  // from the site secret: the same on every L4 host of a site
  std::uint32_t mtu = 0;               // 0: no limit
  std::optional<IpPrefix> ipip_v4;     // outer sources of IPIP, filled up by the flow's hash; none: as above
  std::optional<IpPrefix> ipip_v6;     // /64 or longer
  std::uint32_t icmp_answers = 0;      // per second and CPU
};

class TableWriter {
 public:
  explicit TableWriter(DataPlane& plane);

  // Waits for a grace period when something changes.
  void set_identity(const Identity& identity);
  // Also changes the address of a known node: each packet goes to the old one or the new one and none is lost, because the
  // new one is written to the node's idle destination and switched to. To know that it is idle a change of a node waits
  // for a grace period first; the first address of a node and one that it has already cost nothing.
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
  void set_destination(std::uint16_t id, const gh_address& address, gh_family family);
  std::optional<std::uint32_t> idle_area();

  DataPlane& plane_;
};

// An outer source as the tables have it: `prefix`, whose host bits the flow's hash fills, or else one address.
gh_source make_source(const IpAddress& address, const std::optional<IpPrefix>& prefix = std::nullopt);

}  // namespace gatehouse::l4
