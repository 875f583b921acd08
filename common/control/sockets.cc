// Connecting, listening and the one-shot call: how channels begin.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "common/acceptor.h"
#include "common/control/transport.h"
#include "common/log.h"

namespace gatehouse::control {
namespace {

// False when the path does not fit into a socket address.
bool to_unix_address(const std::string& path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.data(), path.size());
  return true;
}

Fd make_socket(int family) { return Fd(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

void set_option(const Fd& socket, int level, int name, int value) { setsockopt(socket.get(), level, name, &value, sizeof value); }

// A dead host is noticed within seconds, also when nothing is being said.
void detect_death(const Fd& socket) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 5'000);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 2);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

bool is_allowed(int socket, const std::vector<unsigned>& uids) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return false;
  return credentials.uid == 0 || credentials.uid == geteuid() ||
         std::find(uids.begin(), uids.end(), credentials.uid) != uids.end();
}

class SocketServer final : public Server {
 public:
  using Adopt = std::function<std::unique_ptr<Transport>(Fd)>;
  SocketServer(EventLoop& loop, Fd socket, Handlers handlers, Strangers strangers, Adopt adopt, std::string path)
      : loop_(loop),
        handlers_(std::move(handlers)),
        strangers_(std::move(strangers)),
        adopt_(std::move(adopt)),
        path_(std::move(path)),
        acceptor_(loop, std::move(socket), [this](Fd client) { take(std::move(client)); }) {}
  ~SocketServer() override {
    if (!path_.empty()) unlink(path_.c_str());
  }
  const std::vector<Channel*>& channels() const override { return open_; }

 private:
  void take(Fd client) {
    if (owned_.size() - open_.size() >= kMostUnopened) drop_oldest_unopened();
    std::unique_ptr<Transport> transport = adopt_(std::move(client));
    if (!transport) return;
    Handlers handlers = handlers_;
    handlers.on_open = [this](Channel& channel) {
      if (is_stranger(channel)) return receive_stranger(channel);
      open_.push_back(&channel);
      if (handlers_.on_open) handlers_.on_open(channel);
    };
    if (strangers_.on_request) keep_strangers_apart(handlers);
    handlers.on_close = [this](Channel& channel, const std::string& reason) {
      std::erase(open_, &channel);
      if (std::erase(received_, &channel) == 0 && handlers_.on_close) handlers_.on_close(channel, reason);
      std::erase_if(owned_, [&channel](const auto& owned) { return owned.get() == &channel; });
    };
    owned_.push_back(make_channel(loop_, std::move(transport), std::move(handlers)));
  }

  static bool is_stranger(const Channel& channel) { return channel.peer_uid() < 0 && channel.peer_name().empty(); }

  // It stays among those who have not proved who they are, and makes room for the next of them.
  void receive_stranger(Channel& channel) {
    received_.push_back(&channel);
    if (!strangers_.on_request) return channel.close("its certificate has no name");
    channel.confine(kStrangersFrame, kStrangersLife);
  }

  void keep_strangers_apart(Handlers& handlers) {
    handlers.on_request = [this, has_asked = false](Channel& channel, std::string_view method, const Json& params, Reply reply) mutable {
      if (!is_stranger(channel) && !handlers_.on_request) return reply(Error{"nothing is asked for on this channel"});
      if (!is_stranger(channel)) return handlers_.on_request(channel, method, params, std::move(reply));
      if (std::exchange(has_asked, true)) return channel.close("a stranger asked twice");
      strangers_.on_request(channel, method, params, std::move(reply));
    };
    handlers.on_notify = [this](Channel& channel, std::string_view method, const Json& params, std::vector<Fd>& descriptors) {
      if (is_stranger(channel)) return channel.close("a stranger told something");
      if (handlers_.on_notify) handlers_.on_notify(channel, method, params, descriptors);
    };
  }

  // Strangers may connect, but not keep those out who can prove who they are.
  void drop_oldest_unopened() {
    const auto is_unopened = [this](const auto& owned) { return std::find(open_.begin(), open_.end(), owned.get()) == open_.end(); };
    const auto oldest = std::find_if(owned_.begin(), owned_.end(), is_unopened);
    std::erase(received_, oldest->get());
    owned_.erase(oldest);
  }

  static constexpr std::size_t kMostUnopened = 64;

  EventLoop& loop_;
  Handlers handlers_;
  Strangers strangers_;
  Adopt adopt_;
  std::string path_;  // of a Unix socket
  std::vector<std::unique_ptr<Channel>> owned_;
  std::vector<Channel*> open_;
  std::vector<Channel*> received_;  // strangers, open
  Acceptor acceptor_;
};

// A socket on which connect() has been called; the channel reports what became of it.
std::unique_ptr<Channel> dead_channel(EventLoop& loop, const std::string& reason, Handlers handlers) {
  int pair[2];
  GH_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
  const Fd other(pair[1]);
  handlers.on_open = nullptr;
  auto channel = make_channel(loop, make_unix_transport(Fd(pair[0])), std::move(handlers));
  channel->close(reason);
  return channel;
}

bool is_live(const sockaddr_un& address) {
  const Fd probe = make_socket(AF_UNIX);
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN;
}

Status remove_stale(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) return Error{path + " is there and is not a socket"};
  unlink(path.c_str());
  return {};
}

}  // namespace

