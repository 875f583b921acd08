// How connections to backends end, as status and metrics count them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gatehouse::l7 {

enum class ConnectionEnd : std::uint8_t {
  kBackend,     // the backend closed it, or it was lost; what was never connected is one of these
  kUnfinished,  // an exchange on it was cut, or its answer said that it is the last
  kIdle,        // nobody needed it for idle_timeout
  kSurplus,     // as many are idle as may be
  kAge,         // max_age
  kRequests,    // max_requests
  kRetired,     // its backend left the pool, was disabled, or is spoken to in another way now
};
inline constexpr std::size_t kConnectionEnds = 7;

inline const char* name_of(ConnectionEnd end) {
  constexpr const char* kNames[kConnectionEnds] = {"by_backend", "unfinished",  "idle",   "surplus",
                                                   "by_age",     "by_requests", "retired"};
  return kNames[static_cast<std::size_t>(end)];
}

}  // namespace gatehouse::l7
