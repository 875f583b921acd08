#include "common/metrics/metrics_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/log.h"

namespace gatehouse::metrics {
namespace {

std::string_view take_word(std::string_view& line) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return word;
}

bool is_word(std::string_view word) {
  return !word.empty() &&
         std::all_of(word.begin(), word.end(), [](unsigned char c) { return c > ' ' && c < 127; });
}

std::string answer(std::string_view status, std::string_view more, std::string_view type,
                   std::string_view body, bool has_body) {
  std::string out = "HTTP/1.1 ";
  out.append(status).append("\r\nConnection: close\r\n").append(more);
  out.append("Content-Type: ")
      .append(type)
      .append("\r\nContent-Length: ")
      .append(std::to_string(body.size()))
      .append("\r\n\r\n");
  if (has_body) out.append(body);
  return out;
}

std::string refusal(std::string_view status, std::string_view more, std::string_view why) {
  return answer(status, more, "text/plain; charset=utf-8", why, true);
}

}  // namespace

Ask parse_ask(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return Ask::kNeedMore;
  std::string_view line = bytes.substr(0, bytes.find("\r\n"));
  const std::string_view method = take_word(line), target = take_word(line);
  if (!is_word(method) || !is_word(target) || (line != "HTTP/1.1" && line != "HTTP/1.0"))
    return Ask::kMalformed;
  if (target.substr(0, target.find('?')) != "/metrics") return Ask::kNotFound;
  if (method == "GET") return Ask::kMetrics;
  return method == "HEAD" ? Ask::kMetricsHead : Ask::kMethod;
}

// One client: its head comes in, the answer goes out, the end.
class MetricsServer::Scrape {
 public:
  Scrape(MetricsServer& server, Fd socket) : server_(server), socket_(std::move(socket)) {
    watch_.start<&Scrape::on_ready>(server.loop_, socket_.get(), EventLoop::kEdge, this);
    patience_.arm<&Scrape::end>(server.loop_, kPatience, this);
  }

 private:
  void on_ready(std::uint32_t) {
    if (out_.empty() && !read()) return;
    while (sent_ < out_.size()) {
      const ssize_t sent = send(socket_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0 && errno == EAGAIN) return;
      if (sent <= 0) return end();
      sent_ += static_cast<std::size_t>(sent);
    }
    // What the client goes on to say is not read, and must not reset the answer on its way.
    shutdown(socket_.get(), SHUT_WR);
    end();
  }

  // False: not yet, or never.
  bool read() {
    char piece[2048];
    for (;;) {
      const ssize_t got = recv(socket_.get(), piece, sizeof piece, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return false;
      if (got <= 0) return end(), false;
      in_.append(piece, static_cast<std::size_t>(got));
      const Ask ask = parse_ask(in_);
      if (ask == Ask::kNeedMore && in_.size() < kMostHead) continue;
      out_ = reply_to(ask);
      return true;
    }
  }

  std::string reply_to(Ask ask) {
    switch (ask) {
      case Ask::kMetrics:
      case Ask::kMetricsHead:
        return answer("200 OK", "", "text/plain; version=0.0.4; charset=utf-8", server_.text(),
                      ask == Ask::kMetrics);
      case Ask::kNotFound:
        return refusal("404 Not Found", "", "expected /metrics\n");
      case Ask::kMethod:
        return refusal("405 Method Not Allowed", "Allow: GET, HEAD\r\n", "expected GET or HEAD\n");
      case Ask::kNeedMore:
        return refusal("431 Request Header Fields Too Large", "", "expected a head of at most 8 KiB\n");
      case Ask::kMalformed:
        break;
    }
    return refusal("400 Bad Request", "", "expected GET /metrics HTTP/1.1\n");
  }

  void end() { server_.retire(this); }

  MetricsServer& server_;
  Fd socket_;
  Watch watch_;
  Timer patience_;
  std::string in_;
  std::string out_;
  std::size_t sent_ = 0;
};

MetricsServer::MetricsServer(EventLoop& loop, std::function<std::string()> render)
    : loop_(loop), render_(std::move(render)) {}

MetricsServer::~MetricsServer() = default;

Status MetricsServer::listen(const std::optional<Endpoint>& address) {
  if (address == wanted_) return {};
  Fd socket;
  if (address) {
    auto listening = listen_tcp(*address, kMostScrapes);
    if (!listening) return Error{"metrics: " + listening.error().message};
    socket = std::move(*listening);
  }
  wanted_ = address;
  address_.reset();
  acceptor_.reset();
  if (!address) return {};
  sockaddr_storage storage{};
  socklen_t room = sizeof storage;
  getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &room);
  address_ = Endpoint::from_sockaddr(storage);
  acceptor_.emplace(loop_, std::move(socket), [this](Fd client) {
    if (scrapes_.size() < kMostScrapes) scrapes_.push_back(std::make_unique<Scrape>(*this, std::move(client)));
  });
  return {};
}

// Called by the scrape itself: it goes at the end of the turn.
void MetricsServer::retire(Scrape* scrape) {
  const auto place =
      std::find_if(scrapes_.begin(), scrapes_.end(), [&](const auto& each) { return each.get() == scrape; });
  if (place == scrapes_.end()) return;
  auto gone = std::make_shared<std::unique_ptr<Scrape>>(std::move(*place));
  scrapes_.erase(place);
  loop_.defer([gone] {});
}

const std::string& MetricsServer::text() {
  const auto now = loop_.now();
  if (!rendered_ || now - *rendered_ >= kFreshness) {
    text_ = render_();
    rendered_ = now;
  }
  return text_;
}

}  // namespace gatehouse::metrics
