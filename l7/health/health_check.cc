#include "l7/health/health_check.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "l7/proxy_protocol.h"
#include "l7/tls/stream.h"

namespace gatehouse::l7 {
namespace {

constexpr std::int64_t kJitter = 10;  // a wait is up to this part of it shorter

Endpoint target_of(Endpoint backend, const config::Health& health) {
  if (health.port != 0) backend.port = health.port;
  return backend;
}

std::unique_ptr<Stream> connect_to(const Endpoint& target, const HealthPlan& plan) {
  Fd socket = dial(target, plan.sources);
  if (!socket.is_open()) return nullptr;
  return plan.tls.is_on() ? make_tls_client_stream(std::move(socket), plan.tls, target, nullptr)
                          : make_tcp_stream(std::move(socket), true);
}

}  // namespace

HealthCheck::HealthCheck(EventLoop& loop, BufferPool& buffers, SharedHealthPlan plan,
                         const Endpoint& backend, Duration offset, Told told)
    : loop_(loop),
      buffers_(buffers),
      plan_(std::move(plan)),
      target_(target_of(backend, plan_->health)),
      told_(std::move(told)),
      verdict_(true, plan_->health.rise, plan_->health.fall),
      random_(static_cast<std::uint32_t>(std::hash<std::string>()(plan_->pool + to_string(backend)))) {
  interval_.arm<&HealthCheck::start>(loop_, offset, this);
}

void HealthCheck::start_after(Duration interval) {
  const auto most = static_cast<std::uint64_t>(interval.count() / kJitter);
  const Duration earlier(static_cast<std::int64_t>(random_() % (most + 1)));
  interval_.arm<&HealthCheck::start>(loop_, interval - earlier, this);
}

void HealthCheck::start() {
  const config::Health& health = plan_->health;
  if (wire_) conclude(HealthVerdict::down("no answer within " + to_string(health.interval)));
  start_after(health.interval);
  timeout_.arm<&HealthCheck::on_timeout>(loop_, health.timeout, this);
  auto stream = connect_to(target_, *plan_);
  if (!stream) return conclude(HealthVerdict::down(std::string("cannot connect: ") + std::strerror(errno)));
  wire_ = std::make_unique<Wire>(buffers_, std::move(stream));
  talk_ = make_health_talk(plan_, target_);
  has_begun_ = false;
  watch_.start<&HealthCheck::on_event>(loop_, wire_->fd(), EventLoop::kEdge, this);
}

void HealthCheck::on_timeout() {
  if (wire_) conclude(HealthVerdict::down("no answer within " + to_string(plan_->health.timeout)));
}

void HealthCheck::on_event(std::uint32_t events) {
  wire_->note(events);
  advance();
}

void HealthCheck::advance() {
  switch (wire_->open()) {
    case StreamStatus::kBlocked:
      return;
    case StreamStatus::kDone:
      break;
    default:
      return conclude(HealthVerdict::down("cannot connect: " + wire_->failure()));
  }
  if (!std::exchange(has_begun_, true)) begin_with_header();
  wire_->flush();
  if (const auto verdict = talk_->hear(*wire_)) conclude(*verdict);
}

// The check is nobody's connection: LOCAL in version 2; in version 1 our own address, because UNKNOWN is not
// taken everywhere (proxy-protocol.txt §2.1).
void HealthCheck::begin_with_header() {
  const ProxyVersion version = plan_->proxy_version;
  ProxyHeader header;
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  if (version == ProxyVersion::kV1 &&
      getsockname(wire_->fd(), reinterpret_cast<sockaddr*>(&own), &length) == 0) {
    header.names_client = true;
    header.source = Endpoint::from_sockaddr(own);
    header.destination = target_;
  }
  char bytes[kMostProxyHeader];
  wire_->output().append({bytes, write_proxy_header(version, header, bytes)});
  talk_->begin(*wire_);
}

void HealthCheck::conclude(const HealthVerdict& verdict) {
  watch_.stop();
  timeout_.cancel();
  wire_.reset();
  talk_.reset();
  verdict.state == HealthVerdict::State::kDown ? fail(verdict) : succeed(verdict);
  const Duration fast = plan_->health.fast_interval;
  if (verdict_.is_unsure() && fast.count() > 0) start_after(fast);
}

void HealthCheck::succeed(const HealthVerdict& verdict) {
  if (told_.on_pass) told_.on_pass();
  const bool is_first = !std::exchange(is_decided_, true);
  const bool was_degraded = std::exchange(is_degraded_, verdict.state == HealthVerdict::State::kDegraded);
  const bool is_back = verdict_.note(true);
  if (!is_healthy()) return;
  reason_ = verdict.reason;
  if (is_first || is_back || was_degraded != is_degraded_) told_.on_change();
}

void HealthCheck::fail(const HealthVerdict& verdict) {
  const bool is_first = !std::exchange(is_decided_, true);
  reason_ = verdict.reason;
  if (verdict_.note(false, is_first)) told_.on_change();
}

}  // namespace gatehouse::l7
