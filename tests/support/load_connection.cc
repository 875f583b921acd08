#include "tests/support/load_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "tests/support/byte_pattern.h"
#include "tests/support/load_client.h"

namespace gatehouse::test {
namespace {

using Kind = LoadReport::Kind;
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr Duration kLinger{1'000};  // for the peer's end after it announced one
constexpr Duration kPause{20};      // between two looks at the read rate

// "1.1 node-2" says node-2; of several, the one nearest to us.
std::string_view node_of(std::string_view via) { return via.substr(via.rfind(' ') + 1); }

std::string tls_reason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code ? ERR_reason_error_string(code) : nullptr;
  return reason ? reason : "no reason given";
}

}  // namespace

void LoadConnection::open(const Endpoint& target, const Endpoint& source) {
  GH_CHECK(is_closed());
  state_ = State::kConnecting;
  requests_ = 0;
  last_progress_ = client_.loop_.now();
  via_.clear();
  if (!connect(target, source)) fail(Kind::kConnect, std::strerror(errno));
}

bool LoadConnection::connect(const Endpoint& target, const Endpoint& source) {
  sockaddr_storage storage;
  socklen_t size = to_sockaddr(target, storage);
  socket_ = Fd(socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_.is_open()) return false;
  const int fd = socket_.get(), on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (client_.options_.read_rate > 0) {
    // A reader is slow only if the kernel does not read ahead for it.
    const int buffer = 64 * 1024;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  }
  if (source != Endpoint{}) {
    sockaddr_storage local;
    const socklen_t local_size = to_sockaddr(source, local);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (source.port == 0) setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, reinterpret_cast<sockaddr*>(&local), local_size) != 0) return false;
  }
  if (::connect(fd, reinterpret_cast<sockaddr*>(&storage), size) != 0 && errno != EINPROGRESS) return false;
  watch_.start<&LoadConnection::on_ready>(client_.loop_, fd, EventLoop::kEdge, this);
  return true;
}

void LoadConnection::on_ready(std::uint32_t events) {
  last_progress_ = client_.loop_.now();
  if (state_ == State::kConnecting && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) on_connect();
  if (state_ == State::kHandshaking) handshake();
  if (!unsent_.empty() && (events & EPOLLOUT)) flush();
  const bool ends = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
  if (state_ >= State::kIdle && (ends || events & EPOLLIN)) receive(ends);
}

void LoadConnection::on_connect() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return fail(Kind::kConnect, std::strerror(error));
  if (!client_.tls_) return established();
  ssl_.reset(SSL_new(client_.tls_.get()));
  GH_CHECK(ssl_ && SSL_set_fd(ssl_.get(), socket_.get()) == 1);
  const std::string& name = client_.options_.sni;
  if (!name.empty()) {
    SSL_set_tlsext_host_name(ssl_.get(), name.c_str());
    SSL_set1_host(ssl_.get(), name.c_str());
  }
  if (client_.session_) SSL_set_session(ssl_.get(), client_.session_.get());
  SSL_set_connect_state(ssl_.get());
  state_ = State::kHandshaking;
}

void LoadConnection::handshake() {
  errno = 0;
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return established();
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
  const int cause = errno;
  fail(Kind::kTls, error == SSL_ERROR_SYSCALL && cause
                       ? std::string("in the handshake: ") + std::strerror(cause)
                       : "in the handshake: " + tls_reason());
}

void LoadConnection::established() {
  state_ = State::kIdle;
  ++client_.report_.connections_opened;
  if (ssl_ && SSL_session_reused(ssl_.get())) ++client_.report_.connections_resumed;
  ++client_.report_.connections_open;
  client_.on_idle(*this);
}

void LoadConnection::send(const LoadRequest& request, Clock::time_point since, bool is_last) {
  GH_CHECK(is_idle());
  state_ = State::kAwaiting;
  ++client_.in_flight_;
  request_ = &request;
  since_ = since;
  last_progress_ = client_.loop_.now();
  received_ = body_received_ = 0;
  has_head_ = says_close_ = until_close_ = false;
  partial_head_.clear();
  unsent_ = is_last ? request.last : request.keep_alive;
  flush();
}

