// What the workers of a node have on the board about a pool as a whole, for status and metrics: who waits in
// front of it, and its adaptive limit. Only of pools that have such a thing.
#pragma once

#include <nlohmann/json.hpp>

#include "common/config/model.h"
#include "l7/board.h"

namespace gatehouse::l7 {

// `pools`: of a status, each with its name.
void add_pool_load(nlohmann::json& pools, const config::Config& config, Board& board);

}  // namespace gatehouse::l7
