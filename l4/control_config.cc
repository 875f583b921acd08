// The L4 host's config: how it is checked, used, handed to nodes, and changed on all hosts of the site together.
#include <algorithm>

#include "common/config/load.h"
#include "common/events.h"
#include "common/log.h"
#include "l4/control_server.h"
#include "l4/service_director.h"

namespace gatehouse::l4 {

using control::Json;

namespace {

const config::L4Host* find_host(const config::Config& config, const std::string& name) {
  const auto found = std::find_if(config.l4_hosts.begin(), config.l4_hosts.end(), [&](const auto& host) { return host.name == name; });
  return found == config.l4_hosts.end() ? nullptr : &*found;
}

}  // namespace

void ControlServer::reload(control::Reply reply) {
  manager_.begin_reload();
  take_file([this, reply = std::move(reply)](Result<Json> result) {
    manager_.end_reload();
    if (!result) report_event("config", options_.config_file, "is refused", result.error().message);
    reply(std::move(result));
  });
}

void ControlServer::take_file(control::Reply reply) {
  const config::Loaded loaded = config::load_file(options_.config_file);
  if (!loaded.is_valid()) return reply(Error{loaded.errors()});
  if (const Status may = versions_.check_reload(loaded.config); !may) return reply(may.error());
  if (const Status good = check_room(loaded.config); !good) return reply(good.error());
  if (const Status used = use(loaded.config); !used) return reply(used.error());
  send_config(std::move(reply));
}

// Packets are forwarded on meanwhile, and the interfaces of announcements stay.
void ControlServer::upgrade(control::Reply reply) {
  if (!director_.plane().outlives_process()) return reply(Error{"with DPDK forwarding ends with the process: drain this host and restart it"});
  const auto kept = [this] { return announcer_ ? announcer_->descriptors() : Successor::Kept(); };
  successor_.upgrade(loop_, kept, [reply = std::move(reply)](const Status& good) {
    good ? reply(Json::object()) : reply(good.error());
  });
}

// What is made once, at the start, must be as it was.
Status ControlServer::check_room(const config::Config& config) const {
  const config::Config& old = director_.config();
  const config::L4Host *before = find_host(old, options_.host), *after = find_host(config, options_.host);
  if (!after) return Error{config.file + ": there is no [[l4_host]] \"" + options_.host + "\" any more"};
  const bool is_moved = after->address != before->address || after->interfaces != before->interfaces || after->control != before->control;
  const config::Protection &room = config.protection, &old_room = old.protection;
  const bool is_resized = config.ring.slots != old.ring.slots || flow_lines_of(config) != flow_lines_of(old) ||
                          room.prefixes != old_room.prefixes || room.sources != old_room.sources;
  if (!is_moved && !is_resized) return {};
  return Error{config.file + ": ring.slots, flow_cache.flows, protection.prefixes and sources, and address, interface and control of this L4 host change only with a restart"};
}

Status ControlServer::use(const config::Config& config) {
  if (const Status listening = metrics_.listen(config.metrics.l4); !listening) return listening;
  if (const Status set = director_.set_config(config); !set) return set;
  if (announcer_) announcer_->set_config(config);
  if (const Status taken = identity_.use(config.control); !taken) log_error("{}: the certificate of before stays", taken.error().message);
  links_.follow(config.l4_hosts, options_.host, identity_.identity());
  // Later: it may be the store that brought this config.
  loop_.defer([this] {
    if (const Status opened = open_store(director_.config()); !opened) log_error("{}", opened.error().message);
  });
  log_info("config {:016x} is in use", config.digest);
  report_event("config", fmt::format("{:016x}", config.digest), "is in use");
  std::vector<control::Channel*> gone;
  for (const auto& [id, channel] : connected_) {
    if (!director_.find_node(id)) gone.push_back(channel);
  }
  for (const auto& [name, channel] : hosts_) {
    if (!find_host(config, name)) gone.push_back(channel);
  }
  for (control::Channel* channel : gone) channel->close("this host is in the config no more");
  return {};
}

// Asks every connected node to take our config; answers when all have said what came of it.
void ControlServer::send_config(control::Reply reply) {
  struct Pending {
    Json answer;
    std::size_t left;
    control::Reply reply;
  };
  const config::Config& config = director_.config();
  auto pending = std::make_shared<Pending>(Pending{{{"digest", config.digest}, {"nodes", Json::object()}}, 1, std::move(reply)});
  const auto finish_one = [pending] {
    if (--pending->left == 0) pending->reply(pending->answer);
  };
  const auto connected = connected_;
  for (const auto& [id, channel] : connected) {
    const Director::Node* node = director_.find_node(id);
    if (!node) continue;
    ++pending->left;
    channel->request("config", {{"text", config.text}}, [pending, finish_one, name = node->config.name](Result<Json> result) {
      pending->answer["nodes"][name] = result ? "ok" : result.error().message;
      finish_one();
    });
  }
  finish_one();
}

// ---- Versions ----

void ControlServer::serve_versions() {
  versions::HostVersions::Daemon daemon;
  daemon.name = options_.host;
  daemon.config = [this]() -> const config::Config& { return director_.config(); };
  daemon.on_change = [this] { links_.report_now(); };
  daemon.prepare = [this](const std::string& text) -> Result<versions::Participant::Switch> {
    const auto loaded = std::make_shared<const config::Loaded>(config::load_text(text, options_.config_file));
    if (!loaded->is_valid()) return Error{loaded->errors()};
    if (const Status good = check_room(loaded->config); !good) return good.error();
    if (const Status good = director_.check(loaded->config); !good) return good.error();
    if (loaded->config.store) {
      if (const auto options = etcd::options_of(*loaded->config.store); !options) return options.error();
    }
    return versions::Participant::Switch([this, loaded](control::Reply reply) {
      const Status used = use(loaded->config);
      reply(used ? Result<Json>(Json::object()) : Result<Json>(used.error()));
    });
  };
  daemon.publish = [this](const versions::Version& version, bool absent_ok, std::function<void(Status)> done) {
    store_ ? store_->publish(version, absent_ok, std::move(done)) : done({});
  };
  versions_.serve(loop_, std::move(daemon));
}

Status ControlServer::open_store(const config::Config& config) {
  if (config.store == store_config_) return {};
  store_.reset();
  store_config_ = config.store;
  if (!config.store) return {};
  auto options = etcd::options_of(*config.store);
  if (!options) return options.error();
  etcd::VersionKeeper::Host host{
      [this]() -> const std::optional<versions::Version>& { return versions_.participant().store().committed(); },
      [this](const versions::Version& version) {
        versions_.participant().take(version, [](const Result<Json>& taken) {
          if (!taken) log_error("what the store has cannot be used here: {}", taken.error().message);
        });
      }};
  store_ = std::make_unique<etcd::VersionKeeper>(loop_, std::move(*options), config.store->prefix + config.site.name + "/config", std::move(host));
  return {};
}

control::HostLink::Speaker ControlServer::speaker() {
  return {[this] {
            const control::HostHello hello{control::kProtocolVersion, options_.host, GATEHOUSE_VERSION, versions_.state()};
            return control::HostLink::Message{"hello_host", to_json(hello)};
          },
          [this] { return control::HostLink::Message{"versions", to_json(versions_.state())}; },
          [this](const control::HostLink& from, std::string_view method, const Json& params, control::Reply reply) {
            if (!versions::Participant::takes(method)) return reply(Error{"unknown request \"" + std::string(method) + "\""});
            versions_.participant().on_request(from.host(), method, params, std::move(reply));
          },
          [this](const control::HostLink&, std::string_view method, const Json& params) {
            if (method == "authority") identity_.hear_authority(params);
          }};
}

// Another L4 host, which proves its name as nodes do.
void ControlServer::on_host_hello(control::Channel& channel, const Json& params, control::Reply reply) {
  const auto hello = control::host_hello_from_json(params);
  if (!hello) return reply(hello.error());
  const bool is_known = hello->name != options_.host && find_host(director_.config(), hello->name);
  std::string refusal;
  if (const Status understood = control::check_protocol(hello->protocol); !understood) refusal = understood.error().message;
  if (channel.peer_name() != hello->name) refusal = "the certificate is that of \"" + channel.peer_name() + "\", not of L4 host \"" + hello->name + "\"";
  if (!is_known) refusal = "no other [[l4_host]] \"" + hello->name + "\" in this host's config";
  if (!refusal.empty()) {
    log_warn("{}: hello refused: {}", channel.peer(), refusal);
    return reply(Error{refusal});
  }
  log_info("L4 host {} joins from {}", hello->name, channel.peer());
  hosts_[hello->name] = &channel;
  reply(Json::object());
  tell_authority(channel);
  versions_.coordinator().join(hello->name, channel, hello->versions);
}

void ControlServer::on_host_versions(control::Channel& channel, const Json& params) {
  const auto known = hosts_.find(channel.peer_name());
  if (known == hosts_.end() || known->second != &channel) return channel.close("versions before hello, or of another L4 host");
  const auto state = versions::version_state_from_json(params);
  if (!state) return channel.close(state.error().message);
  versions_.coordinator().hear(channel.peer_name(), *state);
}

// What the nodes' workers have answered, for the watch over a change.
void ControlServer::count_answers() {
  for (const auto& [id, node] : director_.nodes()) {
    for (const control::WorkerReport& worker : node.report.workers) {
      const std::string name = node.config.name + "/" + std::to_string(worker.index);
      versions_.requests().rate().hear(name, worker.pid, {worker.requests, worker.responses_5xx});
    }
  }
  versions_.requests().on_second();
}

}  // namespace gatehouse::l4
