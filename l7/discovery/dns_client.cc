#include "l7/discovery/dns_client.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <deque>

namespace gatehouse::l7 {
namespace {

constexpr int kInternet = 1;  // class

}  // namespace

struct DnsClient::Question {
  DnsType type;
  Done done;
};

struct DnsClient::Socket {
  DnsClient& client;
  int fd;
  Watch watch;

  // It may end in there.
  void on_ready(std::uint32_t events) {
    const bool reads = events & (EPOLLIN | EPOLLERR | EPOLLHUP), writes = events & EPOLLOUT;
    client.process(reads ? fd : ARES_SOCKET_BAD, writes ? fd : ARES_SOCKET_BAD);
  }
};

DnsClient::DnsClient(EventLoop& loop, const std::vector<Endpoint>& resolvers, Duration timeout)
    : loop_(loop) {
  ares_options options{};
  options.flags = ARES_FLAG_EDNS;
  options.ednspsz = 1232;  // what passes every path unfragmented
  options.tries = 2;
  options.timeout = static_cast<int>(std::max<std::int64_t>(timeout.count() / 3, 1));  // c-ares doubles it
  options.sock_state_cb = [](void* client, int fd, int reads, int writes) {
    static_cast<DnsClient*>(client)->on_socket(fd, reads != 0, writes != 0);
  };
  options.sock_state_cb_data = this;
  const int status = ares_init_options(
      &channel_, &options,
      ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TRIES | ARES_OPT_TIMEOUTMS | ARES_OPT_SOCK_STATE_CB);
  if (status != ARES_SUCCESS) {
    channel_ = nullptr;
    failure_ = ares_strerror(status);
  } else if (!resolvers.empty()) {
    set_servers(resolvers);
  }
}

DnsClient::~DnsClient() {
  if (channel_) ares_destroy(channel_);
}

void DnsClient::set_servers(const std::vector<Endpoint>& resolvers) {
  std::deque<ares_addr_port_node> nodes;
  for (const Endpoint& resolver : resolvers) {
    sockaddr_storage storage;
    to_sockaddr(resolver, storage);
    ares_addr_port_node& node = nodes.emplace_back();
    node.family = storage.ss_family;
    node.udp_port = node.tcp_port = resolver.port;
    if (storage.ss_family == AF_INET) {
      node.addr.addr4 = reinterpret_cast<const sockaddr_in&>(storage).sin_addr;
    } else {
      std::memcpy(&node.addr.addr6, &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr,
                  sizeof node.addr.addr6);
    }
  }
  for (std::size_t i = 0; i + 1 < nodes.size(); ++i) nodes[i].next = &nodes[i + 1];
  if (const int status = ares_set_servers_ports(channel_, &nodes.front()); status != ARES_SUCCESS)
    failure_ = ares_strerror(status);
}

void DnsClient::ask(const std::string& name, DnsType type, Done done) {
  if (!failure_.empty()) return done({DnsAnswer::Kind::kFailed, failure_});
  auto* question = new Question{type, std::move(done)};
  const auto on_answer = [](void* asked, int status, int, unsigned char* bytes, int length) {
    const std::unique_ptr<Question> own(static_cast<Question*>(asked));
    if (status == ARES_EDESTRUCTION) return;
    own->done(bytes ? read_dns_answer({bytes, static_cast<std::size_t>(length)}, own->type)
                    : DnsAnswer{DnsAnswer::Kind::kFailed, ares_strerror(status)});
  };
  ares_query(channel_, name.c_str(), kInternet, static_cast<int>(type), on_answer, question);
  arm_timer();
}

void DnsClient::on_socket(int fd, bool reads, bool writes) {
  if (!reads && !writes) {
    sockets_.erase(fd);
    return;
  }
  const std::uint32_t events = (reads ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u);
  std::unique_ptr<Socket>& socket = sockets_[fd];
  if (socket) return socket->watch.change(events);
  socket.reset(new Socket{*this, fd});
  socket->watch.start<&Socket::on_ready>(loop_, fd, events, socket.get());
}

void DnsClient::process(int readable, int writable) {
  ares_process_fd(channel_, readable, writable);
  arm_timer();
}

void DnsClient::arm_timer() {
  timeval left{};
  if (!ares_timeout(channel_, nullptr, &left)) return timer_.cancel();
  timer_.arm<&DnsClient::on_timer>(loop_, Duration(left.tv_sec * 1'000 + left.tv_usec / 1'000 + 1), this);
}

}  // namespace gatehouse::l7
