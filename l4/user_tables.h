// The packet core over plain memory: what DPDK, the tests and `gatehouse explain --packet` use. It reads any Tables, also
// those that are mapped from the kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "common/address.h"
#include "l4/data_plane.h"

namespace gatehouse::l4 {

// A data plane in this process's memory.
class MemoryPlane final : public DataPlane {
 public:
  // `flow_lines`: of the flow cache, a power of two.
  MemoryPlane(std::uint32_t ring_slots, std::uint32_t ring_areas, std::uint32_t flow_lines = 64,
              const GuardSizes& guard_sizes = {});
  ~MemoryPlane() override;
  const Tables& tables() override { return tables_; }
  void wait_for_readers() override {}
  std::uint64_t ticks() override { return tables_.services.ticks; }
  static constexpr std::uint64_t kTicksPerSecond = 1'024;
  std::uint32_t tick_multiplier() const override { return static_cast<std::uint32_t>((1ull << 32) / kTicksPerSecond); }
  void set_seconds(std::uint64_t seconds) { tables_.services.ticks = kTicksPerSecond * seconds; }
  bool was_adopted() const override { return false; }

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
  Tables tables_;
};

// A packet with room before it. The core moves `start` and `length`.
struct PacketBuffer {
  std::span<std::uint8_t> memory;
  std::size_t start = 0;
  std::size_t length = 0;
  bool is_flow_here = false;  // for decapsulate(): what a node's kernel would say of an established flow
};

// Counts into the region of `cpu`, which nobody else must use at the same time.
gh_verdict balance_on(std::uint32_t cpu, Tables& tables, PacketBuffer& packet);
// What the adapter does with a packet of that verdict.
gh_action action_of(gh_verdict verdict);
// Both count into CPU 0's region.
gh_verdict balance(Tables& tables, PacketBuffer& packet);
gh_verdict decapsulate(Tables& tables, PacketBuffer& packet);

gh_address to_table_address(const IpAddress& address);
IpAddress from_table_address(const gh_address& address);

// The lists among `wanted` that have the longest prefix of `source` that any of them has: as gh_guard() asks.
std::uint32_t find_prefix_lists(const GuardTables& tables, const IpAddress& source, std::uint32_t wanted);
// What takes packets to `vip`, in the live table: the VIP of exactly that port, else the one of any port; nullopt: none.
std::optional<gh_vip> find_vip(const Tables& tables, const Endpoint& vip, std::uint8_t protocol);
// The VIP that has exactly that endpoint; port 0 is the VIP of any port.
std::optional<gh_vip> find_exact_vip(const Tables& tables, const Endpoint& vip, std::uint8_t protocol);
// The number of every VIP in it.
std::set<std::uint16_t> numbers_in_table(const Tables& tables);

// What the front door would do with a packet of this flow, from the very tables that forward. Counts nothing.
struct Explanation {
  std::uint16_t vip = 0;
  std::uint16_t group = 0;
  bool has_ring = false;
  std::uint32_t slot = 0;
  std::uint16_t epoch = 0;
  std::vector<std::uint16_t> hops;  // ids of nodes or servers, the owner first
  bool is_remembered = false;       // by the flow cache: the slot may belong to another one by now
  gh_verdict guard = GH_UNDECIDED;  // what protection says of its addresses; GH_UNDECIDED: it may come
  bool is_limited = false;          // if it does not come too fast, that is
};
// nullopt: not a VIP.
std::optional<Explanation> explain_packet(Tables& tables, const Endpoint& source, const Endpoint& vip,
                                          std::uint8_t protocol);

}  // namespace gatehouse::l4
