// `gatehouse weight` and `gatehouse backend`: of a node, or by an L4 host of all nodes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/cli/command_line.h"
#include "common/result.h"

namespace gatehouse::cli {

// {ROUTE, POOL, WEIGHT}; WEIGHT "config": what the config says.
Result<nlohmann::json> weight_request(const std::vector<std::string>& words);

// {POOL, ADDRESS, ACTION} or {POOL, ADDRESS, "weight", WEIGHT}.
Result<nlohmann::json> backend_request(const std::vector<std::string>& words);
std::string backend_report(const nlohmann::json& answer);

// What one node answered, by `report`; or what all did, each after its name: those that say the same together.
// `missed`: nodes that have not done it, a line each.
struct AdjustReport {
  std::string text;
  std::string missed;
};
AdjustReport adjust_report(const nlohmann::json& answer, std::string (*report)(const nlohmann::json&));

int weight(const Invocation& invocation);
int backend(const Invocation& invocation);

}  // namespace gatehouse::cli
