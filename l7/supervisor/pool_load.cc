// Reads what others write: numbers of one moment, not of the same one.
#include "l7/supervisor/pool_load.h"

#include <algorithm>

namespace gatehouse::l7 {

void add_pool_load(nlohmann::json& pools, const config::Config& config, Board& board) {
  for (nlohmann::json& pool : pools) {
    const std::string name = pool.value("name", "");
    const auto found = std::find_if(config.pools.begin(), config.pools.end(),
                                    [&name](const config::Pool& each) { return each.name == name; });
    const PoolCell* cell = found == config.pools.end() ? nullptr : board.pool(pool_key(name));
    if (!cell) continue;
    if (found->queue.limit > 0) pool["queued"] = sum_of(cell->queued);
    if (!found->adaptive_limit.enabled) continue;
    const std::uint32_t limit = cell->adaptive.limit.load();
    pool["asking"] = sum_of(cell->adaptive.asking);
    pool["limit_now"] = limit ? limit : found->adaptive_limit.initial_requests;
    pool["shortest_ms"] = cell->adaptive.shortest_us.load() / 1e3;
  }
}

}  // namespace gatehouse::l7
