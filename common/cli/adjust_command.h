// `gatehouse weight`: words to the request that a node gets. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/result.h"

namespace gatehouse::cli {

// {ROUTE, POOL, WEIGHT}; WEIGHT "config": what the config says.
Result<nlohmann::json> weight_request(const std::vector<std::string>& words);

}  // namespace gatehouse::cli
