#include "l7/supervisor/worker_process.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

#include "common/files.h"
#include "common/events.h"
#include "common/json_fields.h"
#include "common/log.h"
#include "l7/discovery/backend_rows.h"
#include "l7/supervisor/process_id.h"
#include "l7/supervisor/worker_place.h"

namespace gatehouse::l7 {
namespace {

using control::Json;

constexpr std::size_t kLongestVersion = 64;
constexpr Duration kDialTime{2'000};      // for a worker to say hello
constexpr Duration kReloadTime{10'000};
constexpr Duration kResendTime{1'000};
constexpr Duration kPatience{2'000};      // with workers that do not end in time
constexpr Duration kFirstBackoff{100};
constexpr Duration kLongestBackoff{10'000};
constexpr auto kHealthyLife = std::chrono::seconds(10);  // a worker that lived so long is restarted at once

std::string signal_name(int number) {
  if (number == SIGSYS) return "SIGSYS: it asked for a system call that no worker makes; the kernel's audit log has its number";
  const char* name = sigabbrev_np(number);
  return name ? std::string("SIG") + name : "signal " + std::to_string(number);
}

}  // namespace

WorkerProcesses::WorkerProcesses(EventLoop& loop, Board& board, Options options, std::function<void()> on_change)
    : loop_(loop), board_(board), options_(std::move(options)), on_change_(std::move(on_change)) {
  for (std::uint32_t i = 0; i < kMaxWorkers; ++i) places_[i].reset(new Place{*this, i});
}
WorkerProcesses::~WorkerProcesses() = default;

Status WorkerProcesses::start(const config::Config& config, std::uint32_t count) {
  config_ = config;
  count_ = count;
  const passwd* user = getpwnam(config.workers.user.c_str());
  if (!user) return Error{"workers.user \"" + config.workers.user + "\": there is no such user"};
  control::Handlers handlers;
  handlers.on_notify = [this](control::Channel& channel, std::string_view method, const Json& params, std::vector<Fd>& descriptors) {
    if (method == "hello") return on_hello(channel, params, descriptors);
    Place* place = place_of(channel);
    if (place && method == "configured") on_configured(*place, params);
    if (place && method == "sockets") on_sockets(*place, params, descriptors);
  };
  handlers.on_close = [this](control::Channel& channel, const std::string&) {
    if (Place* place = place_of(channel)) place->channel = nullptr;
  };
  auto server = control::listen_unix(loop_, options_.state_folder + "/worker.sock", std::move(handlers), {user->pw_uid});
  if (!server) return server.error();
  server_ = std::move(*server);
  const auto left_behind = read_process_file();
  for (const auto& [index, known] : left_behind) adopt(*places_[index], known);
  fill_slots();
  // Workers that an earlier supervisor left keep the secret of its tickets, and say so when they dial in.
  if (left_behind.empty()) return expect_ticket_secret(), Status();
  secret_limit_.arm<&WorkerProcesses::expect_ticket_secret>(loop_, kDialTime, this);
  return {};
}

void WorkerProcesses::expect_ticket_secret() { options_.tickets.make_own(); }

WorkerProcesses::Place* WorkerProcesses::holder(std::uint32_t slot) const {
  const auto found = std::find_if(places_.begin(), places_.end(), [slot](const auto& place) { return place->slot == slot; });
  return found == places_.end() ? nullptr : found->get();
}

// The one of that number, or the first: the board is looked through up to the last that was ever used.
WorkerProcesses::Place* WorkerProcesses::free_place(std::uint32_t preferred) const {
  const auto is_free = [](const auto& place) { return place->pid == 0 && place->slot == kNoSlot && !place->is_heir; };
  if (is_free(places_[preferred])) return places_[preferred].get();
  const auto found = std::find_if(places_.begin(), places_.end(), is_free);
  return found == places_.end() ? nullptr : found->get();
}

// Where there are none because so many still leave, the slot waits for a place: on_death().
void WorkerProcesses::fill_slots() {
  for (std::uint32_t slot = 0; slot < count_; ++slot) {
    if (holder(slot)) continue;
    Place* place = free_place(slot);
    if (!place) return log_warn("every place is taken by workers that leave: another is started when one is gone");
    place->slot = slot;
    board_.clear_worker(place->index);
    spawn(*place);
  }
}

void WorkerProcesses::spawn(Place& place) {
  if (is_stopping_ || place.is_alive() || (place.slot >= count_ && !place.is_heir)) return;
  const std::string index = std::to_string(place.index);
  const std::string user = config_.workers.user;
  const std::string& folder = options_.state_folder;
  const char* argv[] = {"gatehouse-l7", "--worker", index.c_str(), "--state-dir", folder.c_str(), "--user", user.c_str(),
                        "--node", options_.node.c_str(), nullptr};
  const pid_t pid = fork();
  if (pid < 0) {
    log_error("cannot start worker {}: {}", place.index, std::strerror(errno));
    place.restart.arm<&Place::on_restart>(loop_, kFirstBackoff, &place);
    return;
  }
  if (pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execv("/proc/self/exe", const_cast<char**>(argv));
    _exit(127);
  }
  watch_process(place, pid);
  if (place.started != EventLoop::Clock::time_point()) log_info("worker {} is pid {}", place.index, pid);
}

// The board is the workers' to write: who they are stands in a file of our own. Earlier versions wrote no slots.
std::map<std::uint32_t, WorkerProcesses::Known> WorkerProcesses::read_process_file() const {
  std::map<std::uint32_t, Known> alive;
  std::ifstream stream(options_.state_folder + "/workers");
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::uint32_t index = 0;
    Known known{};
    if (!(words >> index >> known.pid >> known.started)) continue;
    if (!(words >> known.slot)) known.slot = index;
    if (index < kMaxWorkers && known.started != 0 && process_start_time(known.pid) == known.started) alive[index] = known;
  }
  // A supervisor that died while it replaced a worker may have left two for one slot: the newer one has the sockets, too.
  for (auto& [index, known] : alive) {
    for (const auto& [other, newer] : alive) {
      if (index != other && known.slot == newer.slot && newer.started > known.started) known.slot = kNoSlot;
    }
  }
  return alive;
}

void WorkerProcesses::write_process_file() const {
  const std::string file = options_.state_folder + "/workers";
  std::string text;
  for (const auto& place : places_) {
    if (place->pid == 0) continue;
    text += std::to_string(place->index) + " " + std::to_string(place->pid) + " " + std::to_string(process_start_time(place->pid)) + " " +
            std::to_string(place->is_leaving ? kNoSlot : place->slot) + "\n";
  }
  if (const Status written = replace_file(file, text, Sync::kLater); !written)
    log_warn("{}: the next supervisor will not find the workers", written.error().message);
}

void WorkerProcesses::adopt(Place& place, const Known& known) {
  log_info("worker {} (pid {}) is alive: waiting for it to dial in", place.index, known.pid);
  place.slot = std::min(known.slot, kNoSlot);
  watch_process(place, known.pid);
}

void WorkerProcesses::watch_process(Place& place, int pid) {
  place.process = Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  place.pid = pid;
  board_.worker(place.index).pid.store(pid);
  write_process_file();
  place.started = EventLoop::Clock::now();
  place.channel = nullptr;
  place.sockets.clear();
  place.digest = 0;
  place.is_leaving = false;
  place.can_lend = false;
  place.version.clear();
  if (!place.is_alive()) return on_death(place);
  place.watch.start<&Place::on_exit>(loop_, place.process.get(), EPOLLIN, &place);
  place.dial_limit.arm<&Place::on_dial_limit>(loop_, kDialTime, &place);
}

void WorkerProcesses::on_dial_timeout(Place& place) {
  log_warn("worker {} does not answer: it is replaced", place.index);
  if (place.is_alive()) syscall(SYS_pidfd_send_signal, place.process.get(), SIGKILL, nullptr, 0);
}

void WorkerProcesses::on_death(Place& place) {
  WorkerCell& cell = board_.worker(place.index);
  const int pid = std::exchange(place.pid, 0);
  place.watch.stop();
  place.process.reset();
  place.resend.cancel();
  place.dial_limit.cancel();
  int status = 0;
  const bool is_child = waitpid(pid, &status, WNOHANG) == pid;
  const bool was_asked = place.is_leaving || is_stopping_;
  if (!was_asked) {
    const std::string how = !is_child ? "is gone" : WIFSIGNALED(status) ? "was ended by " + signal_name(WTERMSIG(status))
                                                                        : "ended with code " + std::to_string(WEXITSTATUS(status));
    log_warn("worker {} (pid {}) {}", place.index, pid, how);
    report_event("worker", "worker " + std::to_string(place.index), how, "pid " + std::to_string(pid));
  }
  if (place.channel) place.channel->close("its process ended");
  place.channel = nullptr;
  board_.clear_worker(place.index);
  write_process_file();
  if (is_stopping_) return check_stopped();
  if (replacement_ && &place == replacement_->heir) {
    end_replacement("the new worker did not get as far as to serve: see the log of the node");
  } else if (place.slot >= count_) {
    place.slot = kNoSlot;
    fill_slots();
    if (replacement_ && !replacement_->heir) replace_next();
  } else {
    const bool lived = EventLoop::Clock::now() - place.started > kHealthyLife;
    place.backoff = lived || place.backoff.count() == 0 ? kFirstBackoff : std::min(place.backoff * 2, kLongestBackoff);
    cell.restarts.fetch_add(1);
    place.restart.arm<&Place::on_restart>(loop_, lived ? Duration(0) : place.backoff, &place);
  }
  check_reload();
  on_change_();
}

WorkerProcesses::Place* WorkerProcesses::place_of(const control::Channel& channel) {
  for (const auto& place : places_) {
    if (place->channel == &channel) return place.get();
  }
  return nullptr;
}

// What a worker says that it serves.
void WorkerProcesses::take_keys(Place& place, const Json& params) {
  place.sockets.clear();
  for (const Json& key : list_member(params, "sockets")) {
    if (key.is_string()) place.sockets.insert(key.get<std::string>());
  }
  const Json& digest = member(params, "digest");
  place.digest = digest.is_number_unsigned() ? digest.get<std::uint64_t>() : 0;
}

void WorkerProcesses::on_hello(control::Channel& channel, const Json& params, std::vector<Fd>& descriptors) {
  const int pid = channel.peer_pid();
  const auto found = std::find_if(places_.begin(), places_.end(), [&](const auto& place) {
    return place->is_alive() && place->pid == pid;
  });
  if (found == places_.end()) {
    // One that an earlier supervisor lost sight of: it must not go on with a config of then.
    channel.notify("drain", {{"timeout_ms", config_.workers.drain_timeout.count()}});
    return channel.close("this process is no worker of ours");
  }
  Place& place = **found;
  place.channel = &channel;
  place.dial_limit.cancel();
  log_info("worker {} (pid {}) has dialled in", place.index, pid);
  report_event("worker", "worker " + std::to_string(place.index), "is here", "pid " + std::to_string(pid));
  take_keys(place, params);
  if (!descriptors.empty()) options_.tickets.adopt(descriptors.front());
  place.is_leaving = member(params, "is_draining") == Json(true);
  place.can_lend = number_of(member(params, "protocol")).value_or(0) >= 1;
  place.version = text_of(member(params, "version")).substr(0, kLongestVersion);
  if (place.is_leaving) {
    log_info("worker {} is leaving", place.index);
    place.slot = kNoSlot;
    return fill_slots();
  }
  if (place.slot >= count_ && !place.is_heir) return leave(place, kHandshakes);
  send_ticket_keys(place);
  send_config(place);
}

void WorkerProcesses::send_ticket_keys() {
  for (const auto& place : places_) {
    if (place->channel && !place->is_leaving) send_ticket_keys(*place);
  }
}

void WorkerProcesses::send_files() {
  for (const auto& place : places_) {
    if (place->channel && !place->is_leaving && (place->slot < count_ || place->is_heir)) send_config(*place);
  }
}

void WorkerProcesses::send_backends(const config::Pool& changed) {
  for (config::Pool& pool : config_.pools) {
    if (pool.name == changed.name) pool.backends = changed.backends;
  }
  for (const auto& place : places_) {
    if (place->channel) place->channel->notify("backends", {{"pool", changed.name}, {"backends", backend_rows(changed.backends)}});
  }
}

void WorkerProcesses::send_access_log() {
  for (const auto& place : places_) {
    if (!place->channel) continue;
    const Fd log = open_access_log();
    if (log.is_open()) place->channel->notify("access_log", Json::object(), {log.get()});
  }
}

// Over a socket of this host, to memory: keys of tickets are in no file.
void WorkerProcesses::send_ticket_keys(Place& place) {
  if (options_.tickets.cookie_keys())
    place.channel->notify("cookie_keys", {{"keys", to_hex(*options_.tickets.cookie_keys())}});
  if (!options_.tickets.keys()) return;
  std::vector<int> descriptors;
  if (options_.tickets.descriptor() >= 0) descriptors.push_back(options_.tickets.descriptor());
  place.channel->notify("ticket_keys", {{"keys", to_hex(*options_.tickets.keys())}}, descriptors);
}

// The predecessor's, with whoever waits in it, or one of its own.
Result<Fd> WorkerProcesses::socket_for(const Place& place, const WantedSocket& wanted) {
  if (replacement_ && &place == replacement_->heir) {
    if (auto lent = replacement_->lent.extract(wanted.key)) return std::move(lent.mapped());
    replacement_->has_own_sockets = true;
  }
  return make_listener_socket(wanted, config_, place.slot, options_.steering);
}

// What can be had is sent: a listener that fails must not take the others with it. The rest is tried again.
void WorkerProcesses::send_config(Place& place) {
  Json listeners = Json::array();
  std::vector<Fd> sockets;
  bool is_complete = true;
  for (const WantedSocket& wanted : wanted_sockets(config_, options_.steering)) {
    if (place.is_heir) break;  // they are still another's
    const bool is_new = !place.sockets.contains(wanted.key);
    if (is_new) {
      auto socket = socket_for(place, wanted);
      if (!socket) {
        log_error("worker {}: {}", place.index, socket.error().message);
        is_complete = false;
        continue;
      }
      sockets.push_back(std::move(*socket));
    }
    listeners.push_back({{"listener", wanted.listener}, {"key", wanted.key}, {"has_socket", is_new}});
  }
  Fd log = open_access_log();
  const bool has_log = log.is_open();
  if (has_log) sockets.push_back(std::move(log));
  std::vector<int> descriptors;
  for (const Fd& socket : sockets) descriptors.push_back(socket.get());
  place.channel->notify("tls_files", Json::object(), {options_.tls.memory()});
  Json backends = Json::object();  // that were found: the text does not have them
  for (const config::Pool& pool : config_.pools) {
    if (pool.discovery) backends[pool.name] = backend_rows(pool.backends);
  }
  place.channel->notify("config", {{"text", config_.text}, {"file", config_.file}, {"listeners", std::move(listeners)},
                                   {"backends", std::move(backends)}, {"has_access_log", has_log}}, descriptors);
  if (!is_complete) place.resend.arm<&Place::on_resend>(loop_, kResendTime, &place);
}

// Requests matter more than their log.
Fd WorkerProcesses::open_access_log() const {
  const std::string& file = config_.access_log.file;
  if (file.empty()) return Fd();
  Fd log(open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640));
  if (!log.is_open()) log_warn("no access log: {}", system_error("cannot open " + file).message);
  return log;
}

void WorkerProcesses::on_configured(Place& place, const Json& params) {
  take_keys(place, params);
  if (const std::string error = text_of(member(params, "error")); !error.empty()) log_error("worker {} refuses the config: {}", place.index, error);
  if (replacement_ && &place == replacement_->heir) on_heir_configured(params);
  check_reload();
  on_change_();
}

void WorkerProcesses::reload(const config::Config& config, std::uint32_t count, std::function<void(Status)> on_done) {
  config_ = config;
  count_ = count;
  if (on_reloaded_) std::exchange(on_reloaded_, nullptr)(Error{"another reload came in between: see status for what is in use"});
  on_reloaded_ = std::move(on_done);
  reload_limit_.arm<&WorkerProcesses::check_reload>(loop_, kReloadTime, this);
  resize(count);
  for (const auto& place : places_) {
    if (place->channel && !place->is_leaving) send_config(*place);
  }
  check_reload();
}

void WorkerProcesses::resize(std::uint32_t count) {
  count_ = count;
  for (const auto& place : places_) {
    if (place->slot < count_ && !place->is_alive()) spawn(*place);
    if (place->slot < count_ || place->is_heir) continue;
    if (place->is_alive()) leave(*place, kHandshakes);
    place->slot = kNoSlot;
  }
  fill_slots();
}

// A worker that is starting or being adopted will get the new config anyway: only those that serve are waited for.
void WorkerProcesses::check_reload() {
  if (!on_reloaded_) return;
  const bool is_waiting = std::any_of(places_.begin(), places_.end(), [this](const auto& place) {
    return place->is_alive() && place->channel && !place->is_leaving && place->slot < count_ && place->digest != config_.digest;
  });
  if (is_waiting && reload_limit_.is_armed()) return;
  reload_limit_.cancel();
  auto done = std::exchange(on_reloaded_, nullptr);
  done(is_waiting ? Status(Error{"a worker did not take the config: see the log of the node"}) : Status());
}

bool WorkerProcesses::all_serve_config() const {
  return std::none_of(places_.begin(), places_.end(), [this](const auto& place) {
    return place->is_alive() && !place->is_leaving && place->digest != config_.digest;
  });
}

// Its connections end in their own time, the last of them with the deadline. `handshakes`: for how long it goes on to
// accept, where nobody else has its sockets.
void WorkerProcesses::leave(Place& place, Duration handshakes) {
  if (std::exchange(place.is_leaving, true)) return;
  place.slot = kNoSlot;
  write_process_file();
  const Json params = {{"timeout_ms", config_.workers.drain_timeout.count()}, {"handshakes_ms", handshakes.count()}};
  if (place.channel) place.channel->notify(place.can_lend ? "leave" : "drain", params);
  // One that has not dialled in yet is told when it does.
  if (!place.channel) place.is_leaving = false;
}

void WorkerProcesses::drain(Place& place, Duration timeout) {
  place.is_leaving = true;
  if (place.channel) place.channel->notify("drain", {{"timeout_ms", timeout.count()}});
}

WorkerProcesses::Serving WorkerProcesses::serving() const {
  Serving result{0, 0};
  for (const auto& place : places_) {
    if (!place->is_alive() || place->is_leaving || place->slot >= count_) continue;
    ++result.expected;
    if (place->channel && place->digest == config_.digest) ++result.now;
  }
  return result;
}

bool WorkerProcesses::is_used(std::uint32_t index) const { return places_[index]->pid != 0 || places_[index]->slot < count_; }

WorkerProcesses::Standing WorkerProcesses::standing(std::uint32_t index) const {
  const Place& place = *places_[index];
  if (!place.is_alive()) return {"dead", ""};
  const bool is_serving = place.channel && !place.is_heir && place.digest == config_.digest;
  return {place.is_leaving ? "leaving" : is_serving ? "serving" : "starting", place.version};
}

void WorkerProcesses::stop(Duration timeout, std::function<void()> on_gone) {
  is_stopping_ = true;
  if (replacement_) end_replacement("the node stops");
  on_gone_ = std::move(on_gone);
  for (const auto& place : places_) {
    place->restart.cancel();
    if (!place->is_alive()) continue;
    drain(*place, timeout);
    if (!place->channel) syscall(SYS_pidfd_send_signal, place->process.get(), SIGTERM, nullptr, 0);
  }
  stop_limit_.arm<&WorkerProcesses::end_all>(loop_, timeout + kPatience, this);
  check_stopped();
}

void WorkerProcesses::end_all() {
  for (const auto& place : places_) {
    if (!place->is_alive()) continue;
    log_warn("worker {} did not end in time", place->index);
    syscall(SYS_pidfd_send_signal, place->process.get(), SIGKILL, nullptr, 0);
  }
}

void WorkerProcesses::check_stopped() {
  const bool is_any = std::any_of(places_.begin(), places_.end(), [](const auto& place) { return place->is_alive(); });
  if (!is_any && on_gone_) loop_.defer(std::exchange(on_gone_, nullptr));
}

}  // namespace gatehouse::l7
