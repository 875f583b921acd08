// Weights are checked against the config that is in use, and written over what it says.
#include "l7/supervisor/adjustments.h"

#include <algorithm>
#include <set>

#include "common/config/findings.h"
#include "common/log.h"
#include "l7/arms.h"

namespace gatehouse::l7 {
namespace {

using Json = nlohmann::json;

constexpr std::uint32_t kMostWeight = 1'000'000;  // as in the config

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

Result<std::string> text_of(const Json& params, const char* name) {
  const auto found = params.find(name);
  if (found == params.end() || !found->is_string()) return Error{std::string("expected ") + name};
  return found->get<std::string>();
}

// nullopt: the config's.
Result<std::optional<std::uint32_t>> weight_of(const Json& params, std::uint32_t most) {
  const auto found = params.find("weight");
  if (found != params.end() && found->is_null()) return std::optional<std::uint32_t>();
  const bool is_good = found != params.end() && found->is_number_integer() && *found >= 0 && *found <= most;
  if (!is_good) return Error{"weight: expected a number from 0 to " + std::to_string(most)};
  return std::optional(found->get<std::uint32_t>());
}

bool holds(const ArmCell& cell, const config::RoutePool& pool) {
  const std::uint64_t adjusted = cell.adjusted.load();
  return adjusted != 0 && pack_adjusted(static_cast<std::uint32_t>(adjusted), pool.weight) == adjusted;
}

template <typename Entries>
auto find_named(const Entries& entries, const std::string& name) {
  return std::find_if(entries.begin(), entries.end(),
                      [&name](const auto& entry) { return entry.name == name; });
}

template <typename Entries>
Error unknown(const std::string& what, const std::string& name, const Entries& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) names.push_back(entry.name);
  return Error{what + " " + quoted(name) + " does not exist" + config::suggest(name, names)};
}

}  // namespace

// Cells of arms that left the config stay while there is room: workers may not have heard of it.
void Adjustments::make_room(const config::Config& config) {
  std::vector<std::uint64_t> wanted;
  bool has_room = true;
  for (const config::Route& route : config.routes) {
    for (const config::RoutePool& pool : route.pools) {
      wanted.push_back(arm_key(route.name, pool.name));
      has_room &= board_.arm(wanted.back()) != nullptr;
    }
  }
  if (!has_room) board_.keep_only_arms(wanted);
}

Result<Json> Adjustments::set_weight(const config::Config& config, const Json& params) {
  const auto route_name = text_of(params, "route"), pool_name = text_of(params, "pool");
  if (!route_name) return route_name.error();
  if (!pool_name) return pool_name.error();
  const auto weight = weight_of(params, kMostWeight);
  if (!weight) return weight.error();
  const auto route = find_named(config.routes, *route_name);
  if (route == config.routes.end()) return unknown("route", *route_name, config.routes);
  if (route->pools.empty()) return Error{"route " + quoted(*route_name) + " has no pools with weights"};
  const auto pool = find_named(route->pools, *pool_name);
  if (pool == route->pools.end())
    return unknown("route " + quoted(*route_name) + ": pool", *pool_name, route->pools);
  ArmCell* cell = board_.arm(arm_key(route->name, pool->name));
  if (!cell) return Error{"the board is full"};
  const std::uint32_t before = weight_now(cell->adjusted.load(), pool->weight);
  const bool is_own = !*weight || **weight == pool->weight;
  cell->adjusted.store(is_own ? 0 : pack_adjusted(**weight, pool->weight));
  board_.bump_version();
  log_info("route {}: pool {} has weight {} now, before {}", route->name, pool->name,
           weight_now(cell->adjusted.load(), pool->weight), before);
  return to_json(route->name, arms_of(*route));
}

std::vector<std::string> Adjustments::settle(const config::Config& config) {
  make_room(config);
  std::vector<std::string> notes;
  for (const config::Route& route : config.routes) {
    for (const config::RoutePool& pool : route.pools) {
      const ArmCell* cell = board_.arm(arm_key(route.name, pool.name));
      if (!cell || cell->adjusted.load() == 0) continue;
      const auto set = static_cast<std::uint32_t>(cell->adjusted.load());
      const std::string what = "route " + route.name + ": pool " + pool.name + " has weight ";
      notes.push_back(holds(*cell, pool) ? what + std::to_string(set) + ", set at run time over " +
                                               std::to_string(pool.weight)
                                         : what + std::to_string(pool.weight) + " in place of " +
                                               std::to_string(set) + ", which was set at run time");
    }
  }
  return notes;
}

void Adjustments::forget_others(const config::Config& config) {
  std::set<const ArmCell*> kept;
  for (const config::Route& route : config.routes) {
    for (const config::RoutePool& pool : route.pools) {
      const ArmCell* cell = board_.arm(arm_key(route.name, pool.name));
      if (cell && holds(*cell, pool)) kept.insert(cell);
    }
  }
  for (ArmCell& cell : board_.arms()) {
    if (!kept.contains(&cell)) cell.adjusted.store(0);
  }
}

std::vector<ArmReport> Adjustments::arms_of(const config::Route& route) const {
  std::vector<ArmReport> arms;
  std::uint64_t sum = 0;
  for (const config::RoutePool& pool : route.pools) {
    ArmReport arm{pool.name, pool.weight, pool.weight};
    if (const ArmCell* cell = board_.arm(arm_key(route.name, pool.name))) {
      arm.weight_now = weight_now(cell->adjusted.load(), pool.weight);
      arm.requests = cell->requests.load(std::memory_order_relaxed);
    }
    sum += arm.weight_now;
    arms.push_back(std::move(arm));
  }
  for (ArmReport& arm : arms)
    arm.share = sum ? static_cast<double>(arm.weight_now) / static_cast<double>(sum) : 0;
  return arms;
}

Json to_json(const std::string& route, const std::vector<ArmReport>& arms) {
  Json pools = Json::array();
  for (const ArmReport& arm : arms) {
    pools.push_back({{"name", arm.pool},
                     {"weight", arm.weight},
                     {"weight_now", arm.weight_now},
                     {"share", arm.share},
                     {"requests", arm.requests}});
  }
  return {{"name", route}, {"pools", std::move(pools)}};
}

Json Adjustments::report(const config::Config& config) const {
  Json routes = Json::array();
  for (const config::Route& route : config.routes) {
    if (!route.pools.empty()) routes.push_back(to_json(route.name, arms_of(route)));
  }
  return routes;
}

}  // namespace gatehouse::l7
