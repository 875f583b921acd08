#include "l4/node_probe.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "bpf/abi.h"
#include "common/scramble.h"

namespace gatehouse::l4 {
namespace {

constexpr std::string_view kRequest = "GET /healthz HTTP/1.1\r\nHost: probe\r\nUser-Agent: gatehouse-probe\r\nConnection: close\r\n\r\n";
constexpr std::string_view kGood = "HTTP/1.1 200 ";

}  // namespace

NodeProbe::NodeProbe(EventLoop& loop, const config::Probe& probe, std::uint16_t node, const IpAddress& source, bool is_up,
                     std::function<void()> on_change)
    : loop_(loop), probe_(probe), node_(node), source_(source), on_change_(std::move(on_change)), verdict_(is_up, probe.rise, probe.fall) {
  interval_.arm<&NodeProbe::start>(loop_, Duration(0), this);
}

// The first probe is at once, the others are where their node's number puts them within the interval: a thousand do not come
// together.
void NodeProbe::start() {
  const bool is_first = !std::exchange(is_started_, true);
  const auto place = probe_.interval * static_cast<std::int64_t>(scramble(node_) % 1024) / 1024;
  interval_.arm<&NodeProbe::start>(loop_, is_first ? probe_.interval / 2 + place : probe_.interval, this);
  if (socket_.is_open()) conclude("no answer within " + to_string(probe_.interval));
  sockaddr_storage target, source;
  const socklen_t target_length = to_sockaddr({probe_.address, probe_.port}, target);
  const socklen_t source_length = to_sockaddr({source_, 0}, source);
  socket_ = Fd(::socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int mark = GH_PROBE_MARK | node_;
  const int on = 1;
  if (!socket_.is_open() || setsockopt(socket_.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) {
    return conclude(std::string("cannot mark the probe: ") + std::strerror(errno));
  }
  setsockopt(socket_.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  const bool is_bound = source.ss_family != target.ss_family ||
                        bind(socket_.get(), reinterpret_cast<const sockaddr*>(&source), source_length) == 0;
  if (!is_bound || (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&target), target_length) != 0 && errno != EINPROGRESS)) {
    return conclude(std::string("cannot connect: ") + std::strerror(errno));
  }
  answer_.clear();
  is_sent_ = false;
  timeout_.arm<&NodeProbe::on_timeout>(loop_, probe_.timeout, this);
  watch_.start<&NodeProbe::on_ready>(loop_, socket_.get(), EventLoop::kEdge, this);
}

void NodeProbe::on_timeout() { conclude("no answer within " + to_string(probe_.timeout)); }

void NodeProbe::on_ready(std::uint32_t events) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error) return conclude(std::strerror(error));
  if (!is_sent_ && (events & EPOLLOUT)) {
    is_sent_ = send(socket_.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(kRequest.size());
  }
  char chunk[512];
  for (;;) {
    const ssize_t count = recv(socket_.get(), chunk, sizeof chunk, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count > 0) answer_.append(chunk, static_cast<std::size_t>(count));
    if (answer_.size() >= kGood.size()) {
      return conclude(answer_.starts_with(kGood) ? "" : "answered \"" + answer_.substr(0, answer_.find('\r')) + "\"");
    }
    if (count <= 0) return conclude(count == 0 ? "closed without an answer" : std::strerror(errno));
  }
}

void NodeProbe::conclude(const std::string& failure) {
  watch_.stop();
  socket_.reset();
  timeout_.cancel();
  reason_ = failure;
  const bool is_success = failure.empty();
  if (!is_success) clean_since_.reset();
  if (is_success && !clean_since_) clean_since_ = loop_.now();
  if (verdict_.note(is_success)) on_change_();
}

}  // namespace gatehouse::l4
