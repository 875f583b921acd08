// The packet core over plain memory: what DPDK, the tests and `gatehouse explain --packet` use. It reads any Tables, also
// those that are mapped from the kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/address.h"
#include "l4/data_plane.h"

namespace gatehouse::l4 {

// A data plane in this process's memory.
class MemoryPlane final : public DataPlane {
 public:
  MemoryPlane(std::uint32_t ring_slots, std::uint32_t ring_areas, const GuardSizes& guard_sizes = {});
  ~MemoryPlane() override;
  const Tables& tables() override { return tables_; }
  void wait_for_readers() override {}
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
};

// Both count into CPU 0's region.
gh_verdict balance(Tables& tables, PacketBuffer& packet);
// No socket of this process owns a flow: packets with hops left go on, but for those that open a connection.
gh_verdict decapsulate(Tables& tables, PacketBuffer& packet);

gh_address to_table_address(const IpAddress& address);
IpAddress from_table_address(const gh_address& address);

// The lists among `wanted` that have the longest prefix of `source` that any of them has: as gh_guard() asks.
std::uint32_t find_prefix_lists(const GuardTables& tables, const IpAddress& source, std::uint32_t wanted);

// What the front door would do with a packet of this flow, from the very tables that forward. Counts nothing.
struct Explanation {
  std::uint16_t vip = 0;
  std::uint16_t group = 0;
  bool has_ring = false;
  std::uint32_t slot = 0;
  std::uint16_t epoch = 0;
  std::vector<std::uint16_t> hops;  // node ids, the owner first
};
// nullopt: not a VIP.
std::optional<Explanation> explain_packet(Tables& tables, const Endpoint& source, const Endpoint& vip,
                                          std::uint8_t protocol);

}  // namespace gatehouse::l4
