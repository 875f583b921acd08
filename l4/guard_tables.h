// The tables of protection (bpf/abi_guard.h), wherever they live: in BPF maps, or in this process's memory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "bpf/abi_guard.h"

namespace gatehouse::l4 {

// How large: of both the loader of the XDP program and MemoryPlane.
struct GuardSizes {
  std::uint32_t prefixes = 16'384;  // rules
  std::uint32_t sources = 65'536;   // buckets

  std::uint32_t prefix_lines() const;
  std::uint32_t bucket_lines() const;
};

struct GuardTables {
  gh_guard* guard = nullptr;               // in gh_state
  std::span<gh_policy> policies;           // in it: GH_MAX_POLICIES
  std::span<gh_prefix_list> lists;         // GH_PREFIX_LISTS
  std::span<gh_prefix_line> prefix_lines;  // a power of two
  std::span<std::uint64_t> v4_lengths;     // GH_V4_BLOCKS
  std::span<gh_bucket_line> bucket_lines;  // a power of two
  std::span<gh_sketch_line>
      sketch_lines;               // cpus * GH_SKETCH_LINES; the user-space build takes the first region
  gh_cookies* cookies = nullptr;  // a node's

  void set_guard(gh_guard* memory) {
    guard = memory;
    policies = memory->policies;
  }
};

// Brings gh_guard in accord with the sizes of the tables and with the plane's clock; a new one gets a key of
// its own.
void prepare_guard(const GuardTables& tables, std::uint32_t tick_multiplier);

// Plain memory for them, beside `guard`, which outlives it.
class GuardMemory {
 public:
  GuardMemory(gh_guard& guard, const GuardSizes& sizes, std::uint32_t tick_multiplier);
  ~GuardMemory();
  const GuardTables& tables() const { return tables_; }

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
  GuardTables tables_;
};

}  // namespace gatehouse::l4
