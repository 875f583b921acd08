#include "l7/supervisor/node_status.h"

#include "l7/country_table.h"
#include "l7/http/message.h"
#include "l7/router.h"
#include "l7/path_rules.h"
#include "l7/supervisor/explain_pools.h"
#include "l7/supervisor/worker_scale.h"

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
                          {"in_flight", backend.in_flight}, {"is_ejected", backend.is_ejected}, {"ejections", backend.ejections}, {"weight", backend.weight},
                          {"state", backend.state}, {"is_backup", backend.is_backup}, {"zone", backend.zone}, {"ejected_for", backend.ejected_for}, {"node", node}});
    }
    pools.push_back({{"name", pool.name}, {"backends", std::move(backends)}});
  }
  return pools;
}

// The parts of a URL that routing looks at.
struct Target {
  std::string host;
  std::string path;
  std::string query;
  bool is_https;
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
  rest.erase(std::min(rest.find('#'), rest.size()));
  const std::size_t mark = std::min(rest.find('?'), rest.size());
  return Target{authority.substr(0, colon), rest.substr(0, mark), rest.substr(std::min(mark + 1, rest.size())),
                url.starts_with("https://")};
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs pairs_of(const Json& headers) {
  Pairs pairs;
  for (const Json& header : headers) {
    const bool is_pair = header.is_array() && header.size() == 2 && header[0].is_string() && header[1].is_string();
    if (is_pair) pairs.emplace_back(header[0].get<std::string>(), header[1].get<std::string>());
  }
  return pairs;
}

std::string host_of(const Pairs& headers) {
  for (const auto& [name, value] : headers) {
    if (equals_ignoring_case(name, "host")) return value;
  }
  return {};
}

std::string text_param(const Json& params, const char* name) {
  const auto value = params.find(name);
  return value != params.end() && value->is_string() ? value->get<std::string>() : std::string();
}

bool has_pool(const config::Route& route, const std::string& name) {
  return std::any_of(route.pools.begin(), route.pools.end(), [&name](const auto& pool) { return pool.name == name; });
}

// What the route does in place of asking a pool, or with the request on its way; empty: nothing.
std::string action_of(const config::Route& route) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (route.redirect) {
    const config::Redirect& to = *route.redirect;
    std::string where = to.target;
    for (const auto& [name, value] : {std::pair("scheme", to.scheme), {"host", to.host}, {"path", to.path}, {"replace_prefix", to.replace_prefix},
                                      {"query", to.query.value_or("")}}) {
      if (!value.empty()) where += (where.empty() ? "" : ", ") + std::string(name) + " " + value;
    }
    if (to.query && to.query->empty()) where += ", no query";
    add("redirect " + std::to_string(to.status) + " to " + where);
  }
  if (route.response) {
    const std::string& file = route.response->file;
    add("response " + std::to_string(route.response->status) + ", " +
        (file.empty() ? std::to_string(route.response->body.size()) + " bytes" : "the file " + file));
  }
  if (route.rewrite) {
    if (!route.rewrite->host.empty()) add("asks for host " + route.rewrite->host);
    if (!route.rewrite->path.empty()) add("asks for path " + route.rewrite->path);
    if (!route.rewrite->replace_prefix.empty()) add("path prefix becomes " + route.rewrite->replace_prefix);
    if (route.rewrite->strip_prefix) add("path prefix is stripped");
    if (!route.rewrite->regex.empty()) add("path " + route.rewrite->regex + " becomes " + route.rewrite->substitution);
    const config::QueryChanges query = route.rewrite->query.value_or(config::QueryChanges());
    for (const config::QueryParameter& parameter : query.set) add("query parameter " + parameter.name + " set to " + parameter.value);
    for (const config::QueryParameter& parameter : query.add) add("query parameter " + parameter.name + " added: " + parameter.value);
    for (const std::string& name : query.remove) add("query parameter " + name + " removed");
  }
  const auto add_changes = [&add](const char* whose, const config::HeaderChanges& changes) {
    for (const config::HeaderValue& field : changes.set) add(std::string(whose) + " field " + field.name + " set to " + field.value);
    for (const config::HeaderValue& field : changes.add) add(std::string(whose) + " field " + field.name + " added: " + field.value);
    for (const std::string& name : changes.remove) add(std::string(whose) + " field " + name + " removed");
  };
  add_changes("request", route.request_headers);
  add_changes("response", route.response_headers);
  return text;
}

}  // namespace

Json scale_report(const WorkerScale& scale, std::uint32_t serving) {
  return {{"configured", scale.configured()}, {"wanted", scale.count()}, {"why", scale.why()}, {"serving", serving}};
}

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

