#include "l7/backend/backend.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "l7/tls/stream.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr Duration kAvoidance{1'000};

}  // namespace

bool Backend::is_avoided() const { return context_.loop.now() < avoided_until_; }
void Backend::avoid() { avoided_until_ = context_.loop.now() + kAvoidance; }

std::unique_ptr<BackendConnection> Backend::take_idle(Exchange& exchange) {
  if (idle_.empty()) return nullptr;
  std::unique_ptr<BackendConnection> connection = std::move(idle_.back());
  idle_.pop_back();
  connection->lease_to(exchange);
  count_lease(1);
  return connection;
}

bool is_shortage(int code) {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM || code == EADDRNOTAVAIL;
}

Fd Backend::dial() {
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr(address_, storage);
  Fd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return {};
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 && errno != EINPROGRESS) return {};
  return socket;
}

std::unique_ptr<BackendConnection> Backend::connect(Exchange& exchange) {
  Fd socket = dial();
  if (!socket.is_open()) return nullptr;
  auto connection = std::make_unique<BackendConnection>(context_.loop, *this, make_stream(std::move(socket)), context_.buffers);
  connection->identity = tls_.identity();
  connection->lease_to(exchange);
  count_lease(1);
  return connection;
}

std::unique_ptr<Stream> Backend::make_stream(Fd socket) {
  if (!tls_.is_on()) return make_tcp_stream(std::move(socket), true);
  return make_tls_client_stream(std::move(socket), tls_, address_, &sessions_);
}

void Backend::set_tls(const TlsClientContext& tls) {
  if (tls.identity() == tls_.identity()) return;
  tls_ = tls;
  sessions_.clear();
  while (!idle_.empty()) drop_idle(*idle_.back());
}

void Backend::give_back(std::unique_ptr<BackendConnection> connection, bool is_reusable, std::uint32_t max_idle,
                        Duration idle_timeout) {
  count_lease(-1);
  // An end, or bytes that nobody asked for, may have come with the answer: no further event would tell of them.
  Wire& wire = connection->wire();
  const bool is_kept = is_reusable && connection->identity == tls_.identity() && idle_.size() < max_idle && !wire.is_hung_up() && wire.input().is_empty() &&
                       !wire.fill() && !wire.is_at_end() && !wire.has_failed();
  if (!is_kept) {
    connection->detach();
    context_.retire(std::move(connection));
    return;
  }
  connection->rest(context_.loop, idle_timeout);
  idle_.push_back(std::move(connection));
}

void Backend::drop_idle(BackendConnection& connection) {
  const auto found = std::find_if(idle_.begin(), idle_.end(), [&](const auto& idle) { return idle.get() == &connection; });
  if (found == idle_.end()) return;
  connection.detach();
  context_.retire(std::move(*found));
  idle_.erase(found);
}

void Backend::count_request() {
  if (cell_) cell_->requests.fetch_add(1, std::memory_order_relaxed);
}
void Backend::count_failure() {
  if (cell_) cell_->failures.fetch_add(1, std::memory_order_relaxed);
}
void Backend::count_lease(int change) {
  leased_ += static_cast<std::uint32_t>(change);
  if (cell_) cell_->in_flight[context_.index].store(leased_, std::memory_order_relaxed);
}

Backend& BackendSet::find_or_add(std::string_view pool, const Endpoint& address, const TlsClientContext& tls) {
  const std::uint64_t key = backend_key(pool, address);
  std::unique_ptr<Backend>& backend = backends_[key];
  if (!backend) backend = std::make_unique<Backend>(context_, address, context_.board.backend(key));
  backend->set_tls(tls);
  return *backend;
}

void BackendSet::sweep() {
  std::erase_if(backends_, [](const auto& entry) { return entry.second->is_unused(); });
}

}  // namespace gatehouse::l7
