#include "tests/support/http_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/support/byte_pattern.h"
#include "tests/support/http_head.h"
#include "tests/support/sha256.h"

namespace gatehouse::test {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kLongestHead = 256 * 1024;
constexpr std::size_t kChunk = 1'000;  // no power of two: chunks and buffers end at different places

std::optional<std::uint64_t> number_after(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return std::nullopt;
  path.remove_prefix(prefix.size());
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), value);
  if (path.empty() || error != std::errc() || end != path.data() + path.size()) return std::nullopt;
  return value;
}

}  // namespace

// One accepted connection: a request is read whole, answered whole, and then the next one is looked at.
class HttpServer::Connection {
 public:
  Connection(HttpServer& server, Fd socket, std::size_t index)
      : index(index), server_(server), socket_(std::move(socket)) {
    watch_.start<&Connection::on_ready>(server_.loop_, socket_.get(), EventLoop::kEdge, this);
  }

  std::size_t index;  // in HttpServer::connections_

 private:
  enum class State { kHead, kBody, kWaiting, kReplying, kClosed };

  void on_ready(std::uint32_t events);
  void on_delay();
  void read();
  void serve();
  bool take_head();
  bool take_body();
  void answer();
  void answer_get(std::string_view path);
  bool answer_pattern(std::string_view path);
  std::string echo();
  void begin_reply(unsigned status, std::string_view type, std::optional<std::uint64_t> length);
  void reply_text(unsigned status, std::string_view text, std::string_view type = "text/plain");
  void refill_chunks();
  bool flush();
  void close();

  HttpServer& server_;
  Fd socket_;
  Watch watch_;
  Timer delay_;
  State state_ = State::kHead;
  std::string in_;
  std::size_t in_offset_ = 0;
  bool has_ended_ = false;

  HttpHead head_;
  bool is_head_request_ = false;  // head_ itself may be gone when a delayed answer is written
  std::string head_text_;         // what head_ views, once the body has begun to replace it in in_
  std::uint64_t body_length_ = 0;
  std::uint64_t body_left_ = 0;
  ChunkedReader chunks_;
  Sha256 sha256_;

  std::string out_;
  std::size_t out_offset_ = 0;
  std::uint64_t pattern_offset_ = 0;
  std::uint64_t pattern_left_ = 0;
  bool is_chunking_ = false;
  bool closes_ = false;
};

void HttpServer::Connection::on_ready(std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) read();
  serve();
}

void HttpServer::Connection::read() {
  while (state_ != State::kClosed && !has_ended_) {
    static char scratch[kReadBytes];
    const ssize_t count = ::read(socket_.get(), scratch, sizeof scratch);
    if (count == 0) has_ended_ = true;
    if (count < 0 && errno != EAGAIN) return close();
    if (count < 0) return;
    in_.append(scratch, static_cast<std::size_t>(count));
    if (state_ == State::kBody) take_body();
    if (count < static_cast<ssize_t>(kReadBytes)) return;  // drained: the next edge brings us back
  }
}

void HttpServer::Connection::serve() {
  while (true) {
    if (state_ == State::kHead && !take_head()) break;
    if (state_ == State::kBody && !take_body()) break;
    if (state_ == State::kWaiting) break;
    if (state_ == State::kReplying && !flush()) break;
    if (state_ == State::kClosed) return;
  }
  // A peer that has ended its side still gets the answer in progress; there is nobody to begin another one
  // for.
  if (has_ended_ && (state_ == State::kHead || state_ == State::kBody)) close();
}

bool HttpServer::Connection::take_head() {
  const std::string_view bytes = std::string_view(in_).substr(in_offset_);
  const HeadState parsed = bytes.empty() ? HeadState::kNeedMore : head_.parse(bytes);
  if (parsed == HeadState::kNeedMore) {
    in_.erase(0, in_offset_);
    in_offset_ = 0;
    if (in_.size() > kLongestHead) close();
    return false;
  }
  is_head_request_ = parsed == HeadState::kDone && head_.words[0] == "HEAD";
  closes_ = parsed == HeadState::kMalformed || head_.says_close || head_.words[2] == "HTTP/1.0";
  if (parsed == HeadState::kMalformed) {
    reply_text(400, "malformed head\n");
    return true;
  }
  ++server_.requests_;
  in_offset_ += head_.size;
  body_length_ = 0;
  body_left_ = head_.content_length;
  if (body_left_ == 0 && !head_.is_chunked) {
    answer();
    return true;
  }
  head_text_.assign(bytes.substr(0, head_.size));
  GH_CHECK(head_.parse(head_text_) == HeadState::kDone);
  chunks_.reset();
  state_ = State::kBody;
  if (equal_ignoring_case(head_.field("expect"), "100-continue")) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    if (::send(socket_.get(), kContinue.data(), kContinue.size(), MSG_NOSIGNAL) < 0) close();
  }
  return true;
}

