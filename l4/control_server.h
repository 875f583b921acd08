// The L4 host's control sockets: the operator's on this host, and that of the nodes, who dial in over mutual TLS and may
// say hello and report, nothing else.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/control/channel.h"
#include "common/control/rates.h"
#include "common/metrics/metrics.h"
#include "common/metrics/metrics_server.h"
#include "common/service_manager.h"
#include "l4/announcer.h"
#include "l4/capture.h"
#include "l4/director.h"

namespace gatehouse::l4 {

class ControlServer {
 public:
  struct Options {
    std::string config_file;
    std::string socket;  // path
    std::string host;    // our [[l4_host]]
  };
  ControlServer(EventLoop& loop, Director& director, ServiceManager& manager, Options options)
      : loop_(loop), director_(director), manager_(manager), options_(std::move(options)),
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
  void relay_explain(const control::Json& params, control::Reply reply);
  void capture(const control::Json& params, control::Reply reply);
  void take_file(control::Reply reply);
  void send_config(control::Reply reply);
  void say_weights(const control::Weights& weights);
  control::Channel* channel_of(const std::string& node);

  control::Json status();
  void on_second();

  EventLoop& loop_;
  Director& director_;
  ServiceManager& manager_;
  Options options_;
  Announcer* announcer_ = nullptr;
  std::unique_ptr<control::Server> operators_;
  std::unique_ptr<control::Server> nodes_;
  std::map<std::uint16_t, control::Channel*> connected_;
  std::unique_ptr<Capture> capture_;  // one at a time
  std::uint16_t last_messenger_ = 0;  // a node's id
  control::StatusRates rates_;
  metrics::MetricsServer metrics_;
  Timer second_;
};

}  // namespace gatehouse::l4
