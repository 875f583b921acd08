// What the hooks of the user-space build stand on. Only for the file that builds the packet core for user
// space.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bpf/hooks.h"
#include "l4/data_plane.h"

struct gh_tables {
  gatehouse::l4::Tables& in;
  std::uint32_t cpu = 0;  // whose regions are counted in
};

template <typename T>
static inline T* at(std::span<T> table, std::size_t index) {
  return index < table.size() ? &table[index] : nullptr;
}
