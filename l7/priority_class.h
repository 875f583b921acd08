// What a request is worth when not all can be served, as its route says (config::kPriorityClasses, which has
// the same order): dearer ones are let in before cheaper ones, and cheaper ones are refused first. It is read
// wherever requests are refused for want of room: the line in front of a pool, its adaptive limit, a worker
// without CPU time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "common/config/model_routes.h"

namespace gatehouse::l7 {

enum class PriorityClass : std::uint8_t { kCritical, kDefault, kSheddable };
inline constexpr std::size_t kPriorityClasses = std::size(config::kPriorityClasses);

// Of a name that the config's check let through.
inline PriorityClass parse_priority_class(std::string_view name) {
  std::size_t index = 0;
  while (index + 1 < kPriorityClasses && name != config::kPriorityClasses[index]) ++index;
  return static_cast<PriorityClass>(index);
}

}  // namespace gatehouse::l7