std::unique_ptr<Channel> connect_unix(EventLoop& loop, const std::string& path, Handlers handlers) {
  sockaddr_un address;
  if (!to_unix_address(path, address)) return dead_channel(loop, path + ": too long for a socket", std::move(handlers));
  Fd socket = make_socket(AF_UNIX);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return dead_channel(loop, path + ": " + std::strerror(errno), std::move(handlers));
  }
  return make_channel(loop, make_unix_transport(std::move(socket)), std::move(handlers));
}

std::unique_ptr<Channel> connect_tcp(EventLoop& loop, const Endpoint& peer, std::shared_ptr<TlsIdentity> identity,
                                     Handlers handlers) {
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr(peer, storage);
  Fd socket = make_socket(storage.ss_family);
  detect_death(socket);
  const int failed = connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length);
  if (failed != 0 && errno != EINPROGRESS) return dead_channel(loop, std::strerror(errno), std::move(handlers));
  return make_channel(loop, make_tls_transport(std::move(socket), std::move(identity), TlsRole::kClient), std::move(handlers));
}

std::unique_ptr<Channel> adopt_unix(EventLoop& loop, Fd socket, Handlers handlers) {
  return make_channel(loop, make_unix_transport(std::move(socket)), std::move(handlers));
}

Result<std::unique_ptr<Server>> listen_unix(EventLoop& loop, const std::string& path, Handlers handlers,
                                            std::vector<unsigned> allowed_uids) {
  sockaddr_un address;
  if (!to_unix_address(path, address)) return Error{path + ": expected at most 107 bytes for a socket's path"};
  if (is_live(address)) return Error{path + " is served by another process"};
  if (const Status removed = remove_stale(path); !removed) return removed.error();
  Fd socket = make_socket(AF_UNIX);
  const mode_t mode = allowed_uids.empty() ? 0600 : 0666;
  const mode_t old_mask = umask(0777 & ~mode);
  const int bound = bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  umask(old_mask);
  if (bound != 0 || listen(socket.get(), 128) != 0) return system_error("cannot listen on " + path);
  auto adopt = [allowed_uids = std::move(allowed_uids)](Fd accepted) -> std::unique_ptr<Transport> {
    if (is_allowed(accepted.get(), allowed_uids)) return make_unix_transport(std::move(accepted));
    log_warn("control: {} refused: this socket is for its own user", make_unix_transport(std::move(accepted))->peer());
    return nullptr;
  };
  return std::unique_ptr<Server>(
      std::make_unique<SocketServer>(loop, std::move(socket), std::move(handlers), Strangers(), std::move(adopt), path));
}

Result<std::unique_ptr<Server>> listen_tcp(EventLoop& loop, const Endpoint& address, std::shared_ptr<TlsIdentity> identity,
                                           Handlers handlers, Strangers strangers) {
  auto socket = gatehouse::listen_tcp(address, 128);
  if (!socket) return socket.error();
  auto adopt = [identity = std::move(identity), are_welcome = strangers.are_welcome](Fd accepted) {
    detect_death(accepted);
    const bool is_open = are_welcome && are_welcome();
    return make_tls_transport(std::move(accepted), identity, is_open ? TlsRole::kServerOfStrangers : TlsRole::kServer);
  };
  return std::unique_ptr<Server>(std::make_unique<SocketServer>(loop, std::move(*socket), std::move(handlers), std::move(strangers),
                                                                std::move(adopt), ""));
}

Result<Json> call_unix(const std::string& path, std::string_view method, Json params, Duration timeout) {
  EventLoop loop;
  std::optional<Result<Json>> answer;
  Handlers handlers;
  bool is_open = false;
  std::string lost;
  handlers.on_open = [&is_open](Channel&) { is_open = true; };
  handlers.on_close = [&lost](Channel&, const std::string& reason) { lost = reason; };
  const auto channel = connect_unix(loop, path, std::move(handlers));
  channel->request(method, std::move(params), [&answer](Result<Json> reply) { answer.emplace(std::move(reply)); });
  const auto deadline = EventLoop::Clock::now() + timeout;
  while (!answer && EventLoop::Clock::now() < deadline) loop.turn(Duration(100));
  if (!answer) return Error{"no answer at " + path + " within " + to_string(timeout)};
  if (!is_open) return Error{"no daemon answers: " + lost};
  return std::move(*answer);
}

}  // namespace gatehouse::control
