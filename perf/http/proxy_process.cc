// Starting, finding, ending.
#include "perf/http/proxy_process.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "perf/http/process_tree.h"

namespace gatehouse::perf {
namespace {

constexpr auto kStartLimit = std::chrono::seconds(10);
constexpr auto kStopLimit = std::chrono::seconds(5);

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

Fd connect_to(std::uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) socket.reset();
  return socket;
}

template <typename Condition>
bool turn_until(EventLoop& loop, Condition condition, std::chrono::seconds limit) {
  const auto deadline = EventLoop::Clock::now() + limit;
  while (!condition()) {
    if (EventLoop::Clock::now() > deadline) return false;
    loop.turn(Duration(5));
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<ProxyProcess>> ProxyProcess::start(EventLoop& loop, const lab::Arguments& command,
                                                          const Setup& setup, const std::string& pid_file) {
  lab::Arguments pinned = {"taskset", "--cpu-list", "0"};
  pinned.insert(pinned.end(), command.begin(), command.end());
  const std::string log = setup.folder + "/log";
  const auto started = lab::start({}, pinned, log);
  if (!started) return started.error();
  std::ofstream(pid_file) << started->pid;
  std::unique_ptr<ProxyProcess> process(new ProxyProcess(loop, *started, pid_file));
  const auto is_decided = [&] { return can_connect(setup.port) || !started->is_alive(); };
  if (turn_until(loop, is_decided, kStartLimit) && started->is_alive()) return process;
  std::ostringstream text;
  text << command[0] << " does not listen:\n" << std::ifstream(log).rdbuf();
  return Error{text.str()};
}

ProxyProcess::ProxyProcess(EventLoop& loop, lab::ProcessId process, std::string pid_file)
    : loop_(loop), process_(process), pid_file_(std::move(pid_file)) {}

ProxyProcess::~ProxyProcess() {
  std::vector<lab::ProcessId> all;
  for (const pid_t pid : tree()) {
    if (const auto id = lab::ProcessId::of(pid)) all.push_back(*id);
  }
  const auto is_over = [&all] {
    for (const auto& process : all) {
      if (process.is_alive()) return false;
    }
    return true;
  };
  if (process_.is_alive()) kill(process_.pid, SIGTERM);
  turn_until(loop_, is_over, kStopLimit);
  for (const auto& process : all) lab::kill_and_wait(process);
  waitpid(process_.pid, nullptr, WNOHANG);
  std::remove(pid_file_.c_str());
}

std::vector<pid_t> ProxyProcess::tree() const { return process_tree(process_.pid); }

std::uint16_t free_port() {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  GH_CHECK(bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
  GH_CHECK(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

bool can_connect(std::uint16_t port) { return connect_to(port).is_open(); }

Result<NegotiatedTls> negotiated_tls(std::uint16_t port, std::string_view protocol) {
  const Fd socket = connect_to(port);
  const timeval limit{5, 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), SSL_free);
  SSL_set_fd(ssl.get(), socket.get());
  const std::string offered = static_cast<char>(protocol.size()) + std::string(protocol);
  SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(offered.data()),
                      static_cast<unsigned>(offered.size()));
  if (SSL_connect(ssl.get()) != 1) return Error{"no TLS handshake with port " + std::to_string(port)};
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl.get(), &chosen, &size);
  NegotiatedTls negotiated{std::string(SSL_get_version(ssl.get())) + " " + SSL_get_cipher_name(ssl.get()),
                           std::string(reinterpret_cast<const char*>(chosen), size)};
  SSL_shutdown(ssl.get());
  return negotiated;
}

}  // namespace gatehouse::perf
