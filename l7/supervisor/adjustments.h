// What operators change at run time without another config: weights of a route's pools. It stands on the
// board, so all workers go by it at once, and it outlives supervisor and workers. A weight holds until a
// config with another weight in its place is in use; that is said.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/result.h"
#include "l7/board.h"

namespace gatehouse::l7 {

struct ArmReport {
  std::string pool;
  std::uint32_t weight = 1;      // of the config
  std::uint32_t weight_now = 1;  // that holds
  double share = 0;
  std::uint64_t requests = 0;
};

class Adjustments {
 public:
  explicit Adjustments(Board& board) : board_(board) {}

  // {route, pool, weight}; weight null: the config's. Answers as report_of().
  Result<nlohmann::json> set_weight(const config::Config& config, const nlohmann::json& params);
  // `config` is in use: what holds beside it and what it took the place of, in sentences.
  std::vector<std::string> settle(const config::Config& config);
  // What does not hold beside `config` will not come back with a later one. Once no worker serves an earlier
  // one: it would go back to the weights of that.
  void forget_others(const config::Config& config);

  std::vector<ArmReport> arms_of(const config::Route& route) const;
  // [{name, pools: [{name, weight, weight_now, share, requests}]}] of the routes that have several pools.
  nlohmann::json report(const config::Config& config) const;

 private:
  void make_room(const config::Config& config);

  Board& board_;
};

// {name, pools} of one route.
nlohmann::json to_json(const std::string& route, const std::vector<ArmReport>& arms);

}  // namespace gatehouse::l7
