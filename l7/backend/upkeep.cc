#include "l7/backend/upkeep.h"

#include <algorithm>

#include "l7/backend/pool.h"
#include "l7/runtime.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {

void Upkeep::begin() {
  const auto& pools = context_.runtime->pools();
  const bool is_wanted =
      std::any_of(pools.begin(), pools.end(), [](const auto& pool) { return pool->wants_upkeep(); });
  if (is_wanted) {
    tick_.arm<&Upkeep::on_tick>(context_.loop, kInterval, this);
  } else {
    tick_.cancel();
  }
}

void Upkeep::on_tick() {
  run();
  tick_.arm<&Upkeep::on_tick>(context_.loop, kInterval, this);
}

void Upkeep::run() {
  if (!context_.runtime) return;
  for (const auto& pool : context_.runtime->pools()) {
    if (pool->wants_upkeep()) pool->keep_up();
  }
}

}  // namespace gatehouse::l7