// True when the body was read whole and answered.
bool HttpServer::Connection::take_body() {
  std::string_view bytes = std::string_view(in_).substr(in_offset_);
  bool is_done = false;
  if (head_.is_chunked) {
    HeadState state = HeadState::kNeedMore;
    while (!bytes.empty() && state == HeadState::kNeedMore) {
      std::string_view data;
      state = chunks_.next(bytes, data);
      sha256_.add(data);
      body_length_ += data.size();
    }
    if (state == HeadState::kMalformed) {
      close();
      return false;
    }
    is_done = state == HeadState::kDone;
  } else {
    const std::string_view data = bytes.substr(0, body_left_);
    sha256_.add(data);
    body_length_ += data.size();
    body_left_ -= data.size();
    bytes.remove_prefix(data.size());
    is_done = body_left_ == 0;
  }
  in_.erase(0, in_.size() - bytes.size());
  in_offset_ = 0;
  if (is_done) answer();
  return is_done;
}

void HttpServer::Connection::answer() {
  state_ = State::kReplying;
  const std::string_view target = head_.words[1];
  std::string_view path = target.substr(0, target.find('?'));
  for (const std::string_view prefix : {"/api/", "/programs/"}) {
    if (path.starts_with(prefix)) path.remove_prefix(prefix.size() - 1);
  }
  if (path == "/echo") return reply_text(200, echo(), "application/json");
  if (head_.words[0] == "GET" || is_head_request_) return answer_get(path);
  const nlohmann::json summary = {{"length", body_length_}, {"sha256", sha256_.take_hex()}};
  reply_text(200, summary.dump() + "\n", "application/json");
}

void HttpServer::Connection::answer_get(std::string_view path) {
  if (answer_pattern(path)) return;
  if (path == "/healthz") {
    const bool healthy = server_.is_healthy();
    return reply_text(healthy ? 200 : 503, healthy ? "ok\n" : "unhealthy\n");
  }
  if (path == "/close" || path == "/abort") closes_ = true;
  if (path == "/close") return reply_text(200, "ok\n");
  if (path == "/abort") return;
  if (const auto delay = number_after(path, "/delay/")) {
    state_ = State::kWaiting;
    return delay_.arm<&Connection::on_delay>(server_.loop_, Duration(*delay), this);
  }
  const auto status = number_after(path, "/status/");
  if (status && *status >= 200 && *status <= 999) {
    const bool has_body = *status != 204 && *status != 304;
    return has_body ? reply_text(static_cast<unsigned>(*status), "status\n")
                    : begin_reply(static_cast<unsigned>(*status), {}, std::nullopt);
  }
  reply_text(404, "no such path\n");
}

bool HttpServer::Connection::answer_pattern(std::string_view path) {
  constexpr std::string_view kType = "application/octet-stream";
  if (const auto bytes = number_after(path, "/bytes/")) {
    begin_reply(200, kType, *bytes);
    pattern_left_ = *bytes;
  } else if (const auto chunked = number_after(path, "/chunked/")) {
    begin_reply(200, kType, std::nullopt);
    out_.insert(out_.size() - 2, "Transfer-Encoding: chunked\r\n");
    pattern_left_ = *chunked;
    is_chunking_ = true;
  } else if (const auto aborted = number_after(path, "/abort/")) {
    begin_reply(200, kType, 2 * *aborted + 1);
    pattern_left_ = *aborted;
    closes_ = true;
  } else {
    return false;
  }
  if (is_head_request_) {
    pattern_left_ = 0;
    is_chunking_ = false;
  }
  return true;
}

