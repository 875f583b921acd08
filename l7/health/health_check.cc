#include "l7/health/health_check.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "l7/http/h1_parser.h"
#include "l7/tls/stream.h"

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kMostBody = 64 * 1024;  // that is searched
constexpr http::HeadLimits kLimits{BufferPool::kSmall, 0, http::kMaxFields};

std::unique_ptr<Stream> connect_to(const Endpoint& backend, const TlsClientContext& tls) {
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr(backend, storage);
  Fd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const bool is_started = socket.is_open() &&
                          (connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0 || errno == EINPROGRESS);
  if (!is_started) return nullptr;
  return tls.is_on() ? make_tls_client_stream(std::move(socket), tls, backend, nullptr) : make_tcp_stream(std::move(socket), true);
}

}  // namespace

// What has come of the answer so far.
class HealthCheck::Answer {
 public:
  bool has_head = false;
  std::size_t scanned = 0;
  std::uint16_t status = 0;
  http::Response response;
  http::BodyReader reader;
  std::string body;
};

HealthCheck::HealthCheck(EventLoop& loop, BufferPool& buffers, const config::Health& health, const Endpoint& backend, Duration offset,
                         OnChange on_change, ProxyVersion proxy, const TlsClientContext& tls, std::function<void()> on_pass)
    : loop_(loop), buffers_(buffers), health_(health), backend_(backend), tls_(tls), on_change_(std::move(on_change)), on_pass_(std::move(on_pass)), proxy_(proxy) {
  request_ = "GET " + health_.path + " HTTP/1.1\r\nHost: " + (health_.host.empty() ? to_string(backend) : health_.host) +
             "\r\nUser-Agent: gatehouse-health\r\nConnection: close\r\n\r\n";
  interval_.arm<&HealthCheck::start>(loop_, offset, this);
}

void HealthCheck::start() {
  interval_.arm<&HealthCheck::start>(loop_, health_.interval, this);
  if (wire_) conclude("no answer within " + to_string(health_.interval));
  timeout_.arm<&HealthCheck::on_timeout>(loop_, health_.timeout, this);
  auto stream = connect_to(backend_, tls_);
  if (!stream) return conclude(std::string("cannot connect: ") + std::strerror(errno));
  wire_ = std::make_unique<Wire>(buffers_, std::move(stream));
  has_asked_ = false;
  answer_ = std::make_shared<Answer>();
  watch_.start<&HealthCheck::on_event>(loop_, wire_->fd(), EventLoop::kEdge, this);
}

void HealthCheck::on_timeout() {
  if (wire_) conclude("no answer within " + to_string(health_.timeout));
}

void HealthCheck::on_event(std::uint32_t events) {
  wire_->note(events);
  advance();
}

void HealthCheck::advance() {
  switch (wire_->open()) {
    case StreamStatus::kBlocked: return;
    case StreamStatus::kDone: break;
    default: return conclude("cannot connect: " + wire_->failure());
  }
  if (!std::exchange(has_asked_, true)) ask();
  wire_->flush();
  while (answer_->has_head ? read_body() : read_head()) {
  }
}

// The check is nobody's connection: LOCAL in version 2; in version 1 our own address, because UNKNOWN is not taken
// everywhere (proxy-protocol.txt §2.1).
void HealthCheck::ask() {
  ProxyHeader header;
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  if (proxy_ == ProxyVersion::kV1 && getsockname(wire_->fd(), reinterpret_cast<sockaddr*>(&own), &length) == 0) {
    header.names_client = true;
    header.source = Endpoint::from_sockaddr(own);
    header.destination = backend_;
  }
  char bytes[kMostProxyHeader];
  wire_->output().append({bytes, write_proxy_header(proxy_, header, bytes)});
  wire_->output().append(request_);
}

// Both return whether there may be more to do.
bool HealthCheck::read_head() {
  const bool has_bytes = wire_->fill();
  const http::ParseResult result =
      http::parse_response(wire_->input().view(), kLimits, answer_->scanned, "GET", answer_->response);
  if (result.status == http::ParseStatus::kNeedMore) {
    if (!has_bytes && (wire_->is_at_end() || wire_->has_failed())) conclude("the connection was closed without an answer");
    return wire_ && has_bytes;
  }
  if (result.status != http::ParseStatus::kDone) return conclude(std::string("malformed answer: ") + result.reason), false;
  answer_->status = answer_->response.status;
  answer_->reader = http::BodyReader(answer_->response.framing, answer_->response.content_length);
  answer_->scanned = 0;
  wire_->input().consume(result.length);
  if (answer_->status < 200) return true;
  const auto& good = health_.status;
  if (std::find(good.begin(), good.end(), answer_->status) == good.end()) {
    return conclude("status " + std::to_string(answer_->status)), false;
  }
  if (health_.body_contains.empty()) return conclude(""), false;
  answer_->has_head = true;
  return true;
}

bool HealthCheck::read_body() {
  const bool is_found = answer_->body.find(health_.body_contains) != std::string::npos;
  if (is_found) return conclude(""), false;
  const bool is_over = answer_->reader.is_done() || answer_->body.size() > kMostBody;
  if (is_over) return conclude("the body does not contain \"" + health_.body_contains + "\""), false;
  if (wire_->input().is_empty() && !wire_->fill()) {
    const bool is_closed = wire_->is_at_end() || wire_->has_failed();
    if (is_closed) conclude("the body does not contain \"" + health_.body_contains + "\"");
    return false;
  }
  const http::BodyReader::Step step = answer_->reader.next(wire_->input().view());
  if (step.is_malformed) return conclude(std::string("malformed body: ") + step.reason), false;
  answer_->body += step.data;
  wire_->input().consume(step.consumed);
  return true;
}

void HealthCheck::conclude(const std::string& failure) {
  watch_.stop();
  timeout_.cancel();
  wire_.reset();
  answer_.reset();
  failure.empty() ? succeed() : fail(failure);
}

void HealthCheck::succeed() {
  if (on_pass_) on_pass_();
  const bool is_first = !std::exchange(is_decided_, true);
  if (is_healthy_) {
    streak_ = 0;
    reason_.clear();
    if (is_first) on_change_();
    return;
  }
  if (++streak_ < health_.rise) return;
  is_healthy_ = true;
  streak_ = 0;
  reason_.clear();
  on_change_();
}

void HealthCheck::fail(const std::string& failure) {
  const bool is_first = !std::exchange(is_decided_, true);
  reason_ = failure;
  if (!is_healthy_) {
    streak_ = 0;
    return;
  }
  if (++streak_ < health_.fall && !is_first) return;
  is_healthy_ = false;
  streak_ = 0;
  on_change_();
}

}  // namespace gatehouse::l7