void LoadConnection::flush() {
  while (!unsent_.empty() && state_ == State::kAwaiting) {
    ssize_t sent = 0;
    if (ssl_) {
      sent = SSL_write(ssl_.get(), unsent_.data(), static_cast<int>(unsent_.size()));
    } else {
      sent = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    }
    // Whatever is wrong with the connection, reading tells it better: an answer may have come before the end.
    if (sent <= 0) return;
    unsent_.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// The bytes read; 0: the peer ended; -1 with errno (EAGAIN: nothing more now).
ssize_t LoadConnection::read_some(char* bytes, std::size_t size) {
  if (!ssl_) return ::read(socket_.get(), bytes, size);
  errno = 0;
  const int result = SSL_read(ssl_.get(), bytes, static_cast<int>(size));
  if (result > 0) return result;
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    errno = EAGAIN;
  } else if (error == SSL_ERROR_SSL) {
    // The kernel's end without close_notify is an end like any other; the answer's framing tells if it is too
    // early.
    if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
      ERR_clear_error();
      return 0;
    }
    errno = EPROTO;
  } else if (errno == 0) {
    return 0;
  }
  return -1;
}

bool LoadConnection::must_pause() {
  const std::uint64_t rate = client_.options_.read_rate;
  if (rate == 0 || state_ != State::kAwaiting) return false;
  const std::chrono::duration<double> elapsed = client_.loop_.now() - since_;
  if (static_cast<double>(received_) <= elapsed.count() * static_cast<double>(rate)) return false;
  if (!pause_.is_armed()) pause_.arm<&LoadConnection::on_pause_over>(client_.loop_, kPause, this);
  return true;
}

void LoadConnection::on_pause_over() {
  last_progress_ = client_.loop_.now();
  receive(true);
}

// `to_the_end`: until the kernel says so; else a short read is believed to have taken everything.
void LoadConnection::receive(bool to_the_end) {
  static char scratch[kReadBytes];
  const std::uint64_t rate = client_.options_.read_rate;
  const std::size_t wanted = rate == 0 ? kReadBytes : std::clamp<std::size_t>(rate / 50, 1, kReadBytes);
  while (state_ >= State::kIdle && !must_pause()) {
    const ssize_t count = read_some(scratch, wanted);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return ended(errno, std::strerror(errno));
    if (count == 0) return ended(0, "closed");
    take({scratch, static_cast<std::size_t>(count)});
    if (to_the_end || state_ < State::kIdle) continue;
    const bool is_drained = ssl_ ? !SSL_has_pending(ssl_.get()) && (!has_head_ || state_ == State::kIdle)
                                 : count < static_cast<ssize_t>(wanted);
    if (is_drained) return;
  }
}

void LoadConnection::take(std::string_view bytes) {
  if (state_ == State::kLingering) return;
  if (state_ == State::kIdle) return fail(Kind::kMismatch, "bytes that answer no request");
  received_ += bytes.size();
  if (!has_head_ && !take_head(bytes)) return;
  take_body(bytes);
}

bool LoadConnection::take_head(std::string_view& bytes) {
  while (!has_head_) {
    std::string_view text = bytes;
    const std::size_t kept = partial_head_.size();
    if (kept > 0) text = partial_head_.append(bytes);
    const HeadState state = head_.parse(text);
    if (state == HeadState::kNeedMore) {
      if (kept == 0) partial_head_ = bytes;
      return false;
    }
    const std::string_view digits = head_.words[1];
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), status_);
    if (state == HeadState::kMalformed || parsed.ec != std::errc() ||
        !head_.words[0].starts_with("HTTP/1.")) {
      fail(Kind::kMismatch, "malformed head of an answer");
      return false;
    }
    bytes.remove_prefix(head_.size - kept);
    via_ = node_of(head_.field("via"));
    backend_ = head_.field("x-backend");
    has_head_ = status_ >= 200;  // RFC 9110 §15.2: interim answers come before the answer
    partial_head_.clear();
  }
  says_close_ = head_.says_close;
  const bool has_body = status_ != 204 && status_ != 304;
  until_close_ = has_body && !head_.has_content_length && !head_.is_chunked;
  body_expected_ = has_body ? head_.content_length : 0;
  chunks_.reset();
  return true;
}

