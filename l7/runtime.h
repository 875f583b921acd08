// The immutable snapshot that requests are served from: routes, pools, TLS contexts, made from one Config. Shared by the
// connections that use it (the only shared_ptr of the L7 tier). Building it touches no file: certificates come as
// text, because workers may not read keys.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/result.h"
#include "l7/arms.h"
#include "l7/country_table.h"
#include "l7/http/h1_parser.h"
#include "l7/path_rules.h"
#include "l7/route_plan.h"
#include "l7/router.h"

namespace gatehouse::l7 {

class Pool;
class TlsContext;
class TlsFiles;
struct WorkerContext;

// The listener that answers the L4 hosts' probes: every node has it, no config names it.
inline constexpr std::string_view kProbeListener = "(probe)";

class Runtime {
 public:
  enum class Mode : std::uint8_t { kHttp, kTcp, kPassthrough };
  struct Listener {
    config::Listener config;
    std::unique_ptr<TlsContext> tls;  // nullptr: clear text
    http::HeadLimits limits;
    PathRules paths;
    bool is_probe = false;
    Mode mode = Mode::kHttp;
    Pool* pool = nullptr;             // of relays; nullptr: none, or by route alone
  };

  // Fails with the reason when a certificate or key is not usable; the caller keeps the snapshot that it has.
  static Result<std::shared_ptr<const Runtime>> build(config::Config config, const TlsFiles& files, WorkerContext& context);
  ~Runtime();

  const config::Config& config() const { return config_; }
  const Router& router() const { return router_; }
  const Listener* find_listener(std::string_view name) const;
  const RoutePlan& plan_of(std::size_t route) const { return plans_[route]; }
  // The pool of a route that does not answer by itself. Its choices have state: pools belong to the worker, not to the snapshot's readers.
  // nullptr: it has several.
  Pool* pool_of(std::size_t route) const { return pool_of_route_[route]; }
  Pool* mirror_of(std::size_t route) const { return mirror_of_route_[route]; }  // nullptr: nobody gets copies
  Arms* arms_of(std::size_t route) const { return arms_of_route_[route].get(); }
  LatencyCell* latency_of(std::size_t route) const { return latency_of_route_[route]; }  // nullptr: not timed
  // Whether the country of clients matters to routing, or to what is written.
  bool asks_for_country() const { return asks_for_country_; }
  const CountryTable& countries() const { return countries_; }
  const std::vector<std::unique_ptr<Pool>>& pools() const { return pools_; }
  Pool* pool_named(std::string_view name) const;  // nullptr: there is none
  // Where a passthrough connection goes; nullptr: nowhere.
  Pool* pool_for(const Listener& listener, std::string_view server_name) const;

 private:
  explicit Runtime(config::Config config);
  Status add_listener(const config::Listener& listener, const TlsFiles& files, WorkerContext& context);
  void add_route(const config::Route& route, const TlsFiles& files, WorkerContext& context);
  Status add_pool(const config::Pool& pool, const TlsFiles& files, WorkerContext& context);

  Pool* find_pool(std::string_view name) const;

  config::Config config_;
  Router router_;
  Router tls_router_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<Pool>> pools_;
  std::vector<Pool*> pool_of_route_;  // nullptr: it answers by itself, or has arms
  std::vector<std::unique_ptr<Arms>> arms_of_route_;
  std::vector<Pool*> mirror_of_route_;
  std::vector<LatencyCell*> latency_of_route_;
  std::vector<RoutePlan> plans_;
  std::vector<Pool*> pool_of_tls_route_;
  CountryTable countries_;
  bool asks_for_country_ = false;
};

}  // namespace gatehouse::l7
