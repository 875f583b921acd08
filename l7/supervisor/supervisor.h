// The supervisor of a node: config, workers, health checks, steering and the links to the L4 hosts, brought together. It
// may die at any time: workers serve on, and the next one takes over what it finds.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/control/channel.h"
#include "common/control/host_link.h"
#include "common/control/messages.h"
#include "common/control/rates.h"
#include "common/identity/identity_keeper.h"
#include "common/metrics/metrics_server.h"
#include "common/service_manager.h"
#include "common/successor.h"
#include "common/versions/host_versions.h"
#include "l7/board.h"
#include "l7/discovery/discovery.h"
#include "l7/supervisor/adjustments.h"
#include "l7/supervisor/cpu_meter.h"
#include "l7/supervisor/latencies.h"
#include "l7/health/prober.h"
#include "l7/supervisor/steering.h"
#include "l7/supervisor/ticket_keeper.h"
#include "l7/supervisor/tls_store.h"
#include "l7/supervisor/worker_process.h"
#include "l7/supervisor/worker_scale.h"

namespace gatehouse::l7 {

class Supervisor {
 public:
  struct Options {
    std::string config_file;
    std::string node;          // empty: one host without an L4 tier
    std::string state_folder;
    std::string pin_folder;
    std::string versions_folder;
  };
  // `successor` outlives it.
  Supervisor(EventLoop& loop, Successor& successor, Options options);
  // What a start would say of the config and the files that it names; changes nothing.
  static Status rehearse(const Options& options);

  Status start();
  void reload_by_signal();
  void reopen_access_log();  // its file was moved away
  // Drains and takes the node out of the path; `on_stopped` when nothing is left.
  void stop(std::function<void()> on_stopped);

 private:
  Status open_board_and_steering(const config::Config& config);
  Status listen();
  void connect_site();
  Result<config::Node> find_node(const config::Config& config) const;
  void serve_versions();
  control::HostLink::Speaker speaker();
  void on_operator_request(control::Channel& channel, std::string_view method, const control::Json& params, control::Reply reply);
  void on_request(std::string_view method, const control::Json& params, control::Reply reply);
  void reload(const std::string& text, control::Reply reply);
  void reload_file(control::Reply reply);
  // A config with all the files that it needs.
  struct Prepared {
    config::Config config;
    config::Node node;
    TlsFiles files;
    std::string ticket_secret;
    TicketKeeper::CookieSecrets cookie_secrets;
  };
  Result<Prepared> prepare(config::Config config);
  Result<Prepared> prepare_text(const std::string& text);
  void apply(Prepared prepared, control::Reply reply);
  // discovered.cc
  void begin_discovery();
  void on_discovered(const std::string& pool);
  void reload_when_found(config::Config config, control::Reply reply);
  control::Json settle();
  void on_files_replaced();
  control::Reply reloading(control::Reply reply);
  void tell_manager();
  void set_drain(const control::Json& params, control::Reply reply);
  control::Json counters() const;  // what rates follow from
  control::Json status() const;
  control::Json handshake_failures() const;
  control::Hello hello() const;
  control::NodeReport report() const;
  void notice_ejections(const control::NodeReport& now);
  void report_soon();
  std::string drain_file() const { return options_.state_folder + "/drain"; }

  void upgrade(control::Reply reply);
  void replace_workers(control::Reply reply);
  void scale(const control::Json& params, control::Reply reply);
  void rescale();

  EventLoop& loop_;
  Successor& successor_;
  Options options_;
  ServiceManager manager_;
  Fd lock_;  // of the state folder
  config::Config config_;
  config::Node node_;  // this one; id 0 without an L4 tier
  std::unique_ptr<Board> board_;
  std::unique_ptr<Adjustments> adjustments_;  // of the board
  std::unique_ptr<Latencies> latencies_;      // so are these
  std::unique_ptr<Steering> steering_;
  std::unique_ptr<WorkerProcesses> workers_;
  std::unique_ptr<TlsStore> tls_;
  std::unique_ptr<TicketKeeper> tickets_;
  std::unique_ptr<Discovery> discovery_;
  std::unique_ptr<config::Config> next_config_;  // until its sources have answered
  control::Reply reply_of_next_;
  std::unique_ptr<Prober> prober_;
  CpuMeter cpu_meter_;
  WorkerScale scale_;
  std::unique_ptr<versions::HostVersions> versions_;
  std::unique_ptr<control::Server> control_;
  control::HostLinks links_;
  identity::IdentityKeeper identity_;
  std::map<std::string, std::uint64_t> ejections_;  // that have been events, by backend
  bool is_draining_ = false;
  bool is_report_due_ = false;
  bool is_forgetting_due_ = false;  // Adjustments::forget_others()
  Timer leave_;
  std::function<void()> on_stopped_;
  control::StatusRates rates_;
  metrics::MetricsServer metrics_;
  Timer second_;
  void on_second();
  void leave();
};

}  // namespace gatehouse::l7