void LoadConnection::take_body(std::string_view bytes) {
  HeadState state = HeadState::kNeedMore;
  if (head_.is_chunked) {
    while (!bytes.empty() && state == HeadState::kNeedMore) {
      std::string_view data;
      state = chunks_.next(bytes, data);
      take_data(data);
      if (state_ != State::kAwaiting) return;
    }
    if (state == HeadState::kMalformed) return fail(Kind::kMismatch, "malformed chunk");
  } else {
    const std::string_view data = until_close_ ? bytes : bytes.substr(0, body_expected_ - body_received_);
    bytes.remove_prefix(data.size());
    take_data(data);
    if (state_ != State::kAwaiting) return;
    if (!until_close_ && body_received_ == body_expected_) state = HeadState::kDone;
  }
  if (state != HeadState::kDone) return;
  if (!bytes.empty()) return fail(Kind::kMismatch, "bytes after the end of the answer");
  complete();
}

void LoadConnection::take_data(std::string_view data) {
  const bool is_verified = request_->is_pattern && status_ / 100 == 2;
  if (is_verified && !matches_pattern(body_received_, data)) {
    return fail(Kind::kMismatch, "wrong bytes after " + std::to_string(body_received_) + " right ones");
  }
  body_received_ += data.size();
  client_.report_.body_bytes += data.size();
}

void LoadConnection::complete() {
  const unsigned expected = client_.options_.expected_status;
  const bool is_right_status = expected != 0 ? status_ == expected : status_ / 100 == 2;
  if (!is_right_status) {
    ++client_.report_.by_status[status_];
    client_.report_.record_failure(Kind::kStatus, requests_, "status " + std::to_string(status_), via_);
  } else if (request_->is_pattern && status_ / 100 == 2 && body_received_ != request_->length) {
    return fail(Kind::kMismatch, "a body of " + std::to_string(body_received_) + " bytes");
  } else {
    client_.report_.record_ok(status_, via_, backend_, Clock::now() - since_);
  }
  ++requests_;
  --client_.in_flight_;
  has_head_ = false;
  state_ = says_close_ ? State::kLingering : State::kIdle;
  if (state_ == State::kIdle) client_.on_idle(*this);
}

void LoadConnection::ended(int error, std::string_view how) {
  const State before = state_;
  if (before == State::kAwaiting && until_close_ && error == 0) {
    says_close_ = true;
    complete();
  }
  if (state_ == State::kClosed) return;
  if (state_ == State::kLingering) {
    close();
    return client_.on_ended(*this, true);
  }
  ++client_.report_.connections_broken;
  if (before == State::kIdle) {
    if (error == 0) ++client_.report_.connections_broken_idle;
    close();
    return client_.on_ended(*this, true);
  }
  const auto after = std::chrono::duration_cast<Duration>(Clock::now() - since_);
  const bool is_truncated = error == 0 && received_ > 0;
  fail(is_truncated ? Kind::kTruncated : Kind::kReset,
       std::string(how) + (received_ == 0 ? " before the answer" : " within the answer") + ", " +
           std::to_string(received_) + " bytes of it read, " + gatehouse::to_string(after) +
           " after the request was due");
}

void LoadConnection::fail(Kind kind, std::string detail) {
  client_.report_.record_failure(kind, requests_, std::move(detail), via_);
  close();
  client_.on_ended(*this, kind != Kind::kConnect && kind != Kind::kTls);
}

void LoadConnection::close() {
  if (state_ == State::kClosed) return;
  if (state_ >= State::kIdle) --client_.report_.connections_open;
  if (state_ == State::kAwaiting) --client_.in_flight_;
  if (ssl_ && (state_ == State::kIdle || state_ == State::kLingering)) SSL_shutdown(ssl_.get());
  ERR_clear_error();
  state_ = State::kClosed;
  unsent_ = {};
  pause_.cancel();
  watch_.stop();
  ssl_.reset();
  socket_.reset();
}

void LoadConnection::check_deadline(Clock::time_point now, Duration timeout) {
  if (state_ == State::kClosed || state_ == State::kIdle) return;
  const auto waited = now - last_progress_;
  if (state_ == State::kLingering && waited > kLinger) {
    close();
    return client_.on_ended(*this, true);
  }
  if (waited <= timeout) return;
  if (state_ == State::kConnecting) return fail(Kind::kConnect, "no answer in time");
  if (state_ == State::kHandshaking) return fail(Kind::kTls, "handshake: no answer in time");
  if (state_ != State::kAwaiting) return;
  ++client_.report_.connections_broken;
  fail(Kind::kTimeout, "no progress in time, " + std::to_string(received_) + " bytes of the answer read");
}

}  // namespace gatehouse::test
