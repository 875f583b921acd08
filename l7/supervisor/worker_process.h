// The workers as processes: started, adopted after a restart of the supervisor, told what to serve, replaced when they
// die (with backoff) or are of an earlier version, drained when they are too many. What they count is on the board; who they
// are, by pid and start time, stands in a file that only the supervisor writes, and is checked by the credentials of the socket
// they dial.
//
// Each has a place on the board as long as it lives, and a slot, where new connections come from, until it leaves:
// so that a worker can go on with what it has while its successor serves.
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
  // Puts a new process into the place of each worker, one after another: a successor that serves the config takes over the
  // listening sockets, with whoever waits in them, and the worker leaves gently. `on_done` when all have successors, or with
  // what stopped it; whoever was not replaced serves on.
  void replace_all(std::function<void(Result<std::uint32_t> replaced)> on_done);
  // More of them, or fewer: those that are too many leave gently, and accept on for as long as handshakes take.
  void resize(std::uint32_t count);
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
  // Whether there is, or should be, a worker at this place of the board.
  bool is_used(std::uint32_t index) const;
  // "serving", "starting", "leaving" or "dead", and the version of its program, which none of before this tells.
  struct Standing {
    const char* state;
    std::string version;
  };
  Standing standing(std::uint32_t index) const;

 private:
  using Json = control::Json;
  struct Place;
  struct Known {  // of a worker that an earlier supervisor left
    int pid;
    std::uint64_t started;
    std::uint32_t slot;
  };
  void spawn(Place& place);
  void adopt(Place& place, const Known& known);
  void fill_slots();
  Place* holder(std::uint32_t slot) const;
  Place* free_place(std::uint32_t preferred) const;
  std::map<std::uint32_t, Known> read_process_file() const;
  void write_process_file() const;
  void watch_process(Place& place, int pid);
  void on_death(Place& place);
  void on_dial_timeout(Place& place);
  void on_hello(control::Channel& channel, const control::Json& params, std::vector<Fd>& descriptors);
  void expect_ticket_secret();
  void on_configured(Place& place, const control::Json& params);
  void take_keys(Place& place, const control::Json& params);
  void send_config(Place& place);
  Result<Fd> socket_for(const Place& place, const WantedSocket& wanted);
  void send_ticket_keys(Place& place);
  Fd open_access_log() const;
  void leave(Place& place, Duration handshakes);
  void drain(Place& place, Duration timeout);
  // worker_replacement.cc
  void replace_next();
  void on_heir_configured(const Json& params);
  void on_sockets(Place& place, const Json& params, std::vector<Fd>& descriptors);
  void take_over();
  void end_replacement(const std::string& why);
  void on_replacement_limit();
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
  struct Replacement {
    std::vector<std::uint32_t> left;  // slots
    std::uint32_t done = 0;
    std::function<void(Result<std::uint32_t>)> on_done;
    Place* old = nullptr;   // of the slot that is being replaced
    Place* heir = nullptr;
    std::map<std::string, Fd> lent;  // the old one's sockets
    bool has_own_sockets = false;    // the heir, some: the old one's are lost with it
  };
  std::unique_ptr<Replacement> replacement_;
  Timer replacement_limit_;
  Timer replacement_wait_;
  std::function<void(Status)> on_reloaded_;
  std::function<void()> on_gone_;
  Timer reload_limit_;
  Timer stop_limit_;
  Timer secret_limit_;
  bool is_stopping_ = false;
};

}  // namespace gatehouse::l7
