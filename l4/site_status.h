// What an L4 host answers to `gatehouse status` and `gatehouse explain --packet`: read from the director and the very
// tables that forward.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/result.h"
#include "l4/director.h"

namespace gatehouse::l4 {

nlohmann::json site_status(Director& director, const std::string& host, const std::vector<std::uint16_t>& connected);

// {source, vip, protocol} → {vip, group, slot, epoch, hops: [{id, name, address}], node, why}
Result<nlohmann::json> explain_flow(Director& director, const nlohmann::json& params);

}  // namespace gatehouse::l4
