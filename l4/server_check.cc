#include "l4/server_check.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "common/hex.h"

namespace gatehouse::l4 {
namespace {

constexpr std::size_t kMostAnswer = 64 << 10;  // who says more without what is expected does not say it

}  // namespace

ServerCheck::ServerCheck(EventLoop& loop, const config::ServerCheck& check, const Target& target, bool is_up,
                         std::function<void()> on_change)
    : loop_(loop),
      check_(check),
      target_(target),
      request_(parse_escapes(check.request).value_or("")),
      expect_(parse_escapes(check.expect).value_or("")),
      on_change_(std::move(on_change)),
      verdict_(is_up || check.kind == "none", check.rise, check.fall),
      is_judged_(verdict_.is_up()) {
  if (check.kind == "none") {
    has_result_ = true;
    reason_.clear();
    return;
  }
  interval_.arm<&ServerCheck::start>(loop_, Duration(0), this);
}

void ServerCheck::start() {
  interval_.arm<&ServerCheck::start>(loop_, check_.interval, this);
  if (socket_.is_open()) conclude("no answer within " + to_string(check_.interval));
  answer_.clear();
  is_sent_ = false;
  if (const Status opened = open(); !opened) return conclude(opened.error().message);
  timeout_.arm<&ServerCheck::on_timeout>(loop_, check_.timeout, this);
  watch_.start<&ServerCheck::on_ready>(loop_, socket_.get(), EventLoop::kEdge, this);
}

Status ServerCheck::open() {
  sockaddr_storage target, source;
  const socklen_t target_length = to_sockaddr(target_.endpoint, target);
  const socklen_t source_length = to_sockaddr({target_.source, 0}, source);
  const int type = check_.kind == "udp" ? SOCK_DGRAM : SOCK_STREAM;
  const int on = 1;
  socket_ = Fd(::socket(target.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_.is_open()) return system_error("socket");
  if (target_.mark &&
      setsockopt(socket_.get(), SOL_SOCKET, SO_MARK, &target_.mark, sizeof target_.mark) != 0) {
    return system_error("cannot mark the check");
  }
  setsockopt(socket_.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (source.ss_family == target.ss_family && !target_.source.is_unspecified() &&
      bind(socket_.get(), reinterpret_cast<const sockaddr*>(&source), source_length) != 0) {
    return system_error("cannot check from " + to_string(target_.source));
  }
  if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&target), target_length) != 0 &&
      errno != EINPROGRESS) {
    return system_error("cannot connect");
  }
  return {};
}

void ServerCheck::on_timeout() { conclude("no answer within " + to_string(check_.timeout)); }

void ServerCheck::on_ready(std::uint32_t events) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error) return conclude(std::strerror(error));
  if (!is_sent_ && (events & EPOLLOUT)) {
    is_sent_ = true;
    if (!request_.empty() && send(socket_.get(), request_.data(), request_.size(), MSG_NOSIGNAL) < 0) {
      return conclude(std::strerror(errno));
    }
  }
  const bool is_connection_enough = check_.kind == "tcp" && request_.empty() && expect_.empty();
  if (is_connection_enough && is_sent_) return conclude("");
  if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP | EPOLLERR)) read();
}

void ServerCheck::read() {
  char chunk[4096];
  for (;;) {
    const ssize_t count = recv(socket_.get(), chunk, sizeof chunk, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return conclude(std::strerror(errno));
    answer_.append(chunk, static_cast<std::size_t>(count));
    const bool is_over = count == 0 && check_.kind == "tcp";
    if (!answer_.empty() && answer_.find(expect_) != std::string::npos) return conclude("");
    if (is_over)
      return conclude(answer_.empty() ? "closed without an answer" : "the answer is not what was expected");
    if (check_.kind == "udp" || answer_.size() > kMostAnswer)
      return conclude("the answer is not what was expected");
  }
}

void ServerCheck::conclude(const std::string& failure) {
  watch_.stop();
  socket_.reset();
  timeout_.cancel();
  reason_ = failure;
  has_result_ = true;
  const bool is_success = failure.empty();
  if (!is_success) clean_since_.reset();
  if (is_success && !clean_since_) clean_since_ = loop_.now();
  if (!verdict_.note(is_success, !is_judged_)) return;
  is_judged_ = true;
  on_change_();
}

}  // namespace gatehouse::l4
