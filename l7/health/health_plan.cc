#include "l7/health/health_plan.h"

#include "common/check.h"
#include "common/hex.h"

namespace gatehouse::l7 {
namespace {

std::string fingerprint_of(const config::Pool& pool, const TlsClientContext& tls) {
  const config::Health& health = pool.health;
  std::string text = pool.proxy_protocol + "\n" + pool.protocol;
  for (const std::string* word :
       {&health.kind, &health.path, &health.method, &health.host, &health.body_contains, &health.body_matches,
        &health.service, &health.request, &health.expect})
    text += "\n" + *word;
  for (const auto* codes : {&health.status, &health.degraded_status}) {
    text += "\n";
    for (const auto status : *codes) text += " " + std::to_string(status);
  }
  for (const Duration time : {health.interval, health.fast_interval, health.timeout})
    text += "\n" + to_string(time);
  for (const std::uint32_t number : {std::uint32_t{health.port}, health.rise, health.fall})
    text += "\n" + std::to_string(number);
  for (const IpAddress& source : pool.source_addresses) text += "\n" + to_string(source);
  return text + tls.identity();
}

config::BackendTls tls_of(const config::Pool& pool, bool speaks_h2) {
  config::BackendTls tls = pool.tls;
  if (speaks_h2) tls.alpn = {"h2"};
  if (pool.health.kind == "tls" && !tls.enabled) {
    tls.enabled = true;
    tls.verify = false;  // the pool passes on what clients and backends agree upon
    tls.server_name = pool.health.host;
  }
  return tls;
}

std::string bytes_of(const std::string& escaped) {
  auto bytes = parse_escapes(escaped);
  GH_CHECK(bytes.has_value());
  return *std::move(bytes);
}

}  // namespace

Result<SharedHealthPlan> HealthPlan::make(const config::Pool& pool, const TlsFiles& files,
                                                           PrivateKeyReader& keys) {
  const config::Health& health = pool.health;
  auto plan = std::make_shared<HealthPlan>();
  plan->pool = pool.name;
  plan->health = health;
  plan->proxy_version = parse_proxy_version(pool.proxy_protocol);
  // One that is gone since the config was taken: checks go on, from where they can.
  if (const auto sources = find_sources(pool)) plan->sources = *sources;
  plan->speaks_h2 = health.kind == "grpc" || (health.kind == "http" && pool.protocol == "h2");
  auto tls = TlsClientContext::make(pool.name, tls_of(pool, plan->speaks_h2), files, keys);
  if (!tls) return tls.error();
  plan->tls = *std::move(tls);
  if (!health.body_matches.empty()) {
    plan->body_matches = std::make_unique<re2::RE2>(health.body_matches, re2::RE2::Quiet);
    GH_CHECK(plan->body_matches->ok());
  }
  plan->request = bytes_of(health.request);
  plan->expect = bytes_of(health.expect);
  plan->fingerprint = fingerprint_of(pool, plan->tls);
  return SharedHealthPlan(std::move(plan));
}

}  // namespace gatehouse::l7
