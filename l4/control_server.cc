#include "l4/control_server.h"

#include <algorithm>

#include "common/config/findings.h"
#include "common/events.h"
#include "common/log.h"
#include "l4/site_status.h"

namespace gatehouse::l4 {

using control::Json;

Status ControlServer::start() {
  control::Handlers operators;
  serve_versions();
  if (const Status opened = open_store(director_.config()); !opened) return opened;
  operators.on_request = [this](control::Channel& channel, std::string_view method, const Json& params, control::Reply reply) {
    if (!versions::Requests::takes(method)) return on_operator_request(method, params, std::move(reply));
    versions_.requests().on_request(versions::name_of_user(static_cast<unsigned>(channel.peer_uid())), method, params, std::move(reply));
  };
  auto unix_server = control::listen_unix(loop_, options_.socket, std::move(operators));
  if (!unix_server) return unix_server.error();
  operators_ = std::move(*unix_server);
  on_second();
  director_.weights().on_say([this](const control::Weights& weights) { say_weights(weights); });

  const config::Config& config = director_.config();
  if (const Status listening = metrics_.listen(config.metrics.l4); !listening) return listening;
  const auto self = std::find_if(config.l4_hosts.begin(), config.l4_hosts.end(), [&](const auto& host) { return host.name == options_.host; });
  GH_CHECK(self != config.l4_hosts.end());
  if (const Status used = identity_.use(config.control); !used) return used;
  links_.follow(config.l4_hosts, options_.host, identity_.identity());
  if (!self->control) return {};
  control::Handlers nodes;
  nodes.on_request = [this](control::Channel& channel, std::string_view method, const Json& params, control::Reply reply) {
    on_node_request(channel, method, params, std::move(reply));
  };
  nodes.on_notify = [this](control::Channel& channel, std::string_view method, const Json& params, std::vector<Fd>&) {
    on_node_notify(channel, method, params);
  };
  nodes.on_close = [this](control::Channel& channel, const std::string& reason) {
    const auto is_it = [&](const auto& entry) { return entry.second == &channel; };
    const auto removed = std::erase_if(connected_, is_it) + std::erase_if(hosts_, is_it);
    versions_.coordinator().leave(channel);
    if (removed) log_warn("{}: link lost: {}; its traffic goes on", channel.peer(), reason);
    // One that proved its name has been told, and logged, why it was refused.
    if (!removed && channel.peer_name().empty()) log_warn("a peer was refused: {}", reason);
  };
  auto tcp_server = control::listen_tcp(loop_, *self->control, identity_.identity(), std::move(nodes), strangers());
  if (!tcp_server) return tcp_server.error();
  nodes_ = std::move(*tcp_server);
  return {};
}

Json ControlServer::status() {
  std::vector<std::uint16_t> connected;
  for (const auto& [id, channel] : connected_) connected.push_back(id);
  Json status = site_status(director_, options_.host, connected);
  status["began_ms"] = successor_.began_ms();
  if (store_) status["store"] = {{"problem", store_->problem()}};
  status["config_version"] = to_json(versions_.state());
  if (Json identity = identity_.status(); !identity.is_null()) status["identity"] = std::move(identity);
  if (announcer_) status["announcements"] = announcer_->status();
  for (const Port& port : director_.plane().ports()) {
    status["interfaces"].push_back({{"name", port.name}, {"mode", port.mode.empty() ? "gone" : port.mode}});
  }
  return status;
}

void ControlServer::on_second() {
  second_.arm<&ControlServer::on_second>(loop_, Duration(1'000), this);
  rates_.remember(status(), loop_.now());
  manager_.set_status(summary());
  count_answers();
  tell_authority();
}

std::string ControlServer::summary() {
  std::string text = "forwarding on";
  for (const Port& port : director_.plane().ports()) text += " " + port.name + " (" + (port.mode.empty() ? "gone" : port.mode) + ")";
  const auto& nodes = director_.nodes();
  const auto active = std::count_if(nodes.begin(), nodes.end(), [this](const auto& each) { return director_.state_of(each.second) == MemberState::kActive; });
  return text + ", " + std::to_string(active) + " of " + std::to_string(nodes.size()) + " nodes active";
}

void ControlServer::on_operator_request(std::string_view method, const Json& params, control::Reply reply) {
  if (method == "status") {
    Json answer = status();
    rates_.add_to(answer, loop_.now());
    return reply(std::move(answer));
  }
  if (method == "events") return reply(answer_events(params));
  if (method == "upgrade") return upgrade(std::move(reply));
  if (method == "drain") return relay_drain(params, std::move(reply));
  if (method == "scale") return relay_.ask_one(method, params, std::move(reply));
  if (method == "weight" || method == "backend") return relay_.ask_all(method, params, std::move(reply));
  if (method == "token") return reply(desk_.make_token(params));
  if (method == "reload") return reload(std::move(reply));
  if (method == "explain") return relay_.ask_any(method, params, std::move(reply));  // routes are the nodes' business
  if (method == "prefix") return reply(director_.guard().request(params));
  if (method == "capture") return capture(params, std::move(reply));
  if (method == "explain_packet") return reply(explain_flow(director_, params));
  reply(Error{"unknown request \"" + std::string(method) + "\""});
}

Status ControlServer::check_hello(const control::Channel& channel, const control::Hello& hello) const {
  if (const Status understood = control::check_protocol(hello.protocol); !understood) return understood;
  if (channel.peer_name() != hello.name) {
    return Error{"the certificate is that of \"" + channel.peer_name() + "\", not of node \"" + hello.name + "\""};
  }
  const Director::Node* node = director_.find_node(hello.node);
  if (!node || node->config.name != hello.name) {
    return Error{"no [[node]] with id " + std::to_string(hello.node) + " and name \"" + hello.name + "\" in this host's config"};
  }
  if (node->config.address != hello.address) {
    return Error{"node \"" + hello.name + "\" has address " + to_string(node->config.address) + " here, not " + to_string(hello.address)};
  }
  return {};
}

void ControlServer::on_node_request(control::Channel& channel, std::string_view method, const Json& params, control::Reply reply) {
  if (method == "hello_host") return on_host_hello(channel, params, std::move(reply));
  if (method == "renew") return on_renew(channel, params, std::move(reply));
  if (method != "hello") return reply(Error{"a node may say hello and report, not \"" + std::string(method) + "\""});
  const auto hello = control::hello_from_json(params);
  if (!hello) return reply(hello.error());
  if (const Status good = check_hello(channel, *hello); !good) {
    log_warn("{}: hello refused: {}", channel.peer(), good.error().message);
    return reply(good.error());
  }
  const auto known = connected_.find(hello->node);
  if (known != connected_.end() && known->second != &channel) known->second->close("the node dialled again");
  connected_[hello->node] = &channel;
  log_info("node {} joins from {}", hello->name, channel.peer());
  if (hello->config_digest != director_.config().digest && !versions_.state().committed.exists()) {
    log_warn("node {} runs config {:016x}, this host {:016x}: reload brings them together", hello->name, hello->config_digest,
             director_.config().digest);
  }
  director_.on_hello(hello->node);
  reply(Json::object());
  tell_authority(channel);
  versions_.coordinator().join(hello->name, channel, hello->versions.value_or(versions::VersionState()));
}

void ControlServer::on_node_notify(control::Channel& channel, std::string_view method, const Json& params) {
  if (method == "weights") {
    const auto weights = control::weights_from_json(params);
    if (!weights) return channel.close(weights.error().message);
    director_.weights().hear(*weights);
    return;
  }
  if (method == "versions") return on_host_versions(channel, params);
  if (method != "health") return channel.close("a node may say hello and report, not \"" + std::string(method) + "\"");
  const auto report = control::node_report_from_json(params);
  if (!report) return channel.close(report.error().message);
  const auto link = connected_.find(report->node);
  if (link == connected_.end() || link->second != &channel) return channel.close("a report before hello, or of another node");
  if (director_.find_node(report->node)) director_.on_report(*report);
  if (report->versions) versions_.coordinator().hear(channel.peer_name(), *report->versions);
}

void ControlServer::relay_drain(const Json& params, control::Reply reply) {
  const auto name = params.find("node");
  if (name == params.end() || !name->is_string()) return reply(Error{"drain: expected node and on"});
  const std::string node = name->get<std::string>();
  if (node == options_.host && director_.config().bgp) return drain_host(params, std::move(reply));
  if (director_.services().has_server(node)) return drain_server(node, params, std::move(reply));
  std::vector<std::string> names;
  for (const auto& [id, each] : director_.nodes()) names.push_back(each.config.name);
  for (const config::Service& service : director_.config().services) {
    for (const config::Server& server : service.servers) names.push_back(server.name);
  }
  if (director_.config().bgp) names.push_back(options_.host);
  const bool is_known = std::find(names.begin(), names.end(), node) != names.end();
  if (!is_known) return reply(Error{"there is no node \"" + node + "\"" + config::suggest(node, names)});
  relay_.ask_one("drain", params, std::move(reply));
}

// A server has no agent that could remember: this host does, and every L4 host must be told.
void ControlServer::drain_server(const std::string& server, const Json& params, control::Reply reply) {
  const auto is_on = params.find("on");
  if (is_on == params.end() || !is_on->is_boolean()) return reply(Error{"drain: expected node and on"});
  if (const Status drained = director_.services().drain(server, is_on->get<bool>()); !drained) return reply(drained.error());
  report_event("drain", "server " + server, is_on->get<bool>() ? "begins" : "ends", "an operator said so");
  reply(Json::object());
}

// Its own announcements alone: packets that come all the same are forwarded as ever.
void ControlServer::drain_host(const Json& params, control::Reply reply) {
  const auto is_on = params.find("on");
  if (is_on == params.end() || !is_on->is_boolean()) return reply(Error{"drain: expected node and on"});
  if (!announcer_) return reply(Error{"this host begins: try again"});
  if (const Status drained = announcer_->drain(is_on->get<bool>()); !drained) return reply(drained.error());
  report_event("drain", options_.host, is_on->get<bool>() ? "begins" : "ends", "an operator said so");
  reply(Json::object());
}

void ControlServer::capture(const Json& params, control::Reply reply) {
  if (capture_) return reply(Error{"somebody captures already: one capture at a time"});
  const auto request = Capture::parse(params, director_);
  if (!request) return reply(request.error());
  capture_ = std::make_unique<Capture>(loop_, director_.plane(), *request, reply,
                                       [this] { loop_.defer([this] { capture_.reset(); }); });
  const Status started = capture_->start();
  if (started) return;
  capture_.reset();
  reply(started.error());
}

// By way of three nodes, others each time: one that has no link to another L4 host is not the only messenger.
void ControlServer::say_weights(const control::Weights& weights) {
  const auto count = std::min<std::size_t>(connected_.size(), 3);
  auto messenger = connected_.upper_bound(last_messenger_);
  for (std::size_t i = 0; i < count; ++i) {
    if (messenger == connected_.end()) messenger = connected_.begin();
    last_messenger_ = messenger->first;
    messenger++->second->notify("weights", control::to_json(weights));
  }
}

}  // namespace gatehouse::l4
