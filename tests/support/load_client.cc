#include "tests/support/load_client.h"

#include <sys/timerfd.h>

#include <algorithm>
#include <charconv>

namespace gatehouse::test {
namespace {

using Kind = LoadReport::Kind;
constexpr Duration kSweep{100};  // how often deadlines are looked at and refused connections tried again

LoadRequest make_request(const LoadOptions& options, const std::string& path) {
  std::string head = "GET " + path + " HTTP/1.1\r\nHost: " + options.host + "\r\n";
  for (const std::string& header : options.headers) head += header + "\r\n";
  LoadRequest request{head + "\r\n", head + "Connection: close\r\n\r\n"};
  for (const std::string_view prefix : {"/bytes/", "/chunked/"}) {
    if (!path.starts_with(prefix)) continue;
    const char* end = path.data() + path.size();
    request.is_pattern = std::from_chars(path.data() + prefix.size(), end, request.length).ec == std::errc();
  }
  return request;
}

}  // namespace

LoadClient::LoadClient(EventLoop& loop, LoadOptions options) : loop_(loop), options_(std::move(options)) {}

LoadClient::~LoadClient() { is_stopping_ = true; }

Status LoadClient::start(std::function<void()> on_finished) {
  on_finished_ = std::move(on_finished);
  if (options_.targets.empty()) return Error{"a load client needs an address to connect to"};
  make_requests();
  if (Status made = make_tls(); !made) return made;
  started_ = Clock::now();
  if (Status ticking = start_clock(); !ticking) return ticking;
  sweep_.arm<&LoadClient::on_sweep>(loop_, kSweep, this);
  for (std::size_t i = 0; i < options_.connections; ++i) {
    connections_.push_back(std::make_unique<LoadConnection>(*this));
  }
  open_some();
  return {};
}

void LoadClient::make_requests() {
  if (options_.paths.empty()) options_.paths.push_back({"/"});
  std::uint32_t heaviest = 0;
  for (const auto& path : options_.paths) {
    requests_.push_back(make_request(options_, path.path));
    heaviest = std::max(heaviest, path.weight);
  }
  for (std::uint32_t round = 0; round < heaviest; ++round) {
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if (options_.paths[i].weight > round) turn_.push_back(i);
    }
  }
}

Status LoadClient::make_tls() {
  if (!options_.uses_tls) return {};
  tls_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = tls_.get();
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (options_.resumes) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_app_data(context, this);
    SSL_CTX_sess_set_new_cb(context, &LoadClient::on_new_session);
  }
  const unsigned char protocols[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols - 1);
  if (!options_.verifies) return {};
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  const bool is_loaded = options_.ca_file.empty()
                             ? SSL_CTX_set_default_verify_paths(context)
                             : SSL_CTX_load_verify_locations(context, options_.ca_file.c_str(), nullptr);
  return is_loaded ? Status() : Status(Error{"cannot read certificates of " + options_.ca_file});
}

int LoadClient::on_new_session(SSL* ssl, SSL_SESSION* session) {
  static_cast<LoadClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->session_.reset(session);
  return 1;  // the reference is ours now
}

Status LoadClient::start_clock() {
  next_due_ = started_;
  const double fastest = std::max(options_.rate, options_.new_rate);
  if (fastest <= 0 || options_.is_polled) return {};
  clock_fd_ = Fd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!clock_fd_.is_open()) return system_error("timerfd_create");
  const auto period = static_cast<long>(std::clamp(1e9 / fastest, 2e5, 9e8));
  const itimerspec spec{{0, period}, {0, period}};
  GH_CHECK(timerfd_settime(clock_fd_.get(), 0, &spec, nullptr) == 0);
  clock_.start<&LoadClient::on_clock>(loop_, clock_fd_.get(), EPOLLIN, this);
  return {};
}

void LoadClient::open(LoadConnection& connection) {
  const Endpoint& target = options_.targets[next_target_++ % options_.targets.size()];
  connection.open(target, next_source());
}

void LoadClient::open_some() {
  const std::size_t limit = options_.opens_at_once > 0 ? options_.opens_at_once : connections_.size();
  while (may_begin() && next_to_open_ < std::min(connections_.size(), arrived_ + limit))
    open(*connections_[next_to_open_++]);
}

Endpoint LoadClient::next_source() {
  Endpoint source;
  const std::uint64_t turn = next_source_++;
  if (!options_.sources.empty()) source.address = options_.sources[turn % options_.sources.size()];
  if (options_.source_port_base == 0) return source;
  if (options_.sources.empty() && options_.targets.front().address.is_v4())
    source.address = *IpAddress::parse("0.0.0.0");
  source.port = static_cast<std::uint16_t>(options_.source_port_base + turn);
  return source;
}

bool LoadClient::may_begin() const {
  return !is_stopping_ && (options_.requests == 0 || begun_ < options_.requests);
}

