// What answers a Prometheus server: GET /metrics over HTTP/1.1 on a loopback address, one request per
// connection. It serves few and trusted clients, and is strict and small: whoever needs TLS, names or access
// rules puts a [[listener]] before it.
//
// Bounds: kMostScrapes connections at once, kMostHead bytes of head, kPatience for each; what was rendered
// less than kFreshness ago is sent again, so that nobody can make the daemon work by asking.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/acceptor.h"
#include "common/address.h"
#include "common/event_loop.h"
#include "common/fd.h"
#include "common/result.h"

namespace gatehouse::metrics {

enum class Ask { kNeedMore, kMetrics, kMetricsHead, kNotFound, kMethod, kMalformed };
// What the bytes of a client ask for, once its head (RFC 9112 §2.1) is whole.
Ask parse_ask(std::string_view bytes);

class MetricsServer {
 public:
  static constexpr std::size_t kMostScrapes = 16;
  static constexpr std::size_t kMostHead = 8192;
  static constexpr Duration kPatience{5'000};
  static constexpr Duration kFreshness{500};

  MetricsServer(EventLoop& loop, std::function<std::string()> render);
  ~MetricsServer();

  // Serves on `address` from now on, and nowhere else; nullopt: nowhere. An error changes nothing.
  Status listen(const std::optional<Endpoint>& address);
  const std::optional<Endpoint>& address() const { return address_; }  // with the port that it got

 private:
  class Scrape;
  void retire(Scrape* scrape);
  const std::string& text();

  EventLoop& loop_;
  std::function<std::string()> render_;
  std::optional<Endpoint> wanted_;
  std::optional<Endpoint> address_;
  std::vector<std::unique_ptr<Scrape>> scrapes_;
  std::string text_;
  std::optional<EventLoop::Clock::time_point> rendered_;
  std::optional<Acceptor> acceptor_;
};

}  // namespace gatehouse::metrics
