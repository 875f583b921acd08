#include "l4/site_status.h"

#include <netinet/in.h>

#include <map>

#include "l4/counters.h"
#include "l4/service_status.h"
#include "l4/user_tables.h"

namespace gatehouse::l4 {
namespace {

using Json = nlohmann::json;

Json verdicts_of(const Tables& tables) {
  const VerdictCounts counts = verdict_counts(tables);
  Json verdicts = Json::object();
  for (std::size_t verdict = 0; verdict < counts.size(); ++verdict) {
    if (counts[verdict]) verdicts[gh_verdict_names[verdict]] = counts[verdict];
  }
  return verdicts;
}

void add_traffic(Json& object, const gh_traffic& traffic) {
  object["packets"] = traffic.packets;
  object["bytes"] = traffic.bytes;
  object["opened"] = traffic.opened;
  object["icmp_errors"] = traffic.errors;
}

Json vips_of(Director& director) {
  Json vips = Json::array();
  for (const config::Vip& vip : director.config().vips) {
    vips.push_back({{"name", vip.name}, {"address", to_string(vip.address)}, {"port", vip.port}, {"protocol", vip.protocol}});
    add_traffic(vips.back(), vip_traffic(director.plane().tables(), director.vip_number(vip)));
  }
  return vips;
}

Json workers_of(const control::NodeReport& report) {
  Json workers = Json::array();
  for (const control::WorkerReport& worker : report.workers) {
    workers.push_back(control::status_of(worker));
  }
  return workers;
}

Json certificates_of(const control::NodeReport& report) {
  Json certificates = Json::array();
  for (const control::CertificateReport& certificate : report.certificates) certificates.push_back(control::to_json(certificate));
  return certificates;
}

std::string reason_of(const Director::Node& node, bool is_connected) {
  if (!node.has_joined) return "has not said hello";
  if (!node.probe->reason().empty()) return "probe: " + node.probe->reason();
  return is_connected ? "" : "no control link";
}

Json nodes_of(Director& director, const std::vector<std::uint16_t>& connected) {
  Json nodes = Json::array();
  for (const auto& [id, node] : director.nodes()) {
    const bool is_connected = std::find(connected.begin(), connected.end(), id) != connected.end();
    nodes.push_back({{"id", id}, {"name", node.config.name}, {"address", to_string(node.config.address)},
                     {"state", to_string(director.state_of(node))}, {"is_connected", is_connected},
                     {"is_probe_ok", node.probe->is_up()}, {"reason", reason_of(node, is_connected)},
                     {"weight", node.config.weight},
                     {"weight_now", std::uint64_t{node.config.weight} * director.weights().factor_of(id) / Member::kNeutral},
                     {"share", director.rings().share_of(id)},
                     {"connections", node.has_report ? node.report.connections : 0},
                     {"config_digest", node.report.config_digest}, {"workers", workers_of(node.report)},
                     {"certificates", certificates_of(node.report)}});
    add_traffic(nodes.back(), node_traffic(director.plane().tables(), id));
    if (node.report.cpu_use) nodes.back()["cpu_use"] = *node.report.cpu_use / 1000.0;
  }
  return nodes;
}

// Each node checks the backends itself: all their verdicts are shown.
Json pools_of(Director& director) {
  Json pools = Json::array();
  for (const config::Pool& pool : director.config().pools) {
    Json backends = Json::array();
    for (const auto& [id, node] : director.nodes()) {
      for (const control::BackendReport& backend : node.report.backends) {
        if (backend.pool != pool.name) continue;
        backends.push_back({{"address", to_string(backend.address)}, {"is_healthy", backend.is_healthy}, {"reason", backend.reason},
                            {"requests", backend.requests}, {"failures", backend.failures}, {"in_flight", backend.in_flight},
                            {"weight", backend.weight}, {"state", backend.state}, {"node", node.config.name}});
      }
    }
    pools.push_back({{"name", pool.name}, {"backends", std::move(backends)}});
  }
  return pools;
}

Result<Endpoint> endpoint_of(const Json& params, const char* name) {
  const auto text = params.find(name);
  const auto endpoint = text != params.end() && text->is_string() ? Endpoint::parse(text->get<std::string>()) : std::nullopt;
  if (!endpoint) return Error{std::string(name) + ": expected address:port such as 203.0.113.7:40000 or [2001:db8::7]:40000"};
  return *endpoint;
}

// What protection does with packets of the source: empty when it is nothing.
std::string guard_of(Director& director, const Explanation& explained, const IpAddress& source) {
  if (explained.guard == GH_UNDECIDED) return explained.is_limited ? "passes, unless it sends more than its limit" : "";
  std::string text = std::string("dropped: ") + gh_verdict_names[explained.guard];
  if (explained.guard != GH_GUARD_DENIED) return text;
  for (const auto& [prefix, list] : director.guard().rules_of(source)) text += ", " + to_string(prefix) + " of " + list;
  return text;
}

}  // namespace

Json site_status(Director& director, const std::string& host, const std::vector<std::uint16_t>& connected) {
  const config::Config& config = director.config();
  const auto& generations = director.membership().generations();
  Json hosts = Json::array();
  for (const config::L4Host& each : config.l4_hosts) {
    hosts.push_back({{"name", each.name}, {"address", to_string(each.address)}, {"is_self", each.name == host}});
  }
  const Json ring = {{"epoch", generations.empty() ? 0 : generations.back().epoch},
                     {"slots", config.ring.slots},
                     {"generations", generations.size()},
                     {"rings", director.rings().ring_count()},
                     {"last_change_us", director.last_change().count()},
                     {"digest", director.rings().digest()}};
  return {{"host", host},
          {"tier", "l4"},
          {"version", GATEHOUSE_VERSION},
          {"config_digest", config.digest},
          {"vips", vips_of(director)},
          {"l4_hosts", std::move(hosts)},
          {"ring", ring},
          {"verdicts", verdicts_of(director.plane().tables())},
          {"prefix_lists", director.guard().status(config)},
          {"nodes", nodes_of(director, connected)},
          {"services", services_status(director)},
          {"pools", pools_of(director)}};
}

Result<Json> explain_flow(Director& director, const Json& params) {
  const auto source = endpoint_of(params, "source");
  if (!source) return source.error();
  const auto vip = endpoint_of(params, "vip");
  if (!vip) return vip.error();
  const Json wanted = params.value("protocol", Json("tcp"));
  if (wanted != "tcp" && wanted != "udp") return Error{"protocol: expected tcp or udp"};
  const auto protocol = wanted.get<std::string>();
  Tables tables = director.plane().tables();
  tables.services.ticks = director.plane().ticks();
  const auto explained = explain_packet(tables, *source, *vip, protocol == "udp" ? IPPROTO_UDP : IPPROTO_TCP);
  if (!explained) return Error{to_string(*vip) + "/" + protocol + " is not a VIP: such packets are left to this host untouched"};
  Json hops = Json::array();
  for (const std::uint16_t id : explained->hops) hops.push_back(hop_status(director, id));
  std::string name;
  for (const config::Vip& each : director.config().vips) {
    if (each.protocol == protocol && director.vip_number(each) == explained->vip) name = each.name;
  }
  std::string why = "the VIP has no ring: no node has been up yet";
  if (!hops.empty()) {
    why = "slot " + std::to_string(explained->slot) + " belongs to " + hops[0]["name"].get<std::string>();
    if (hops.size() > 1) why += "; packets of connections that it does not know go on to the owners before it";
  }
  if (explained->is_remembered) why = "the flow cache remembers " + hops[0]["name"].get<std::string>() + " for this flow";
  const std::string guard = guard_of(director, *explained, source->address);
  return Json{{"vip", name}, {"guard", guard}, {"group", explained->group}, {"slot", explained->slot}, {"epoch", explained->epoch},
              {"node", hops.empty() ? Json() : hops[0]["name"]}, {"hops", std::move(hops)}, {"why", why}};
}

}  // namespace gatehouse::l4