void LoadClient::on_clock(std::uint32_t) {
  std::uint64_t expirations = 0;
  if (::read(clock_fd_.get(), &expirations, sizeof expirations) < 0) return;
  const std::chrono::duration<double> elapsed = Clock::now() - started_;
  const auto due_at = [&](std::uint64_t number, double rate) {
    const std::chrono::duration<double> offset(static_cast<double>(number) / rate);
    return started_ + std::chrono::duration_cast<Clock::duration>(offset);
  };
  for (; may_begin() && static_cast<double>(due_count_) < elapsed.count() * options_.rate; ++due_count_) {
    ++begun_;
    due_.push_back(due_at(due_count_, options_.rate));
  }
  for (; may_begin() && static_cast<double>(singles_begun_) < elapsed.count() * options_.new_rate;
       ++singles_begun_) {
    ++begun_;
    singles_.push_back(std::make_unique<LoadConnection>(*this));
    LoadConnection& single = *singles_.back();
    single.is_single = true;
    single.due = due_at(singles_begun_, options_.new_rate);
    open(single);
  }
  dispatch();
}

void LoadClient::poll() {
  std::exponential_distribution<double> gap(options_.rate);
  for (const Clock::time_point now = Clock::now(); may_begin() && next_due_ <= now; ++begun_) {
    due_.push_back(next_due_);
    next_due_ += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(gap(random_)));
  }
  dispatch();
}

void LoadClient::dispatch() {
  while (options_.rate == 0 && in_flight_ < options_.in_flight && may_begin() && !idle_.empty()) {
    LoadConnection& connection = *idle_.front();
    idle_.pop_front();
    connection.is_queued = false;
    if (!connection.is_idle()) continue;
    ++begun_;
    send_next(connection, Clock::now());
  }
  while (!due_.empty() && !idle_.empty()) {
    LoadConnection& connection = *idle_.front();
    idle_.pop_front();
    connection.is_queued = false;
    if (!connection.is_idle()) continue;
    const Clock::time_point since = due_.front();
    due_.pop_front();
    send_next(connection, since);
  }
}

void LoadClient::send_next(LoadConnection& connection, Clock::time_point since) {
  const std::uint64_t most = options_.requests_per_connection;
  const bool is_last = connection.is_single || (most > 0 && connection.requests() + 1 >= most);
  const LoadRequest& request = requests_[turn_[next_in_turn_]];
  if (++next_in_turn_ == turn_.size()) next_in_turn_ = 0;
  connection.send(request, since, is_last);
}

void LoadClient::on_idle(LoadConnection& connection) {
  if (connection.is_single) {
    if (connection.requests() == 0) return send_next(connection, connection.due);
    // The peer ignored `Connection: close`; that is its business, ours is done.
    connection.close();
    return on_ended(connection, true);
  }
  if (connection.requests() == (options_.is_once ? 1 : 0)) ++arrived_;
  if (next_to_open_ < connections_.size()) open_some();
  if (options_.is_once && connection.requests() > 0) return check_finished();
  if (options_.rate == 0 && options_.in_flight == 0 && may_begin()) {
    ++begun_;
    return send_next(connection, Clock::now());
  }
  if (!connection.is_queued) {
    connection.is_queued = true;
    idle_.push_back(&connection);
  }
  dispatch();
  check_finished();
}

void LoadClient::on_ended(LoadConnection& connection, bool at_once) {
  if (connection.is_single) {
    loop_.defer([this, ended = &connection] {
      std::erase_if(singles_, [&](const auto& single) { return single.get() == ended; });
      check_finished();
    });
    return;
  }
  check_finished();
  // A refused connection is tried again by the sweep, lest refusal becomes a busy loop.
  if (at_once && may_begin())
    loop_.defer([this, ended = &connection] {
      if (ended->is_closed()) open(*ended);
    });
}

void LoadClient::on_sweep() {
  const Clock::time_point now = loop_.now();
  for (std::size_t i = 0; i < next_to_open_; ++i) {
    connections_[i]->check_deadline(now, options_.timeout);
    if (connections_[i]->is_closed() && may_begin()) open(*connections_[i]);
  }
  for (const auto& single : singles_) single->check_deadline(now, options_.timeout);
  while (!due_.empty() && now - due_.front() > options_.timeout) {
    due_.pop_front();
    report_.record_failure(Kind::kTimeout, 0, "no connection was free in time", {});
  }
  check_finished();
  sweep_.arm<&LoadClient::on_sweep>(loop_, kSweep, this);
}

void LoadClient::check_finished() {
  if (may_begin() || !on_finished_ || !due_.empty() || !singles_.empty()) return;
  const bool is_busy = std::any_of(connections_.begin(), connections_.end(),
                                   [](const auto& connection) { return connection->is_awaiting(); });
  if (is_busy) return;
  loop_.defer(std::exchange(on_finished_, nullptr));
}

void LoadClient::stop() {
  is_stopping_ = true;
  clock_.stop();
  due_.clear();
  check_finished();
}

void LoadClient::abandon() {
  stop();
  for (const auto* group : {&connections_, &singles_}) {
    for (const auto& connection : *group) {
      if (connection->is_awaiting()) ++report_.unfinished;
      connection->close();
    }
  }
}

}  // namespace gatehouse::test
