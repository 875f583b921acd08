#include "l7/supervisor/supervisor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/config/findings.h"
#include "common/config/load.h"
#include "common/daemon.h"
#include "common/events.h"
#include "common/limits.h"
#include "common/json_fields.h"
#include "common/log.h"
#include "common/metrics/metrics.h"
#include "l7/backend/dial.h"
#include "l7/supervisor/node_status.h"

namespace gatehouse::l7 {
namespace {

using control::Json;

// For the L4 hosts to take a node out of its rings, once it has said that it is leaving.
constexpr Duration kFarewell{500};
// Beside that and the workers' drain, until all of them are gone, by force if need be.
constexpr Duration kPatience{5'000};

// A client's and a backend's for each connection; what is worth a word where nothing bounds them.
std::uint64_t descriptors_for(const config::Config& config) {
  constexpr std::uint64_t kOwn = 512, kMany = 65'536;
  std::uint64_t sum = kOwn;
  for (const config::Listener& listener : config.listeners) {
    if (listener.max_connections == 0) return kMany;
    sum += 2 * std::uint64_t{listener.max_connections};
  }
  return sum;
}

}  // namespace

Supervisor::Supervisor(EventLoop& loop, Successor& successor, Options options)
    : loop_(loop), successor_(successor), options_(std::move(options)), manager_(loop),
      scale_(options_.state_folder + "/scale", WorkerScale::cores_here()),
      links_(loop, speaker()),
      identity_(loop, [this](const std::string& request, control::Reply reply) {
        links_.ask_any("renew", {{"request", request}}, std::move(reply));
      }),
      metrics_(loop, [this] { return metrics::metrics_of(status()); }) {
  tls_ = std::make_unique<TlsStore>(loop_, [this] { on_files_replaced(); });
  tickets_ = std::make_unique<TicketKeeper>(loop_, [this] {
    if (workers_) workers_->send_ticket_keys();
  });
}

Status Supervisor::rehearse(const Options& options) {
  EventLoop loop;
  const auto versions = versions::HostVersions::open(options.versions_folder);
  if (!versions) return versions.error();
  const config::Loaded loaded = (*versions)->load(options.config_file);
  if (!loaded.is_valid()) return Error{loaded.errors()};
  if (const auto files = TlsStore(loop, [] {}).read(loaded.config); !files) return files.error();
  if (const auto identity = control::load_tls_identity(loaded.config.control); !identity) return identity.error();
  return {};
}

Status Supervisor::start() {
  auto versions = versions::HostVersions::open(options_.versions_folder);
  if (!versions) return versions.error();
  versions_ = std::move(*versions);
  config::Loaded loaded = versions_->load(options_.config_file);
  if (!loaded.is_valid()) return Error{loaded.errors()};
  for (const config::Finding& finding : loaded.findings) log_warn("{}", finding.text);
  // Workers inherit it.
  const std::string few = raise_descriptor_limit(descriptors_for(loaded.config), "a worker's connections");
  if (!few.empty()) log_warn("{}", few);
  auto prepared = prepare(std::move(loaded.config));
  if (!prepared) return prepared.error();
  config_ = std::move(prepared->config);
  node_ = std::move(prepared->node);
  scale_.set_config(config_.workers);
  auto lock = lock_state_folder(options_.state_folder);
  if (!lock) return lock.error();
  lock_ = std::move(*lock);
  // Workers reach their socket in it as another user; everything in it has its own mode.
  chmod(options_.state_folder.c_str(), 0711);
  serve_versions();
  begin_discovery();
  if (const Status listening = listen(); !listening) return listening;
  if (const Status listening = metrics_.listen(config_.metrics.l7); !listening) return listening;
  if (const Status opened = open_board_and_steering(config_); !opened) return opened;
  is_draining_ = access(drain_file().c_str(), F_OK) == 0;
  prober_ = std::make_unique<Prober>(loop_, *board_, [this] { report_soon(); });
  prober_->set_config(config_, prepared->files);
  tls_->use(config_, std::move(prepared->files));
  tickets_->set_cookie_secrets(std::move(prepared->cookie_secrets));
  tickets_->set_config(config_.tls, std::move(prepared->ticket_secret));
  workers_ = std::make_unique<WorkerProcesses>(
      loop_, *board_, WorkerProcesses::Options{options_.state_folder, options_.node, steering_.get(), *tls_, *tickets_},
      [this] { report_soon(); });
  // Beside BPF and XDP: low ports and keys at a reload; to start workers as another user, and to end them.
  const Status kept = keep_capabilities({"cap_bpf", "cap_net_admin", "cap_perfmon", "cap_net_bind_service", "cap_dac_read_search",
                                         "cap_setuid", "cap_setgid", "cap_kill"});
  if (!kept) log_warn("running with the privileges there are: {}", kept.error().message);
  if (const Status started = workers_->start(config_, scale_.count()); !started) return started;
  if (steering_) {
    if (const Status attached = steering_->attach(); !attached) return attached;
  }
  connect_site();
  on_second();
  log_info("serving {} with {} workers", config_.file, scale_.count());
  return {};
}

// This one, of id 0 on a host without an L4 tier.
Result<config::Node> Supervisor::find_node(const config::Config& config) const {
  if (options_.node.empty()) return config::Node();
  for (const config::Node& node : config.nodes) {
    if (node.name != options_.node) continue;
    if (node_.id != 0 && (node.id != node_.id || node.address != node_.address || node.interface != node_.interface)) {
      return Error{config.file + ": id, address and interface of node \"" + node.name + "\" change only with a restart of it"};
    }
    return node;
  }
  std::vector<std::string> names;
  for (const config::Node& node : config.nodes) names.push_back(node.name);
  return Error{config.file + ": there is no [[node]] \"" + options_.node + "\"" + config::suggest(options_.node, names)};
}

Status Supervisor::open_board_and_steering(const config::Config& config) {
  auto board = Board::open(options_.state_folder + "/board");
  if (!board) return board.error();
  board_ = std::move(*board);
  adjustments_ = std::make_unique<Adjustments>(*board_);
  latencies_ = std::make_unique<Latencies>(*board_);
  settle();
  if (node_.id == 0) return {};
  auto steering = Steering::open({options_.pin_folder, node_});
  if (!steering) return steering.error();
  steering_ = std::move(*steering);
  return steering_->set_config(config, scale_.count());
}

// What was set at run time, and what the config of now makes of it.
Json Supervisor::settle() {
  Json notes = Json::array();
  is_forgetting_due_ = true;
  latencies_->set_config(config_);
  for (const std::string& note : adjustments_->settle(config_)) {
    log_warn("{}", note);
    notes.push_back(note);
  }
  return notes;
}

Status Supervisor::listen() {
  control::Handlers handlers;
  handlers.on_request = [this](control::Channel& channel, std::string_view method, const Json& params, control::Reply reply) {
    on_operator_request(channel, method, params, std::move(reply));
  };
  auto server = control::listen_unix(loop_, options_.state_folder + "/control.sock", std::move(handlers));
  if (!server) return server.error();
  control_ = std::move(*server);
  return identity_.use(config_.control);
}

void Supervisor::connect_site() {
  if (const Status taken = identity_.use(config_.control); !taken) log_error("{}: the certificate of before stays", taken.error().message);
  if (node_.id != 0) links_.follow(config_.l4_hosts, node_.name, identity_.identity());
}

control::HostLink::Speaker Supervisor::speaker() {
  return {[this] { return control::HostLink::Message{"hello", to_json(hello())}; },
          [this] { return control::HostLink::Message{"health", to_json(report())}; },
          [this](const control::HostLink& from, std::string_view method, const Json& params, control::Reply reply) {
            if (!versions::Participant::takes(method)) return on_request(method, params, std::move(reply));
            versions_->participant().on_request(from.host(), method, params, std::move(reply));
          },
          // What an L4 host tells the others by way of this node.
          [this](const control::HostLink& from, std::string_view method, const Json& params) {
            if (method == "authority") identity_.hear_authority(params);
            if (method != "weights") return;
            for (const auto& link : links_.all()) {
              if (link.get() != &from) link->notify(method, params);
            }
          }};
}

// What changes the config of a site begins at an L4 host; a host without that tier is its own site.
void Supervisor::serve_versions() {
  versions::HostVersions::Daemon daemon;
  daemon.name = node_.id ? node_.name : "this host";
  if (node_.id) daemon.why_no_changes = "this is a node: ask an L4 host, which tells all of them";
  daemon.config = [this]() -> const config::Config& { return config_; };
  daemon.on_change = [this] { report_soon(); };
  daemon.prepare = [this](const std::string& text) -> Result<versions::Participant::Switch> {
    auto prepared = prepare_text(text);
    if (!prepared) return prepared.error();
    discovery_->look_ahead(prepared->config);
    const auto ready = std::make_shared<Prepared>(std::move(*prepared));
    return versions::Participant::Switch(
        [this, ready](control::Reply reply) { apply(std::move(*ready), reloading(std::move(reply))); });
  };
  versions_->serve(loop_, std::move(daemon));
}

void Supervisor::on_operator_request(control::Channel& channel, std::string_view method, const Json& params, control::Reply reply) {
  if (method == "events") return reply(answer_events(params));
  if (method == "upgrade") return upgrade(std::move(reply));
  if (method == "replace_workers") return replace_workers(std::move(reply));
  if (!versions::Requests::takes(method)) return on_request(method, params, std::move(reply));
  versions_->requests().on_request(versions::name_of_user(static_cast<unsigned>(channel.peer_uid())), method, params, std::move(reply));
}

void Supervisor::on_request(std::string_view method, const Json& params, control::Reply reply) {
  if (method == "status") {
    Json answer = status();
    rates_.add_to(answer, loop_.now());
    return reply(std::move(answer));
  }
  if (method == "drain") return set_drain(params, std::move(reply));
  if (method == "scale") return scale(params, std::move(reply));
  if (method == "reload") return reload_file(reloading(std::move(reply)));
  if (method == "explain") {
    const control::NodeReport now = report();
    return reply(explain_request(config_, params, {now, adjustments_.get(), tickets_->cookie_keys(), &tls_->files()}));
  }
  if (method == "backend") {
    auto answer = adjustments_->set_backend(config_, params, loop_.now());
    if (answer) {
      report_event("backend", text_of(member(params, "address")) + " of pool " + text_of(member(params, "pool")),
                   "was told to " + text_of(member(params, "action")), "an operator said so");
    }
    if (answer) prober_->set_config(config_, tls_->files());  // those that are disabled are not checked
    report_soon();
    return reply(std::move(answer));
  }
  if (method == "weight") return reply(adjustments_->set_weight(config_, params));
  if (method != "config") return reply(Error{"unknown request \"" + std::string(method) + "\""});
  const auto text = params.find("text");
  if (text == params.end() || !text->is_string()) return reply(Error{"config: expected text"});
  reload(text->get<std::string>(), reloading(std::move(reply)));
}

void Supervisor::reload_by_signal() {
  reload_file(reloading([](Result<Json> result) {
    if (!result) log_error("reload refused:\n{}", result.error().message);
  }));
}

void Supervisor::reopen_access_log() { workers_->send_access_log(); }

control::Reply Supervisor::reloading(control::Reply reply) {
  manager_.begin_reload();
  return [this, reply = std::move(reply)](Result<Json> result) {
    manager_.end_reload();
    if (!result) report_event("config", options_.config_file, "is refused", result.error().message);
    reply(std::move(result));
  };
}

// Ready is who has a worker for its listeners, and nobody who is about to have them.
void Supervisor::tell_manager() {
  if (on_stopped_) return;
  const auto [serving, expected] = workers_->serving();
  const std::string text = std::to_string(serving) + " of " + std::to_string(workers_->count()) + " workers serve " +
                           config_.file + (is_draining_ ? ", draining" : "");
  if (serving > 0 && serving == expected) return manager_.ready(text);
  manager_.set_status(text);
}

void Supervisor::reload_file(control::Reply reply) {
  config::Loaded loaded = config::load_file(options_.config_file);
  if (!loaded.is_valid()) return reply(Error{loaded.errors()});
  reload(loaded.config.text, std::move(reply));
}

void Supervisor::reload(const std::string& text, control::Reply reply) {
  config::Loaded loaded = config::load_text(text, options_.config_file);
  if (!loaded.is_valid()) return reply(Error{loaded.errors()});
  reload_when_found(std::move(loaded.config), std::move(reply));
}

Result<Supervisor::Prepared> Supervisor::prepare_text(const std::string& text) {
  config::Loaded loaded = config::load_text(text, options_.config_file);
  if (!loaded.is_valid()) return Error{loaded.errors()};
  return prepare(std::move(loaded.config));
}

Result<Supervisor::Prepared> Supervisor::prepare(config::Config config) {
  auto node = find_node(config);
  if (!node) return node.error();
  auto files = tls_->read(config);
  if (!files) return files.error();
  auto secret = TicketKeeper::read_secret(config.tls);
  if (!secret) return secret.error();
  if (const Status checked = check_addresses(config); !checked) return checked.error();
  if (const Status checked = check_sources(config); !checked) return checked.error();
  auto cookie_secrets = TicketKeeper::read_cookie_secrets(config.cookies);
  if (!cookie_secrets) return cookie_secrets.error();
  return Prepared{std::move(config), std::move(*node), std::move(*files), std::move(*secret), std::move(*cookie_secrets)};
}

void Supervisor::apply(Prepared prepared, control::Reply reply) {
  if (const Status listening = metrics_.listen(prepared.config.metrics.l7); !listening) return reply(listening.error());
  WorkerScale scale = scale_;
  scale.set_config(prepared.config.workers);
  if (steering_) {
    if (const Status steered = steering_->set_config(prepared.config, scale.count()); !steered) return reply(steered.error());
  }
  scale_ = std::move(scale);
  config_ = std::move(prepared.config);
  node_ = std::move(prepared.node);
  discovery_->use(config_);
  prober_->set_config(config_, prepared.files);
  tls_->use(config_, std::move(prepared.files));
  tickets_->set_cookie_secrets(std::move(prepared.cookie_secrets));
  tickets_->set_config(config_.tls, std::move(prepared.ticket_secret));
  connect_site();
  workers_->reload(config_, scale_.count(), [this, reply = std::move(reply), digest = config_.digest](const Status& done) {
    if (!done) return reply(done.error());
    log_info("config {:016x} is in use", digest);
    report_event("config", fmt::format("{:016x}", digest), "is in use");
    report_soon();
    reply(Json{{"digest", digest}, {"nodes", Json::object()}, {"notes", settle()}});
  });
}

// Workers serve on meanwhile; what is known of the run time is on the board and in files.
void Supervisor::upgrade(control::Reply reply) {
  successor_.upgrade(loop_, [] { return Successor::Kept(); }, [reply = std::move(reply)](const Status& good) {
    good ? reply(Json::object()) : reply(good.error());
  });
}

void Supervisor::replace_workers(control::Reply reply) {
  workers_->replace_all([this, reply = std::move(reply)](Result<std::uint32_t> replaced) {
    report_soon();
    if (!replaced) return reply(replaced.error());
    reply(Json{{"replaced", *replaced}, {"drain_timeout_ms", config_.workers.drain_timeout.count()}});
  });
}

void Supervisor::scale(const Json& params, control::Reply reply) {
  const auto node = params.find("node"), count = params.find("count");
  if (node == params.end() || !node->is_string() || count == params.end() || !count->is_string()) return reply(Error{"scale: expected node and count"});
  if (node_.id != 0 && *node != node_.name) return reply(Error{"this is node \"" + node_.name + "\": ask an L4 host for another"});
  if (const Status set = scale_.set(count->get<std::string>()); !set) return reply(set.error());
  rescale();
  reply(Json{{"workers", scale_report(scale_, workers_->serving().now)}});
}

// Connections that begin go to those that stay before the others leave.
void Supervisor::rescale() {
  const std::uint32_t before = workers_->count(), count = scale_.count();
  if (count == before) return;
  report_event("scale", std::to_string(count) + " workers", "are to run, until now " + std::to_string(before), scale_.why());
  log_info("{} workers, {}; until now {}; the config says {}", count, scale_.why(), before, scale_.configured());
  if (steering_) steering_->set_workers(count);
  workers_->resize(count);
  report_soon();
}

void Supervisor::on_files_replaced() {
  prober_->set_config(config_, tls_->files());
  workers_->send_files();
  report_soon();
}

void Supervisor::set_drain(const Json& params, control::Reply reply) {
  const auto node = params.find("node"), on = params.find("on");
  if (node == params.end() || on == params.end() || !on->is_boolean()) return reply(Error{"drain: expected node and on"});
  if (node_.id == 0) return reply(Error{"this host has no L4 tier in front of it: stop it with SIGTERM, which drains"});
  if (*node != node_.name) return reply(Error{"this is node \"" + node_.name + "\": ask an L4 host for another"});
  is_draining_ = on->get<bool>();
  if (is_draining_) {
    const Fd file(open(drain_file().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!file.is_open()) log_warn("the drain will not outlive a restart: {}", system_error(drain_file()).message);
  } else {
    unlink(drain_file().c_str());
  }
  report_event("drain", node_.name, is_draining_ ? "begins" : "ends", "an operator said so");
  log_info("{}", is_draining_ ? "draining: new connections go to other nodes" : "taking new connections again");
  report_soon();
  reply(Json::object());
}

void Supervisor::report_soon() {
  if (std::exchange(is_report_due_, true)) return;
  loop_.defer([this] {
    is_report_due_ = false;
    if (workers_) tell_manager();
    links_.report_now();
  });
}

void Supervisor::on_second() {
  second_.arm<&Supervisor::on_second>(loop_, Duration(1'000), this);
  std::vector<pid_t> workers;
  for (std::uint32_t index = 0; index < kMaxWorkers; ++index) {
    if (const pid_t pid = board_->worker(index).pid.load()) workers.push_back(pid);
  }
  cpu_meter_.measure(workers, loop_.now());
  if (!on_stopped_ && scale_.measure(cpu_meter_.use())) rescale();
  latencies_->remember(loop_.now());
  rates_.remember(counters(), loop_.now());
  const control::NodeReport now = report();
  notice_ejections(now);
  for (const control::WorkerReport& worker : now.workers) {
    versions_->requests().rate().hear(std::to_string(worker.index), worker.pid, {worker.requests, worker.responses_5xx});
  }
  versions_->requests().on_second();
  tell_manager();
  if (is_forgetting_due_ && workers_->all_serve_config()) {
    is_forgetting_due_ = false;
    adjustments_->forget_others(config_);
  }
}

void Supervisor::stop(std::function<void()> on_stopped) {
  if (on_stopped_) return;
  on_stopped_ = std::move(on_stopped);
  log_info("stopping: finishing what is in flight");
  manager_.stopping(kFarewell + config_.workers.drain_timeout + kPatience);
  is_draining_ = true;
  links_.report_now();
  leave_.arm<&Supervisor::leave>(loop_, links_.has_welcome() ? kFarewell : Duration(0), this);
}

void Supervisor::leave() {
  workers_->stop(config_.workers.drain_timeout, [this] {
    if (steering_) Steering::detach(options_.pin_folder);
    std::error_code ignored;
    std::filesystem::remove(options_.state_folder + "/board", ignored);
    on_stopped_();
  });
}

}  // namespace gatehouse::l7