namespace {

// The listener of that name, or the first that speaks HTTP; nullptr: there is none.
const config::Listener* listener_of(const config::Config& config, const std::string& name) {
  const auto is_it = [&name](const config::Listener& each) { return name.empty() ? each.mode == "http" : each.name == name; };
  const auto found = std::find_if(config.listeners.begin(), config.listeners.end(), is_it);
  return found == config.listeners.end() ? nullptr : &*found;
}

// As though a trusted proxy had sent the request.
CountryCode country_of(const config::Config& config, const RouteAsk& ask, const ExplainFacts& facts) {
  const http::Field* field = config.countries.header.empty() ? nullptr : ask.fields->find(config.countries.header);
  if (const auto said = CountryCode::parse(field ? field->value : std::string_view())) return *said;
  if (!facts.files || ask.client.is_unspecified()) return {};
  return CountryTable::from_bytes(facts.files->text_of(config.countries.database)).find(ask.client);
}

}  // namespace

Result<Json> explain_request(const config::Config& config, const Json& params, const ExplainFacts& facts) {
  const auto url = params.find("url");
  if (url == params.end() || !url->is_string()) return Error{"explain: expected a URL"};
  const Pairs headers = pairs_of(params.value("headers", Json::array()));
  const auto target = parse_url(url->get<std::string>(), host_of(headers));
  if (!target) return target.error();
  const std::string method = text_param(params, "method"), client = text_param(params, "client");
  const auto address = IpAddress::parse(client);
  if (!client.empty() && !address) return Error{"explain: expected a client's address, found \"" + client + "\""};
  http::Fields fields;
  for (const auto& [name, value] : headers) fields.add({name, value});
  const std::string name = text_param(params, "listener");
  const config::Listener* listener = listener_of(config, name);
  if (!listener && !name.empty()) return Error{"explain: there is no [[listener]] \"" + name + "\""};
  std::string_view path = target->path;
  std::string scratch;
  const char* refusal = listener ? PathRules(listener->paths).apply(path, scratch) : nullptr;
  if (refusal) {
    return Json{{"host", target->host}, {"path", target->path}, {"route", nullptr}, {"pool", nullptr}, {"status", 400},
                {"refusal", "listener " + listener->name + " refuses " + std::string(refusal)}};
  }
  RouteAsk ask{target->host, path, method, target->query, &fields, address.value_or(IpAddress())};
  const std::string subject = text_param(params, "client_subject");
  if (target->is_https) ask.tls = {"TLSv1.3", target->host, subject};  // as the clients of today would
  const CountryCode country = country_of(config, ask, facts);
  ask.country = country.view();
  const Router router(config.routes);
  const auto [route, match] = router.find(ask);
  Json why = Json::array();
  for (const Router::Reason& reason : router.explain(ask)) {
    const config::Route& asked = config.routes[reason.route];
    Json& added = why.emplace_back(Json{{"route", asked.name}, {"is_match", reason.is_match}, {"why", reason.why}});
    if (!asked.matches.empty()) added["match"] = reason.match + 1;
  }
  Json answer = {{"host", target->host}, {"path", path}, {"route", nullptr}, {"pool", nullptr}, {"status", 404},
                 {"why", std::move(why)}, {"backends", Json::array()}};
  if (path != target->path) answer["path_sent"] = target->path;
  if (route == Router::kNoRoute) return answer;
  if (!country.view().empty()) answer["country"] = country.view();
  answer["route"] = config.routes[route].name;
  const config::Route& chosen = config.routes[route];
  if (!chosen.matches.empty()) answer["match"] = std::to_string(match + 1) + " of " + std::to_string(chosen.matches.size());
  if (!chosen.pool.empty()) answer["pool"] = chosen.pool;
  answer["priority_class"] = chosen.priority_class;
  answer["status"] = nullptr;
  if (chosen.redirect) answer["status"] = chosen.redirect->status;
  if (chosen.response) answer["status"] = chosen.response->status;
  if (const std::string action = action_of(chosen); !action.empty()) answer["action"] = action;
  if (chosen.mirror) answer["mirror"] = std::to_string(chosen.mirror->percent) + " percent to " + chosen.mirror->pool;
  if (facts.adjustments && !chosen.pools.empty())
    explain_pools(answer, chosen, fields, facts.adjustments->arms_of(chosen), facts.cookie_keys);
  const auto pool = std::find_if(config.pools.begin(), config.pools.end(), [&](const config::Pool& each) { return each.name == answer["pool"]; });
  if (pool != config.pools.end()) explain_terms(answer, chosen, *pool, listener ? *listener : config::Listener());
  for (const control::BackendReport& backend : facts.report.backends) {
    const bool is_of_it = backend.pool == chosen.pool || has_pool(chosen, backend.pool);
    if (!is_of_it) continue;
    Json& added = answer["backends"].emplace_back(
        Json{{"address", gatehouse::to_string(backend.address)}, {"is_healthy", backend.is_healthy}, {"reason", backend.reason}});
    if (!chosen.pools.empty()) added["pool"] = backend.pool;
  }
  return answer;
}

}  // namespace gatehouse::l7
