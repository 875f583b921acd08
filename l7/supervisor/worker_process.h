// The workers as processes: started, adopted after a restart of the supervisor, told what to serve, replaced when they
// die (with backoff), drained when they are too many. What they count is on the board; who they are, by pid and
// start time, stands in a file that only the supervisor writes, and is checked by the credentials of the socket they dial.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/config/model.h"
#include "common/control/channel.h"
#include "l7/board.h"
#include "l7/supervisor/listener_sockets.h"
#include "l7/supervisor/steering.h"
#include "l7/supervisor/ticket_keeper.h"
#include "l7/supervisor/tls_store.h"

namespace gatehouse::l7 {

class WorkerProcesses {
 public:
  struct Options {
    std::string state_folder;
    std::string node;            // empty: no site
    Steering* steering = nullptr;
    const TlsStore& tls;
    TicketKeeper& tickets;
  };
  WorkerProcesses(EventLoop& loop, Board& board, Options options, std::function<void()> on_change);
  ~WorkerProcesses();

  // Opens the socket that workers dial. Those that an earlier supervisor left have a moment to do so.
  Status start(const config::Config& config, std::uint32_t count);
  // Sends everybody the new config; `on_done` when all have it, or with the first that could not.
  void reload(const config::Config& config, std::uint32_t count, std::function<void(Status)> on_done);
  // Tells everybody the backends of a pool: discovery has found others.
  void send_backends(const config::Pool& pool);
  // Sends everybody what has changed in the ticket keeper; in the TLS store.
  void send_ticket_keys();
  void send_files();
  // Opens the access log anew for everybody, those who leave too.
  void send_access_log();
  // Tells all to finish and go; `on_gone` when they are.
  void stop(Duration timeout, std::function<void()> on_gone);

  std::uint32_t count() const { return count_; }
  // Workers that serve the config in use, and those that do or are about to.
  struct Serving {
    std::uint32_t now, expected;
  };
  Serving serving() const;
  bool all_serve_config() const;  // that of the last reload
  static std::uint32_t count_of(const config::Workers& workers);  // resolves "auto"

 private:
  struct Place;
  void spawn(Place& place);
  void adopt(Place& place, int pid);
  std::map<std::uint32_t, int> read_process_file() const;
  void write_process_file() const;
  void watch_process(Place& place, int pid);
  void on_death(Place& place);
  void on_dial_timeout(Place& place);
  void on_hello(control::Channel& channel, const control::Json& params, std::vector<Fd>& descriptors);
  void expect_ticket_secret();
  void on_configured(Place& place, const control::Json& params);
  void take_keys(Place& place, const control::Json& params);
  void send_config(Place& place);
  void send_ticket_keys(Place& place);
  Fd open_access_log() const;
  void drain(Place& place, Duration timeout);
  void check_reload();
  void end_all();
  void check_stopped();
  Place* place_of(const control::Channel& channel);

  EventLoop& loop_;
  Board& board_;
  Options options_;
  std::function<void()> on_change_;
  config::Config config_;
  std::uint32_t count_ = 0;
  std::array<std::unique_ptr<Place>, kMaxWorkers> places_;
  std::unique_ptr<control::Server> server_;
  std::function<void(Status)> on_reloaded_;
  std::function<void()> on_gone_;
  Timer reload_limit_;
  Timer stop_limit_;
  Timer secret_limit_;
  bool is_stopping_ = false;
};

}  // namespace gatehouse::l7
