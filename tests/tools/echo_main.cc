// gatehouse-echo: a plain server of a service. Answers every datagram, and every line of a TCP connection,
// with its name. Prints "listening" once it is ready; SIGTERM ends it.
#include <sys/socket.h>

#include <cstdio>
#include <map>
#include <memory>

#include "common/address.h"
#include "tests/tools/flags.h"
#include "tests/tools/signals.h"

namespace {

using namespace gatehouse;

class Echo {
 public:
  Echo(EventLoop& loop, std::string name) : loop_(loop), answer_(std::move(name) + "\n") {}

  bool listen_at(const Endpoint& endpoint, int type) {
    sockaddr_storage storage;
    const socklen_t length = to_sockaddr(endpoint, storage);
    const int on = 1;
    auto& socket = sockets_.emplace_back(std::make_unique<Socket>(*this));
    socket->fd = Fd(::socket(storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    setsockopt(socket->fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(socket->fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) return false;
    if (type == SOCK_DGRAM) {
      socket->watch.start<&Socket::on_datagram>(loop_, socket->fd.get(), EPOLLIN, socket.get());
      return true;
    }
    if (listen(socket->fd.get(), 1024) != 0) return false;
    socket->watch.start<&Socket::on_connection>(loop_, socket->fd.get(), EPOLLIN, socket.get());
    return true;
  }

 private:
  struct Socket {
    explicit Socket(Echo& owner) : echo(owner) {}
    void on_datagram(std::uint32_t) { echo.answer_datagrams(fd.get()); }
    void on_connection(std::uint32_t) { echo.accept_from(fd.get()); }
    void on_line(std::uint32_t) { echo.answer_lines(*this); }
    Echo& echo;
    Fd fd;
    Watch watch;
  };

  void answer_datagrams(int fd) {
    char text[2048];
    sockaddr_storage from;
    for (;;) {
      socklen_t length = sizeof from;
      if (recvfrom(fd, text, sizeof text, 0, reinterpret_cast<sockaddr*>(&from), &length) < 0) return;
      sendto(fd, answer_.data(), answer_.size(), 0, reinterpret_cast<const sockaddr*>(&from), length);
    }
  }
  void accept_from(int fd) {
    for (;;) {
      Fd accepted(accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!accepted.is_open()) return;
      auto connection = std::make_unique<Socket>(*this);
      connection->fd = std::move(accepted);
      connection->watch.start<&Socket::on_line>(loop_, connection->fd.get(), EPOLLIN, connection.get());
      connections_[connection->fd.get()] = std::move(connection);
    }
  }
  void answer_lines(Socket& connection) {
    char text[2048];
    const ssize_t count = recv(connection.fd.get(), text, sizeof text, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
      connections_.erase(connection.fd.get());
      return;
    }
    for (ssize_t i = 0; i < count; ++i) {
      if (text[i] == '\n') send(connection.fd.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
    }
  }

  EventLoop& loop_;
  std::string answer_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  std::map<int, std::unique_ptr<Socket>> connections_;
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<Endpoint> udp, tcp;
  std::string name = "echo";
  const auto into = [](std::vector<Endpoint>& list) {
    return [&list](std::string_view text) {
      const auto endpoint = Endpoint::parse(text);
      if (endpoint) list.push_back(*endpoint);
      return endpoint.has_value();
    };
  };
  test::parse_flags(argc, argv,
                    {{"--udp", "ADDR:PORT", "answer datagrams there; repeatable", into(udp)},
                     {"--tcp", "ADDR:PORT", "answer lines there; repeatable", into(tcp)},
                     {"--name", "NAME", "what it answers", [&](std::string_view text) {
                        name = text;
                        return !name.empty();
                      }}});
  EventLoop loop;
  Echo echo(loop, name);
  test::Signals signals(loop, {SIGTERM, SIGINT}, [&](int) { loop.stop(); });
  bool is_good = true;
  for (const Endpoint& endpoint : udp) is_good = is_good && echo.listen_at(endpoint, SOCK_DGRAM);
  for (const Endpoint& endpoint : tcp) is_good = is_good && echo.listen_at(endpoint, SOCK_STREAM);
  if (!is_good) {
    std::perror("gatehouse-echo: cannot listen");
    return 1;
  }
  std::printf("listening\n");
  std::fflush(stdout);
  loop.run();
  return 0;
}
