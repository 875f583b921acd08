// `gatehouse prefix`: words to the request that a daemon gets, and what its answer looks like. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/result.h"

namespace gatehouse::cli {

// {"add", LIST, PREFIX...}, {"remove", LIST, PREFIX...}, {"load", LIST, FILE}, {"list", LIST}, {"find",
// ADDRESS}.
Result<nlohmann::json> prefix_request(const std::vector<std::string>& words);
std::string prefix_report(const nlohmann::json& request, const nlohmann::json& answer);

}  // namespace gatehouse::cli
