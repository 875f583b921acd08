#include "l7/backend/backend.h"

#include <algorithm>
#include <cerrno>

#include "common/log.h"
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
void Backend::avoid() {
  avoided_until_ = context_.loop.now() + kAvoidance;
  context_.backends.count_avoidance();
}

bool Backend::is_full(const config::Limits& limits) const {
  if (!cell_ || (limits.max_backend_requests == 0 && limits.max_backend_connections == 0)) return false;
  if (!is_within(cell_->in_flight, limits.max_backend_requests)) return true;
  // Streams of a shared connection may have room: only lease() knows.
  return idle_.empty() && shared_.empty() && !is_within(cell_->connections, limits.max_backend_connections);
}

BackendSide* Backend::lease(BackendUser& user, const config::Pool& pool, bool must_connect) {
  if (!admit(pool.limits)) {
    errno = kFull;
    return nullptr;
  }
  BackendSide* side = pool.protocol == "h2" ? lease_stream(user, pool) : lease_connection(user, pool, must_connect);
  const int code = errno;
  if (!side) count_lease(-1);
  errno = code;
  return side;
}

bool Backend::admit(const config::Limits& limits) {
  if (cell_ && !add_within(cell_->in_flight, context_.index, limits.max_backend_requests)) return false;
  ++leased_;
  return true;
}

BackendSide* Backend::lease_stream(BackendUser& user, const config::Pool& pool) {
  if (pool.max_age.count() > 0 || pool.max_requests > 0) retire_worn(pool);
  auto found = std::find_if(shared_.begin(), shared_.end(), [&pool](const auto& each) { return each->has_room(pool.max_streams); });
  if (found == shared_.end()) {
    std::unique_ptr<Stream> stream = connect(pool.limits);
    if (!stream) return nullptr;
    add_shared(std::move(stream));
    found = shared_.end() - 1;
  } else if ((*found)->requests() == 0) {
    warm_wait_ = Duration(0);
  }
  return (*found)->lease_to(user);
}

H2Connection& Backend::add_shared(std::unique_ptr<Stream> stream) {
  shared_.push_back(std::make_unique<H2Connection>(context_, *this, std::move(stream)));
  shared_.back()->identity = tls_.identity();
  return *shared_.back();
}

// One without streams ends at once, which takes it out.
void Backend::retire_worn(const config::Pool& pool) {
  for (std::size_t i = shared_.size(); i > 0; --i) {
    if (const auto end = shared_[i - 1]->wear(pool)) shared_[i - 1]->retire(*end);
  }
}

void Backend::drop(H2Connection& connection, ConnectionEnd end) {
  const auto found = find_in(shared_, connection);
  GH_CHECK(found != shared_.end());
  if (end == ConnectionEnd::kBackend) note_close(connection);
  this->end(std::move(*found), end);
  shared_.erase(found);
}

// By the backend.
void Backend::note_close(const BackendConnection& connection) {
  if (connection.requests() == 0) return note_cold();
  const auto rested = connection.rested();
  if (!rested || !idle_habit_.note_close(*rested, context_.loop.now())) return;
  log_info("backend {} closes idle connections after {}: ours end before", to_string(address_), to_string(*rested));
}

void Backend::end(std::unique_ptr<BackendConnection> connection, ConnectionEnd end) {
  context_.board.worker(context_.index).connection_ends[static_cast<std::size_t>(end)].fetch_add(1, std::memory_order_relaxed);
  connection->detach();
  context_.retire(std::move(connection));
}

std::unique_ptr<H1Connection> Backend::take_idle(const config::Pool& pool) {
  while (!idle_.empty()) {
    std::unique_ptr<H1Connection> connection = std::move(idle_.back());
    idle_.pop_back();
    const auto worn = connection->wear(pool);
    if (connection->requests() == 0) warm_wait_ = Duration(0);  // what is made ahead lasts long enough to be of use
    if (!worn) return connection;
    end(std::move(connection), *worn);
  }
  return nullptr;
}

