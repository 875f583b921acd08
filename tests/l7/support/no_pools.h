// Pools that are told apart and never looked into.
#pragma once

#include <cstdint>

#include "l7/arms.h"

namespace gatehouse::test {

inline l7::Pool* no_pool(std::size_t number) { return reinterpret_cast<l7::Pool*>((number + 1) * 64); }
// 'a' for the first; '-' for none.
inline char letter_of(const l7::Pool* pool) {
  return pool ? static_cast<char>('a' + reinterpret_cast<std::uintptr_t>(pool) / 64 - 1) : '-';
}

}  // namespace gatehouse::test
