#include "l7/supervisor/node_status.h"

#include "l7/http/message.h"
#include "l7/router.h"

namespace gatehouse::l7 {
namespace {

using Json = nlohmann::json;

Json pools_of(const config::Config& config, const control::NodeReport& report, const std::string& node) {
  Json pools = Json::array();
  for (const config::Pool& pool : config.pools) {
    Json backends = Json::array();
    for (const control::BackendReport& backend : report.backends) {
      if (backend.pool != pool.name) continue;
      backends.push_back({{"address", gatehouse::to_string(backend.address)}, {"is_healthy", backend.is_healthy},
                          {"reason", backend.reason}, {"requests", backend.requests}, {"failures", backend.failures},
                          {"in_flight", backend.in_flight}, {"is_ejected", backend.is_ejected}, {"ejections", backend.ejections}, {"node", node}});
    }
    pools.push_back({{"name", pool.name}, {"backends", std::move(backends)}});
  }
  return pools;
}

// The parts of a URL that routing looks at.
struct Target {
  std::string host;
  std::string path;
};

Result<Target> parse_url(const std::string& url, const std::string& host_header) {
  std::string rest = url;
  std::string authority = host_header;
  if (const std::size_t scheme = rest.find("://"); scheme != std::string::npos) {
    rest.erase(0, scheme + 3);
    const std::size_t slash = rest.find_first_of("/?#");
    if (host_header.empty()) authority = rest.substr(0, slash);
    rest = slash == std::string::npos ? "/" : rest.substr(slash);
  }
  if (!rest.starts_with('/')) rest.insert(0, rest.starts_with('?') ? "/" : "");
  if (!rest.starts_with('/')) return Error{"\"" + url + "\": expected https://HOST/PATH, or /PATH with -H 'Host: …'"};
  const std::size_t colon = authority.ends_with(']') ? std::string::npos : authority.rfind(':');
  return Target{authority.substr(0, colon), rest.substr(0, rest.find_first_of("?#"))};
}

std::string host_header_of(const Json& headers) {
  for (const Json& header : headers) {
    const bool is_pair = header.is_array() && header.size() == 2 && header[0].is_string() && header[1].is_string();
    if (is_pair && http::equals_ignoring_case(header[0].get<std::string>(), "host")) return header[1].get<std::string>();
  }
  return {};
}

}  // namespace

Json node_status(const config::Config& config, const config::Node& node, const control::NodeReport& report,
                 const std::vector<Steering::Count>& verdicts) {
  Json workers = Json::array(), vips = Json::array(), hosts = Json::array(), counts = Json::object();
  std::uint64_t requests = 0;
  for (const control::WorkerReport& worker : report.workers) {
    workers.push_back(control::status_of(worker));
    requests += worker.requests;
  }
  for (const config::Vip& vip : config.vips) {
    vips.push_back({{"name", vip.name}, {"address", gatehouse::to_string(vip.address)}, {"port", vip.port}, {"protocol", vip.protocol}});
  }
  for (const config::L4Host& host : config.l4_hosts) {
    hosts.push_back({{"name", host.name}, {"address", gatehouse::to_string(host.address)}, {"is_self", false}});
  }
  for (const Steering::Count& count : verdicts) counts[count.name] = count.packets;
  const std::string name = node.id ? node.name : "gatehouse";
  Json self = {{"id", node.id},       {"name", name},
               {"state", report.is_draining ? "draining" : "active"},
               {"weight", node.weight}, {"connections", report.connections},
               {"requests", requests}, {"config_digest", report.config_digest}, {"workers", std::move(workers)}};
  self["certificates"] = Json::array();
  for (const control::CertificateReport& certificate : report.certificates) self["certificates"].push_back(control::to_json(certificate));
  if (report.cpu_use) self["cpu_use"] = *report.cpu_use / 1000.0;
  if (node.id) self["address"] = gatehouse::to_string(node.address);
  return {{"host", name},
          {"tier", "l7"},
          {"version", GATEHOUSE_VERSION},
          {"config_digest", report.config_digest},
          {"vips", std::move(vips)},
          {"l4_hosts", std::move(hosts)},
          {"verdicts", std::move(counts)},
          {"nodes", Json::array({std::move(self)})},
          {"pools", pools_of(config, report, name)}};
}

Result<Json> explain_request(const config::Config& config, const Json& params, const control::NodeReport& report) {
  const auto url = params.find("url");
  if (url == params.end() || !url->is_string()) return Error{"explain: expected a URL"};
  const auto target = parse_url(url->get<std::string>(), host_header_of(params.value("headers", Json::array())));
  if (!target) return target.error();
  const Router router(config.routes);
  const std::size_t route = router.match(target->host, target->path);
  Json why = Json::array();
  for (const Router::Reason& reason : router.explain(target->host, target->path)) {
    why.push_back({{"route", config.routes[reason.route].name}, {"is_match", reason.is_match}, {"why", reason.why}});
  }
  Json answer = {{"host", target->host}, {"path", target->path}, {"route", nullptr}, {"pool", nullptr}, {"status", 404},
                 {"why", std::move(why)}, {"backends", Json::array()}};
  if (route == Router::kNoRoute) return answer;
  answer["route"] = config.routes[route].name;
  answer["pool"] = config.routes[route].pool;
  answer["status"] = nullptr;
  for (const control::BackendReport& backend : report.backends) {
    if (backend.pool != config.routes[route].pool) continue;
    answer["backends"].push_back({{"address", gatehouse::to_string(backend.address)}, {"is_healthy", backend.is_healthy}, {"reason", backend.reason}});
  }
  return answer;
}

}  // namespace gatehouse::l7