BackendSide* Backend::lease_connection(BackendUser& user, const config::Pool& pool, bool must_connect) {
  std::unique_ptr<H1Connection> connection = must_connect ? nullptr : take_idle(pool);
  if (!connection) {
    std::unique_ptr<Stream> stream = connect(pool.limits);
    if (!stream) return nullptr;
    connection = std::make_unique<H1Connection>(context_, *this, std::move(stream));
    connection->identity = tls_.identity();
  }
  connection->lease_to(user);
  return connection.release();  // the lease owns it: until give_back()
}

bool is_shortage(int code) {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM || code == EADDRNOTAVAIL;
}

std::atomic<std::uint32_t>* Backend::connection_count() const { return cell_ ? &cell_->connections[context_.index] : nullptr; }

std::unique_ptr<Stream> Backend::connect(const config::Limits& limits) {
  if (cell_ && !add_within(cell_->connections, context_.index, limits.max_backend_connections)) {
    errno = kFull;
    return nullptr;
  }
  Fd socket = dial();
  if (!socket.is_open()) {
    const int code = errno;
    if (cell_) connection_count()->fetch_sub(1);
    errno = code;
    return nullptr;
  }
  context_.board.worker(context_.index).backend_connections.fetch_add(1, std::memory_order_relaxed);
  if (!tls_.is_on()) return make_tcp_stream(std::move(socket), true);
  return make_tls_client_stream(std::move(socket), tls_, address_, &sessions_);
}

void Backend::set_tls(const TlsClientContext& tls) {
  if (tls.identity() == tls_.identity()) return;
  tls_ = tls;
  sessions_.clear();
  drop_all_idle();
}

void Backend::set_sources(const SourceAddresses& sources) {
  if (sources == sources_) return;
  sources_ = sources;
  drop_all_idle();
}

std::string Backend::why_unreached(std::string_view reason) const {
  std::string text = "cannot connect to " + to_string(address_);
  if (const auto& source = sources_.towards(address_.address)) text += " from " + to_string(*source);
  return text + ": " + std::string(reason);
}

void Backend::drop_all_idle() {
  while (!idle_.empty()) drop_idle(*idle_.back(), ConnectionEnd::kRetired);
  while (!warming_.empty()) drop_warming(*warming_.back(), ConnectionEnd::kRetired);
  for (std::size_t i = shared_.size(); i > 0; --i) shared_[i - 1]->retire(ConnectionEnd::kRetired);  // one without streams ends at once
}

void Backend::set_member(bool is_member) {
  is_member_ = is_member;
  if (!is_member) drop_all_idle();
}

std::optional<ConnectionEnd> Backend::reason_to_end(const H1Connection& connection, const config::Pool& pool) const {
  if (!is_member_ || connection.identity != tls_.identity()) return ConnectionEnd::kRetired;
  // At the limit none is kept idle here: another worker may need its place.
  const bool has_place = !cell_ || is_within(cell_->connections, pool.limits.max_backend_connections);
  if (!has_place || idle_.size() >= pool.max_idle) return ConnectionEnd::kSurplus;
  return connection.wear(pool);
}

void Backend::give_back(H1Connection& leased, const config::Pool& pool) {
  std::unique_ptr<H1Connection> connection(&leased);
  count_lease(-1);
  const auto reason = reason_to_end(*connection, pool);
  if (!reason && connection->rest_after_lease(pool)) {
    idle_.push_back(std::move(connection));
    return;
  }
  end(std::move(connection), reason.value_or(ConnectionEnd::kUnfinished));
}

void Backend::drop_idle(H1Connection& connection, ConnectionEnd end) {
  const auto found = find_in(idle_, connection);
  if (found == idle_.end()) return;
  if (end == ConnectionEnd::kBackend) note_close(connection);
  this->end(std::move(*found), end);
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

Backend& BackendSet::find_or_add(std::string_view pool, const Endpoint& address, const TlsClientContext& tls,
                                 const SourceAddresses& sources) {
  const std::uint64_t key = backend_key(pool, address);
  std::unique_ptr<Backend>& backend = backends_[key];
  if (!backend) backend = std::make_unique<Backend>(context_, address, context_.board.backend(key));
  backend->set_tls(tls);
  backend->set_sources(sources);
  backend->set_member(true);
  return *backend;
}

void BackendSet::sweep() {
  std::erase_if(backends_, [](const auto& entry) { return entry.second->is_unused(); });
}

}  // namespace gatehouse::l7
