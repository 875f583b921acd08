#include "l7/worker_main.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>

#include "common/config/load.h"
#include "common/control/channel.h"
#include "common/control/messages.h"
#include "common/daemon.h"
#include "common/log.h"
#include "l7/discovery/backend_rows.h"
#include "l7/tls/crypto_memory.h"
#include "l7/tls/files.h"
#include "l7/tls/key_schedule.h"
#include "l7/worker.h"
#include "l7/worker_sandbox.h"

namespace gatehouse::l7 {
namespace {

using control::Json;

constexpr Duration kRedial{200};

// An ordinary user, no capability, and none to be had again by exec.
Status give_up_privileges(const std::string& user_name) {
  if (geteuid() == 0) {
    const passwd* user = getpwnam(user_name.c_str());
    if (!user) return Error{"there is no user \"" + user_name + "\""};
    if (setgroups(0, nullptr) != 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0) {
      return system_error("cannot become user \"" + user_name + "\"");
    }
  }
  return keep_capabilities({});
}

// The worker's end of the conversation with its supervisor.
class WorkerLink {
 public:
  WorkerLink(EventLoop& loop, Worker& worker, const WorkerMainOptions& options) : loop_(loop), worker_(worker), options_(options) { dial(); }

  void drain(Duration timeout) {
    if (is_draining_ && !is_gentle_) return;
    is_draining_ = true;
    is_gentle_ = false;
    sockets_ = Json::array();  // they are closed
    worker_.drain(timeout, [this] { loop_.stop(); });
  }

 private:
  void dial() {
    control::Handlers handlers;
    handlers.on_open = [this](control::Channel& channel) {
      channel.notify("hello", {{"index", options_.index}, {"protocol", control::kProtocolVersion}, {"version", GATEHOUSE_VERSION}, {"digest", digest_},
                               {"sockets", sockets_}, {"is_draining", is_draining_}}, kept());
    };
    handlers.on_notify = [this](control::Channel& channel, std::string_view method, const Json& params, std::vector<Fd>& descriptors) {
      if (method == "tls_files" && !descriptors.empty()) files_ = TlsFiles::from_memory(descriptors.front());
      if (method == "access_log" && !descriptors.empty()) worker_.set_access_log(std::move(descriptors.front()));
      if (method == "ticket_keys") on_ticket_keys(params, descriptors);
      if (method == "cookie_keys") on_cookie_keys(params);
      if (method == "backends") on_backends(params);
      if (method == "config") on_config(channel, params, descriptors);
      if (method == "lend_sockets") lend_sockets(channel);
      if (method == "leave") leave(params);
      if (method == "drain") drain(Duration(params.value("timeout_ms", 0)));
    };
    handlers.on_close = [this](control::Channel&, const std::string&) { redial_.arm<&WorkerLink::dial>(loop_, kRedial, this); };
    channel_ = control::connect_unix(loop_, options_.state_folder + "/worker.sock", std::move(handlers));
  }

  // For the worker that takes this one's place.
  void lend_sockets(control::Channel& channel) {
    Json keys = Json::array();
    std::vector<int> descriptors;
    for (const Worker::Lent& lent : worker_.sockets()) {
      keys.push_back(lent.key);
      descriptors.push_back(lent.socket);
    }
    channel.notify("sockets", {{"keys", std::move(keys)}}, descriptors);
  }

  void leave(const Json& params) {
    if (std::exchange(is_draining_, true)) return;
    is_gentle_ = true;
    sockets_ = Json::array();  // of this worker's place no more
    worker_.leave_gently(Duration(params.at("timeout_ms").get<std::int64_t>()), Duration(params.at("handshakes_ms").get<std::int64_t>()),
                         [this] { loop_.stop(); });
  }

  // What is kept for the next supervisor.
  std::vector<int> kept() const { return ticket_secret_.is_open() ? std::vector<int>{ticket_secret_.get()} : std::vector<int>(); }

  void on_ticket_keys(const Json& params, std::vector<Fd>& descriptors) {
    const auto keys = ticket_window_from_hex(params.at("keys").get<std::string>());
    GH_CHECK(keys.has_value());
    worker_.set_ticket_keys(*keys);
    if (!descriptors.empty()) ticket_secret_ = std::move(descriptors.front());
  }

  void on_cookie_keys(const Json& params) {
    const auto keys = cookie_keys_from_hex(params.at("keys").get<std::string>());
    GH_CHECK(keys.has_value());
    worker_.set_cookie_keys(*keys);
  }

