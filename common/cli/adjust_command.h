// `gatehouse weight` and `gatehouse backend`: words to the request that a node gets. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/result.h"

namespace gatehouse::cli {

// {ROUTE, POOL, WEIGHT}; WEIGHT "config": what the config says.
Result<nlohmann::json> weight_request(const std::vector<std::string>& words);

// {POOL, ADDRESS, ACTION} or {POOL, ADDRESS, "weight", WEIGHT}.
Result<nlohmann::json> backend_request(const std::vector<std::string>& words);
std::string backend_report(const nlohmann::json& answer);

}  // namespace gatehouse::cli
