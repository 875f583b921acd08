#include "l7/backend/backend.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "l7/backend/h1_connection.h"
#include "l7/backend/h2_connection.h"
#include "l7/tls/stream.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr Duration kAvoidance{1'000};

}  // namespace

Backend::Backend(WorkerContext& context, const Endpoint& address, BackendCell* cell)
    : context_(context), address_(address), cell_(cell) {}
Backend::~Backend() = default;

bool Backend::is_avoided() const { return context_.loop.now() < avoided_until_; }
void Backend::avoid() { avoided_until_ = context_.loop.now() + kAvoidance; }

BackendSide* Backend::lease(Exchange& exchange, const config::Pool& pool, bool must_connect) {
  return pool.protocol == "h2" ? lease_stream(exchange, pool.max_streams) : lease_connection(exchange, must_connect);
}

BackendSide* Backend::lease_stream(Exchange& exchange, std::uint32_t most) {
  auto found = std::find_if(shared_.begin(), shared_.end(), [most](const auto& each) { return each->has_room(most); });
  if (found == shared_.end()) {
    std::unique_ptr<Stream> stream = connect();
    if (!stream) return nullptr;
    shared_.push_back(std::make_unique<H2Connection>(context_, *this, std::move(stream)));
    shared_.back()->identity = tls_.identity();
    found = shared_.end() - 1;
  }
  count_lease(1);
  return (*found)->lease_to(exchange);
}

void Backend::drop(H2Connection& connection) {
  const auto found = std::find_if(shared_.begin(), shared_.end(), [&](const auto& each) { return each.get() == &connection; });
  GH_CHECK(found != shared_.end());
  connection.detach();
  context_.retire(std::move(*found));
  shared_.erase(found);
}

BackendSide* Backend::lease_connection(Exchange& exchange, bool must_connect) {
  std::unique_ptr<H1Connection> connection;
  if (!must_connect && !idle_.empty()) {
    connection = std::move(idle_.back());
    idle_.pop_back();
  } else {
    std::unique_ptr<Stream> stream = connect();
    if (!stream) return nullptr;
    connection = std::make_unique<H1Connection>(context_, *this, std::move(stream));
    connection->identity = tls_.identity();
  }
  connection->lease_to(exchange);
  count_lease(1);
  return connection.release();  // the lease owns it: until give_back()
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

std::unique_ptr<Stream> Backend::connect() {
  Fd socket = dial();
  if (!socket.is_open()) return nullptr;
  if (!tls_.is_on()) return make_tcp_stream(std::move(socket), true);
  return make_tls_client_stream(std::move(socket), tls_, address_, &sessions_);
}

void Backend::set_tls(const TlsClientContext& tls) {
  if (tls.identity() == tls_.identity()) return;
  tls_ = tls;
  sessions_.clear();
  while (!idle_.empty()) drop_idle(*idle_.back());
  for (std::size_t i = shared_.size(); i > 0; --i) shared_[i - 1]->retire();  // one without streams ends at once
}

void Backend::give_back(H1Connection& leased, const config::Pool& pool) {
  std::unique_ptr<H1Connection> connection(&leased);
  count_lease(-1);
  if (connection->identity == tls_.identity() && idle_.size() < pool.max_idle && connection->rest_after_lease(pool)) {
    idle_.push_back(std::move(connection));
    return;
  }
  connection->detach();
  context_.retire(std::move(connection));
}

void Backend::drop_idle(H1Connection& connection) {
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
