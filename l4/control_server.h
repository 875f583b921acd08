// The L4 host's control sockets: the operator's on this host, and that of the nodes and the other L4 hosts, who dial in
// over mutual TLS and may say hello, report and have their certificate renewed, nothing else. It dials in to the other L4 hosts the
// same way. Who has no certificate may join with a token (common/identity/join_desk.h), and is not heard otherwise.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/control/channel.h"
#include "common/control/host_link.h"
#include "common/control/rates.h"
#include "common/etcd/version_keeper.h"
#include "common/identity/identity_keeper.h"
#include "common/identity/join_desk.h"
#include "common/metrics/metrics.h"
#include "common/metrics/metrics_server.h"
#include "common/service_manager.h"
#include "common/successor.h"
#include "common/versions/host_versions.h"
#include "l4/announcer.h"
#include "l4/capture.h"
#include "l4/director.h"
#include "l4/node_relay.h"

namespace gatehouse::l4 {

class ControlServer {
 public:
  struct Options {
    std::string config_file;
    std::string socket;  // path
    std::string host;    // our [[l4_host]]
  };
  ControlServer(EventLoop& loop, Director& director, ServiceManager& manager, versions::HostVersions& versions, Successor& successor,
                Options options)
      : loop_(loop), director_(director), manager_(manager), versions_(versions), successor_(successor), options_(std::move(options)), links_(loop, speaker()),
        desk_(desk_host()), identity_(loop, [this](const std::string& request, control::Reply reply) { ask_for_certificate(request, std::move(reply)); }),
        metrics_(loop, [this] { return metrics::metrics_of(status()); }) {}

  Status start();
  // From now on this host can be drained, and reloads reach the announcements.
  void serve(Announcer& announcer) { announcer_ = &announcer; }
  void reload(control::Reply reply);
  std::string summary();  // one line, for the service manager

 private:
  void on_operator_request(std::string_view method, const control::Json& params, control::Reply reply);
  void on_node_request(control::Channel& channel, std::string_view method, const control::Json& params, control::Reply reply);
  void on_node_notify(control::Channel& channel, std::string_view method, const control::Json& params);
  Status check_hello(const control::Channel& channel, const control::Hello& hello) const;
  void drain_host(const control::Json& params, control::Reply reply);
  void drain_server(const std::string& server, const control::Json& params, control::Reply reply);
  void relay_drain(const control::Json& params, control::Reply reply);
  void capture(const control::Json& params, control::Reply reply);
  void take_file(control::Reply reply);
  Status check_room(const config::Config& config) const;
  Status use(const config::Config& config);
  void serve_versions();
  Status open_store(const config::Config& config);
  control::HostLink::Speaker speaker();
  void on_host_hello(control::Channel& channel, const control::Json& params, control::Reply reply);
  void on_host_versions(control::Channel& channel, const control::Json& params);
  void count_answers();
  void upgrade(control::Reply reply);
  void send_config(control::Reply reply);
  void say_weights(const control::Weights& weights);
  // control_identity.cc
  identity::JoinDesk::Host desk_host();
  control::Strangers strangers();
  void on_renew(control::Channel& channel, const control::Json& params, control::Reply reply);
  void tell_authority();
  void tell_authority(control::Channel& channel) const;
  void ask_for_certificate(const std::string& request, control::Reply reply);

  control::Json status();
  void on_second();

  EventLoop& loop_;
  Director& director_;
  ServiceManager& manager_;
  versions::HostVersions& versions_;
  Successor& successor_;
  Options options_;
  Announcer* announcer_ = nullptr;
  std::unique_ptr<control::Server> operators_;
  std::unique_ptr<control::Server> nodes_;
  NodeRelay::Links connected_;
  NodeRelay relay_{loop_, director_, connected_};
  std::map<std::string, control::Channel*> hosts_;  // the other L4 hosts
  std::optional<config::Store> store_config_;
  std::unique_ptr<etcd::VersionKeeper> store_;  // none: the config has none
  control::HostLinks links_;  // to them
  identity::JoinDesk desk_;
  identity::IdentityKeeper identity_;
  std::string told_authority_;  // its pin
  std::unique_ptr<Capture> capture_;  // one at a time
  std::uint16_t last_messenger_ = 0;  // a node's id
  control::StatusRates rates_;
  metrics::MetricsServer metrics_;
  Timer second_;
};

}  // namespace gatehouse::l4
