// Sockets to backends, and the addresses that they come from. Addresses are the node's own: a pool names
// those of all nodes, and each takes what it has.
#pragma once

#include <optional>

#include "common/address.h"
#include "common/config/model.h"
#include "common/fd.h"
#include "common/result.h"

namespace gatehouse::l7 {

struct SourceAddresses {
  std::optional<IpAddress> v4, v6;  // nothing: the kernel's choice

  const std::optional<IpAddress>& towards(const IpAddress& target) const { return target.is_v4() ? v4 : v6; }
  bool operator==(const SourceAddresses& other) const = default;
};

// Of each family the first of the pool's source_addresses that this host has. The Error names pool and
// addresses when it has none of a family that is there.
Result<SourceAddresses> find_sources(const config::Pool& pool);
// The same for all pools.
Status check_sources(const config::Config& config);

// A socket that is connecting and does not block. Not open, with errno, when there is none.
Fd dial(const Endpoint& target, const SourceAddresses& sources);

}  // namespace gatehouse::l7