  void on_backends(const Json& params) {
    const auto backends = backends_from(params.at("backends"));
    GH_CHECK(backends.has_value());
    worker_.set_backends(params.at("pool").get<std::string>(), *backends);
  }

  void on_config(control::Channel& channel, const Json& params, std::vector<Fd>& descriptors) {
    const Status done = is_draining_ ? Status() : configure(params, descriptors);
    if (!done) log_error("config refused: {}", done.error().message);
    Json answer = {{"digest", digest_}, {"sockets", sockets_}};
    if (!done) answer["error"] = done.error().message;
    channel.notify("configured", std::move(answer));
  }

  // The message is our own supervisor's: a missing part is a broken invariant, not bad input.
  Status configure(const Json& params, std::vector<Fd>& descriptors) {
    config::Loaded loaded = config::load_text(params.at("text").get<std::string>(), params.at("file").get<std::string>());
    if (!loaded.is_valid()) return Error{loaded.errors()};
    for (config::Pool& pool : loaded.config.pools) {
      if (!pool.discovery) continue;
      const auto backends = backends_from(params.at("backends").at(pool.name));
      GH_CHECK(backends.has_value());
      pool.backends = *backends;
    }
    const auto digest = worker_.set_config(std::move(loaded.config), std::exchange(files_, TlsFiles()));
    if (!digest) return digest.error();
    digest_ = *digest;
    take_sockets(params, descriptors);
    return {};
  }

  void take_sockets(const Json& params, std::vector<Fd>& descriptors) {
    std::size_t next = 0;
    std::vector<ListenerSocket> sockets;
    const Json known = std::exchange(sockets_, Json::array());
    for (const Json& listener : params.at("listeners")) {
      const bool has_socket = listener.at("has_socket").get<bool>();
      const std::string key = listener.at("key").get<std::string>();
      const bool is_known = std::find(known.begin(), known.end(), listener.at("key")) != known.end();
      GH_CHECK(!has_socket || next < descriptors.size());
      if (!has_socket && !is_known) continue;  // the supervisor learns of it by what we report
      sockets.push_back({listener.at("listener").get<std::string>(), key, has_socket ? std::move(descriptors[next++]) : Fd()});
      sockets_.push_back(key);
    }
    const bool has_log = params.at("has_access_log").get<bool>();
    GH_CHECK(!has_log || next < descriptors.size());
    worker_.set_access_log(has_log ? std::move(descriptors[next]) : Fd());
    worker_.set_listeners(std::move(sockets));
  }

  EventLoop& loop_;
  Worker& worker_;
  const WorkerMainOptions& options_;
  std::unique_ptr<control::Channel> channel_;
  Timer redial_;
  TlsFiles files_;    // for the config that comes next
  Fd ticket_secret_;  // opens to the supervisor alone
  Json sockets_ = Json::array();
  std::uint64_t digest_ = 0;
  bool is_draining_ = false;
  bool is_gentle_ = false;  // so far
};

}  // namespace

int worker_main(const WorkerMainOptions& options) {
  use_crypto_memory();
  use_own_key_schedule();
  start_log("worker " + std::to_string(options.index));
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  signal(SIGINT, SIG_IGN);  // of a terminal: the supervisor decides
  auto board = Board::open(options.state_folder + "/board");
  if (!board) {
    log_error("{}", board.error().message);
    return 1;
  }
  if (const Status dropped = give_up_privileges(options.user); !dropped) {
    log_error("{}", dropped.error().message);
    return 1;
  }
  prctl(PR_SET_NAME, ("gh-worker-" + std::to_string(options.index)).c_str());

  sigset_t terminate;
  sigemptyset(&terminate);
  sigaddset(&terminate, SIGTERM);
  sigprocmask(SIG_BLOCK, &terminate, nullptr);
  const Fd signals(signalfd(-1, &terminate, SFD_CLOEXEC | SFD_NONBLOCK));

  EventLoop loop;
  if (const Status entered = enter_sandbox(); !entered) log_warn("running without a part of the sandbox: {}", entered.error().message);
  Worker worker(loop, **board, {options.index, options.node});
  WorkerLink link(loop, worker, options);
  Watch watch;
  watch.start(loop, signals.get(), EPOLLIN, &link, [](void* owner, std::uint32_t) {
    static_cast<WorkerLink*>(owner)->drain(Duration(30'000));
  });
  loop.run();
  return 0;
}

}  // namespace gatehouse::l7
