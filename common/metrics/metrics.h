// A daemon's status as metrics. Whatever `gatehouse status` shows as a number is a line of a table in
// metrics.cc, so that the two cannot disagree. The number of series is bounded by the config: nothing that
// clients choose becomes a label.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace gatehouse::metrics {

// Of a status of either tier, in the text exposition format.
std::string metrics_of(const nlohmann::json& status);

}  // namespace gatehouse::metrics
