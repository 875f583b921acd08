// The part of the config model that is about backends that are found rather than listed: see model.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/units.h"

namespace gatehouse::config {

inline constexpr std::size_t kMostDiscovered = 1024;  // backends of a pool

// Exactly one of the first three is set.
struct Discovery {
  std::string dns;                  // name:port, of its A and AAAA records
  std::string srv;                  // name of SRV records
  std::string file;                 // of common/backend_list.h
  std::vector<Endpoint> resolvers;  // none: those of the host
  std::string family = "any";       // any | ipv4 | ipv6
  Duration min_interval{1'000};
  Duration max_interval{60'000};
  Duration timeout{2'000};
  std::uint32_t missing = 3;  // answers in a row without a backend, until it leaves
  Duration hold{30'000};      // of the last backends, once DNS says that there is none
};

}  // namespace gatehouse::config
