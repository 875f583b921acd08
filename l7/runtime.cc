#include "l7/runtime.h"

#include <algorithm>

#include "l7/backend/pool.h"
#include "l7/tls/client_context.h"
#include "l7/tls/context.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

// A server name is a host, and a path that any prefix takes stands for the lack of one.
std::vector<config::Route> as_routes(const std::vector<config::TlsRoute>& tls_routes) {
  std::vector<config::Route> routes;
  for (const config::TlsRoute& route : tls_routes) {
    config::Route& made = routes.emplace_back();
    made.name = route.name;
    made.hosts = route.hosts;
  }
  return routes;
}

Runtime::Mode mode_of(const config::Listener& listener) {
  if (listener.mode == "tcp") return Runtime::Mode::kTcp;
  return listener.mode == "tls-passthrough" ? Runtime::Mode::kPassthrough : Runtime::Mode::kHttp;
}

}  // namespace

Runtime::Runtime(config::Config config)
    : config_(std::move(config)), router_(config_.routes), tls_router_(as_routes(config_.tls_routes)) {}
Runtime::~Runtime() = default;

Result<std::shared_ptr<const Runtime>> Runtime::build(config::Config config, const TlsFiles& files, WorkerContext& context) {
  std::shared_ptr<Runtime> runtime(new Runtime(std::move(config)));
  const config::Config& own = runtime->config_;
  for (const config::Pool& pool : own.pools) {
    if (const Status added = runtime->add_pool(pool, files, context); !added) return added.error();
  }
  for (const config::Listener& listener : own.listeners) {
    if (const Status added = runtime->add_listener(listener, files, context); !added) return added.error();
  }
  config::Listener probe;
  probe.name = kProbeListener;
  if (const Status added = runtime->add_listener(probe, files, context); !added) return added.error();
  runtime->countries_ = CountryTable::from_bytes(files.text_of(own.countries.database));
  runtime->asks_for_country_ = runtime->router_.looks_at_country();
  for (const config::Route& route : own.routes) runtime->add_route(route, files, context);
  for (const config::TlsRoute& route : own.tls_routes) runtime->pool_of_tls_route_.push_back(runtime->find_pool(route.pool));
  return std::shared_ptr<const Runtime>(std::move(runtime));
}

void Runtime::add_route(const config::Route& route, const TlsFiles& files, WorkerContext& context) {
  pool_of_route_.push_back(route.pool.empty() ? nullptr : find_pool(route.pool));
  latency_of_route_.push_back(context.board.latency(LatencyKind::kRoute, route.name));
  plans_.emplace_back(route, route.response ? files.text_of(route.response->file) : std::string_view());
  asks_for_country_ |= plans_.back().names_country();
  arms_of_route_.emplace_back();
  mirror_of_route_.push_back(route.mirror ? find_pool(route.mirror->pool) : nullptr);
  if (route.pools.empty()) return;
  std::vector<Arms::Arm> arms;
  for (const config::RoutePool& pool : route.pools) {
    arms.push_back({find_pool(pool.name), pool.weight, context.board.arm(arm_key(route.name, pool.name))});
  }
  arms_of_route_.back() = std::make_unique<Arms>(std::move(arms), context.board, context.request_ids.next_word());
}

Status Runtime::add_pool(const config::Pool& pool, const TlsFiles& files, WorkerContext& context) {
  auto tls = TlsClientContext::make(pool.name, pool.tls, files, context.tls.keys,
                                    pool.protocol == "h2" ? std::vector<std::string>{"h2"} : std::vector<std::string>{});
  if (!tls) return tls.error();
  const auto sources = find_sources(pool);
  if (!sources) return sources.error();
  const auto& nodes = config_.nodes;
  const auto node = std::find_if(nodes.begin(), nodes.end(), [&](const auto& each) { return each.name == context.node; });
  const std::string zone = node == nodes.end() ? "" : node->zone;
  pools_.push_back(std::make_unique<Pool>(pool, context.backends, context.index, *tls, zone, *sources));
  return {};
}

Status Runtime::add_listener(const config::Listener& listener, const TlsFiles& files, WorkerContext& context) {
  auto added = std::make_unique<Listener>();
  added->config = listener;
  added->limits = {listener.max_header.bytes, listener.max_uri.bytes, listener.max_header_fields};
  added->paths = PathRules(listener.paths);
  added->is_probe = listener.name == kProbeListener;
  added->mode = mode_of(listener);
  if (!listener.pool.empty()) added->pool = find_pool(listener.pool);
  if (!listener.certificates.empty()) {
    const auto& routes = config_.routes;
    TlsContext::Options options;
    // Early data has no certificate with it.
    options.takes_early_data = listener.client_certificates == "none" &&
                               std::any_of(routes.begin(), routes.end(), [](const config::Route& route) { return route.early_data; });
    if (listener.http2 && added->mode == Mode::kHttp) options.protocols = {"h2", "http/1.1"};
    options.ticket_lifetime = config_.tls.ticket_lifetime;
    auto tls = TlsContext::make(listener, files, context.tls, options);
    if (!tls) return tls.error();
    added->tls = std::move(*tls);
  }
  listeners_.push_back(std::move(added));
  return {};
}

// Config names no pool that it does not have.
Pool* Runtime::find_pool(std::string_view name) const {
  Pool* pool = pool_named(name);
  GH_CHECK(pool);
  return pool;
}

Pool* Runtime::pool_named(std::string_view name) const {
  for (const auto& pool : pools_) {
    if (pool->config().name == name) return pool.get();
  }
  return nullptr;
}

Pool* Runtime::pool_for(const Listener& listener, std::string_view server_name) const {
  const std::size_t route = server_name.empty() ? Router::kNoRoute : tls_router_.match(server_name, "/");
  return route == Router::kNoRoute ? listener.pool : pool_of_tls_route_[route];
}

const Runtime::Listener* Runtime::find_listener(std::string_view name) const {
  for (const auto& listener : listeners_) {
    if (listener->config.name == name) return listener.get();
  }
  return nullptr;
}

}  // namespace gatehouse::l7