std::string HttpServer::Connection::echo() {
  nlohmann::json fields = nlohmann::json::array();
  for (const auto& [name, value] : head_.fields) fields.push_back({name, value});
  const nlohmann::json report = {{"backend", server_.options_.name}, {"method", head_.words[0]},
                                 {"target", head_.words[1]},         {"headers", fields},
                                 {"body_length", body_length_},      {"sha256", sha256_.take_hex()}};
  return report.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void HttpServer::Connection::begin_reply(unsigned status, std::string_view type,
                                         std::optional<std::uint64_t> length) {
  state_ = State::kReplying;
  pattern_offset_ = pattern_left_ = 0;
  is_chunking_ = false;
  out_offset_ = 0;
  out_.assign("HTTP/1.1 ").append(std::to_string(status)).append(status == 200 ? " OK" : " Test");
  out_.append("\r\nX-Backend: ").append(server_.options_.name);
  if (!type.empty()) out_.append("\r\nContent-Type: ").append(type);
  if (length) out_.append("\r\nContent-Length: ").append(std::to_string(*length));
  if (closes_) out_.append("\r\nConnection: close");
  out_.append("\r\n\r\n");
}

void HttpServer::Connection::reply_text(unsigned status, std::string_view text, std::string_view type) {
  begin_reply(status, type, text.size());
  if (!is_head_request_) out_.append(text);
}

void HttpServer::Connection::on_delay() {
  reply_text(200, "ok\n");
  serve();
}

void HttpServer::Connection::refill_chunks() {
  out_.clear();
  out_offset_ = 0;
  while (pattern_left_ > 0 && out_.size() < kReadBytes) {
    const std::string_view data = pattern_at(pattern_offset_, std::min<std::uint64_t>(pattern_left_, kChunk));
    char size[20];
    const auto end = std::to_chars(size, size + sizeof size, data.size(), 16).ptr;
    out_.append(size, end).append("\r\n").append(data).append("\r\n");
    pattern_offset_ += data.size();
    pattern_left_ -= data.size();
  }
  if (pattern_left_ == 0) {
    out_.append("0\r\n\r\n");
    is_chunking_ = false;
  }
}

// True when the answer has left and the connection is ready for the next request.
bool HttpServer::Connection::flush() {
  while (true) {
    if (out_offset_ == out_.size() && is_chunking_) refill_chunks();
    const std::string_view body =
        is_chunking_ ? std::string_view() : pattern_at(pattern_offset_, pattern_left_);
    iovec parts[2] = {{out_.data() + out_offset_, out_.size() - out_offset_},
                      {const_cast<char*>(body.data()), body.size()}};
    if (parts[0].iov_len + parts[1].iov_len == 0) break;
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = body.empty() ? 1 : 2;
    const ssize_t sent = sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return false;
    if (sent < 0) {
      close();
      return false;
    }
    const std::size_t of_head = std::min<std::size_t>(static_cast<std::size_t>(sent), parts[0].iov_len);
    out_offset_ += of_head;
    pattern_offset_ += static_cast<std::size_t>(sent) - of_head;
    pattern_left_ -= static_cast<std::size_t>(sent) - of_head;
  }
  out_.clear();
  out_offset_ = 0;
  state_ = State::kHead;
  if (closes_) close();
  return !closes_;
}

void HttpServer::Connection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  watch_.stop();
  delay_.cancel();
  socket_.reset();
  server_.retire(this);
}

HttpServer::HttpServer(EventLoop& loop, HttpServerOptions options)
    : loop_(loop), options_(std::move(options)) {}
HttpServer::~HttpServer() = default;

bool HttpServer::is_healthy() const {
  return is_healthy_ &&
         (options_.unhealthy_file.empty() || ::access(options_.unhealthy_file.c_str(), F_OK) != 0);
}

Status HttpServer::start() {
  for (const Endpoint& address : options_.addresses) {
    sockaddr_storage storage;
    socklen_t size = to_sockaddr(address, storage);
    auto listener = std::make_unique<Listener>();
    listener->server = this;
    listener->socket = Fd(socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int fd = listener->socket.get(), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // Accepted sockets inherit it.
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, reinterpret_cast<sockaddr*>(&storage), size) != 0 || listen(fd, 4096) != 0) {
      return system_error("listen on " + to_string(address));
    }
    size = sizeof storage;
    GH_CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0);
    addresses_.push_back(Endpoint::from_sockaddr(storage));
    listener->watch.start<&Listener::on_ready>(loop_, fd, EPOLLIN, listener.get());
    listeners_.push_back(std::move(listener));
  }
  return {};
}

void HttpServer::Listener::on_ready(std::uint32_t) {
  while (true) {
    Fd accepted(accept4(socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted.is_open()) return;
    server->adopt(std::move(accepted));
  }
}

void HttpServer::adopt(Fd socket) {
  connections_.push_back(std::make_unique<Connection>(*this, std::move(socket), connections_.size()));
}

void HttpServer::retire(Connection* connection) {
  const std::size_t index = connection->index;
  // std::function wants a copyable task: the connection crosses as a raw pointer.
  Connection* retired = connections_[index].release();
  if (index + 1 != connections_.size()) {
    connections_[index] = std::move(connections_.back());
    connections_[index]->index = index;
  }
  connections_.pop_back();
  loop_.defer([retired] { delete retired; });
}

}  // namespace gatehouse::test
