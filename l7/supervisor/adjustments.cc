// Weights are checked against the config that is in use, and written over what it says.
#include "l7/supervisor/adjustments.h"

#include <algorithm>
#include <map>
#include <set>

#include "common/config/findings.h"
#include "common/events.h"
#include "common/log.h"
#include "l7/arms.h"

namespace gatehouse::l7 {
namespace {

using Json = nlohmann::json;

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

// Of what was set over the config's weight, if it holds or not.
std::string of_weight(std::uint32_t set, std::uint32_t base, bool holds) {
  const std::string own = std::to_string(base), other = std::to_string(set);
  return holds ? "has weight " + other + ", set at run time over " + own
               : "has weight " + own + " in place of " + other + ", which was set at run time";
}

// One that comes back begins slowly, where its pool says so.
Status apply(const std::string& action, const Json& params, const config::Backend& backend, BackendCell& cell,
             std::int64_t now) {
  const auto set = [&cell](BackendState state) { return cell.state.exchange(state) != state; };
  if (action == "drain") return set(BackendState::kDraining), Status();
  if (action == "disable") return set(BackendState::kDisabled), Status();
  if (action == "undrain" || action == "enable") {
    if (set(BackendState::kEnabled)) cell.recovered_ms.store(now);
    return {};
  }
  if (action != "weight")
    return Error{"action: expected drain, undrain, disable, enable or weight, found " + quoted(action)};
  const auto weight = weight_of(params, config::kMostBackendWeight);
  if (!weight) return weight.error();
  const bool is_own = !*weight || **weight == backend.weight;
  cell.adjusted.store(is_own ? 0 : pack_adjusted(**weight, backend.weight));
  return {};
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

void Adjustments::make_room(const config::Config& config) {
  std::vector<std::uint64_t> keys;
  for (const config::Route& route : config.routes) {
    for (const config::RoutePool& pool : route.pools) keys.push_back(arm_key(route.name, pool.name));
  }
  board_.make_room_for_arms(keys);
}

Result<Json> Adjustments::set_weight(const config::Config& config, const Json& params) {
  const auto route_name = text_of(params, "route"), pool_name = text_of(params, "pool");
  if (!route_name) return route_name.error();
  if (!pool_name) return pool_name.error();
  const auto weight = weight_of(params, config::kMostArmWeight);
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
  const std::uint32_t now = weight_now(cell->adjusted.load(), pool->weight);
  log_info("route {}: pool {} has weight {} now, before {}", route->name, pool->name, now, before);
  report_event("weight", "pool " + pool->name + " of route " + route->name,
               "is " + std::to_string(now) + ", until now " + std::to_string(before), "an operator said so");
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
      notes.push_back("route " + route.name + ": pool " + pool.name + " " +
                      of_weight(set, pool.weight, is_adjusted(cell->adjusted.load(), pool.weight)));
    }
  }
  settle_backends(config, notes);
  return notes;
}

void Adjustments::forget_others(const config::Config& config) {
  std::set<const ArmCell*> kept;
  for (const config::Route& route : config.routes) {
    for (const config::RoutePool& pool : route.pools) {
      const ArmCell* cell = board_.arm(arm_key(route.name, pool.name));
      if (cell && is_adjusted(cell->adjusted.load(), pool.weight)) kept.insert(cell);
    }
  }
  for (ArmCell& cell : board_.arms()) {
    if (!kept.contains(&cell)) cell.adjusted.store(0);
  }
  forget_backends(config);
}

void Adjustments::settle_backends(const config::Config& config, std::vector<std::string>& notes) const {
  for (const config::Pool& pool : config.pools) {
    for (const config::Backend& backend : pool.backends) {
      const BackendCell* cell = board_.backend(backend_key(pool.name, backend.address));
      if (!cell) continue;
      const std::string what = "pool " + pool.name + ": backend " + to_string(backend.address) + " ";
      const BackendState state = cell->state.load();
      if (state != BackendState::kEnabled)
        notes.push_back(what + "is " + name_of(state) + ", set at run time");
      const std::uint64_t adjusted = cell->adjusted.load();
      if (adjusted == 0) continue;
      notes.push_back(what + of_weight(static_cast<std::uint32_t>(adjusted), backend.weight,
                                       is_adjusted(adjusted, backend.weight)));
    }
  }
}

void Adjustments::forget_backends(const config::Config& config) {
  std::map<std::uint64_t, std::uint32_t> weights;
  for (const config::Pool& pool : config.pools) {
    for (const config::Backend& backend : pool.backends)
      weights[backend_key(pool.name, backend.address)] = backend.weight;
  }
  for (BackendCell& cell : board_.backends()) {
    const auto known = weights.find(cell.key.load());
    const bool is_gone = known == weights.end();
    if (is_gone) cell.state.store(BackendState::kEnabled);
    if (is_gone || !is_adjusted(cell.adjusted.load(), known->second)) cell.adjusted.store(0);
  }
}

Result<Json> Adjustments::set_backend(const config::Config& config, const Json& params,
                                      EventLoop::Clock::time_point now) {
  const auto pool_name = text_of(params, "pool"), address = text_of(params, "address"),
             action = text_of(params, "action");
  for (const auto* text : {&pool_name, &address, &action}) {
    if (!*text) return text->error();
  }
  const auto pool = find_named(config.pools, *pool_name);
  if (pool == config.pools.end()) return unknown("pool", *pool_name, config.pools);
  const auto endpoint = Endpoint::parse(*address);
  const auto backend = std::find_if(pool->backends.begin(), pool->backends.end(),
                                    [&](const auto& each) { return endpoint && each.address == *endpoint; });
  if (backend == pool->backends.end())
    return Error{"pool " + quoted(pool->name) + " has no backend " + quoted(*address)};
  BackendCell* cell = board_.backend(backend_key(pool->name, backend->address));
  if (!cell) return Error{"the board is full"};
  if (const Status done = apply(*action, params, *backend, *cell, board_time(now)); !done)
    return done.error();
  board_.bump_version();
  const std::uint32_t weight = weight_now(cell->adjusted.load(), backend->weight);
  const std::string state = name_of(cell->state.load());
  log_info("pool {}: backend {} is {} now, weight {}", pool->name, *address, state, weight);
  return Json{
      {"pool", pool->name}, {"address", to_string(backend->address)}, {"state", state}, {"weight", weight}};
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
