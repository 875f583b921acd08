#include "l7/runtime.h"

#include <algorithm>

#include "l7/backend/pool.h"
#include "l7/tls/client_context.h"
#include "l7/tls/context.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
Runtime::Runtime(config::Config config) : config_(std::move(config)), router_(config_.routes) {}
Runtime::~Runtime() = default;

Result<std::shared_ptr<const Runtime>> Runtime::build(config::Config config, const TlsFiles& files, WorkerContext& context) {
  std::shared_ptr<Runtime> runtime(new Runtime(std::move(config)));
  const config::Config& own = runtime->config_;
  for (const config::Listener& listener : own.listeners) {
    if (const Status added = runtime->add_listener(listener, files, context); !added) return added.error();
  }
  config::Listener probe;
  probe.name = kProbeListener;
  if (const Status added = runtime->add_listener(probe, files, context); !added) return added.error();
  for (const config::Pool& pool : own.pools) {
    if (const Status added = runtime->add_pool(pool, files, context); !added) return added.error();
  }
  for (const config::Route& route : own.routes) {
    for (const auto& pool : runtime->pools_) {
      if (pool->config().name == route.pool) runtime->pool_of_route_.push_back(pool.get());
    }
  }
  GH_CHECK(runtime->pool_of_route_.size() == own.routes.size());
  return std::shared_ptr<const Runtime>(std::move(runtime));
}

Status Runtime::add_pool(const config::Pool& pool, const TlsFiles& files, WorkerContext& context) {
  auto tls = TlsClientContext::make(pool.name, pool.tls, files, context.tls.keys);
  if (!tls) return tls.error();
  pools_.push_back(std::make_unique<Pool>(pool, context.backends, context.index, *tls));
  return {};
}

Status Runtime::add_listener(const config::Listener& listener, const TlsFiles& files, WorkerContext& context) {
  auto added = std::make_unique<Listener>();
  added->config = listener;
  added->limits = {listener.max_header.bytes, listener.max_uri.bytes, listener.max_header_fields};
  added->is_probe = listener.name == kProbeListener;
  if (!listener.certificates.empty()) {
    const auto& routes = config_.routes;
    TlsContext::Options options;
    // Early data has no certificate with it.
    options.takes_early_data = listener.client_certificates == "none" &&
                               std::any_of(routes.begin(), routes.end(), [](const config::Route& route) { return route.early_data; });
    options.ticket_lifetime = config_.tls.ticket_lifetime;
    auto tls = TlsContext::make(listener, files, context.tls, options);
    if (!tls) return tls.error();
    added->tls = std::move(*tls);
  }
  listeners_.push_back(std::move(added));
  return {};
}

const Runtime::Listener* Runtime::find_listener(std::string_view name) const {
  for (const auto& listener : listeners_) {
    if (listener->config.name == name) return listener.get();
  }
  return nullptr;
}

}  // namespace gatehouse::l7
