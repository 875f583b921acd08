// A LoopbackWorker with hostile backends: each counts the requests that it got and does to them what the test
// says.
#pragma once

#include "tests/l7/support/h2_site.h"
#include "tests/l7/support/log_pipe.h"

namespace gatehouse::test {

inline constexpr std::string_view kFine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
inline constexpr std::string_view kBusy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";

enum class Manner { kAnswers, kCloses, kResets, kBusy, kHangs };

struct Hostile {
  Manner manner = Manner::kAnswers;
  std::vector<std::string> requests;
  RawServer* server = nullptr;
};

class ResilienceSite : public H2Site {
 public:
  ResilienceSite() {
    config.pools[0].retry.backoff = config.pools[0].retry.max_backoff = Duration(0);
    config.pools[0].ejection.failures = 0;
  }

  Hostile& add(Manner manner) {
    hostiles_.push_back(std::make_unique<Hostile>());
    Hostile& added = *hostiles_.back();
    added.manner = manner;
    added.server = &add_raw_server([&added](RawSocket& connection) {
      while (const auto size = whole_request(connection.received())) {
        added.requests.push_back(connection.received().substr(0, size));
        connection.received().erase(0, size);
        act(added.manner, connection);
      }
    });
    return added;
  }
  // The worker takes turns; its first one is members[0].
  l7::BackendCell& cell(std::size_t backend) {
    return *board->backend(l7::backend_key("main", config.pools[0].backends[backend].address));
  }
  l7::WorkerCell& counts() { return board->worker(0); }

 private:
  static std::size_t whole_request(const std::string& bytes) {
    HttpHead head;
    if (head.parse(bytes) != HeadState::kDone) return 0;
    if (head.is_chunked) {
      const std::size_t end = bytes.find("\r\n0\r\n\r\n", head.size - 2);
      return end == std::string::npos ? 0 : end + 7;
    }
    const std::size_t size = head.size + (head.has_content_length ? head.content_length : 0);
    return bytes.size() < size ? 0 : size;
  }
  static void act(Manner manner, RawSocket& connection) {
    switch (manner) {
      case Manner::kAnswers:
        return connection.send(kFine);
      case Manner::kCloses:
        return connection.close();
      case Manner::kResets:
        return connection.reset();
      case Manner::kBusy:
        return connection.send(kBusy);
      case Manner::kHangs:
        return;
    }
  }
  std::vector<std::unique_ptr<Hostile>> hostiles_;
};

}  // namespace gatehouse::test
