// HTTP/2 from either side of a real worker: the input is what a client sends, and then what a backend answers. Whatever it is,
// backends get requests of HTTP/1.1 that our own strict parser takes, clients get whole frames or whole responses, every
// connection ends, and a neighbour is served.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/check.h"
#include "l7/http/h1_parser.h"
#include "tests/l7/support/h2_site.h"
#include "tests/support/h2_frames.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::test;
namespace http = l7::http;

constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr int kMostTurns = 20'000;

// Reads the requests of one connection; each must be one.
class Requests {
 public:
  // Whether one has come whole.
  bool read(std::string_view bytes) {
    http::Request request;
    std::size_t scanned = 0;
    const http::HeadLimits wide{1 << 20, 1 << 20, http::kMaxFields};
    const http::ParseResult head = http::parse_request(bytes, wide, scanned, request);
    GH_CHECK(head.status == http::ParseStatus::kDone || head.status == http::ParseStatus::kNeedMore);
    if (head.status != http::ParseStatus::kDone) return false;
    http::BodyReader body(request.framing, request.content_length);
    bytes.remove_prefix(head.length);
    while (!body.is_done() && !bytes.empty()) {
      const http::BodyReader::Step step = body.next(bytes);
      GH_CHECK(!step.is_malformed);
      bytes.remove_prefix(step.consumed);
    }
    GH_CHECK(bytes.empty() || !body.is_done() || !request.upgrade.empty());
    return body.is_done();
  }
};

class Site : public H2Site {
 public:
  Site() {
    plain_ = &add_raw_server([](RawSocket& backend) {
      if (!Requests().read(backend.received())) return;
      backend.received().clear();
      backend.send(kAnswer);
    });
    config.pools.emplace_back().name = "h2";
    config.pools.back().protocol = "h2";
    config.routes.emplace_back().name = "h2";
    config.routes.back().path = "/h2";
    config.routes.back().pool = "h2";
    answering_ = std::make_unique<RawServer>(loop, [this](RawSocket& backend) {
      if (std::exchange(backend.received(), {}).starts_with(h2::kPreface)) backend.send(answer);
      backend.end_output();
    });
    config.pools.back().backends.push_back({answering_->address()});
    apply();
  }

  void turn_until_ended(RawSocket& client) {
    for (int i = 0; !client.is_ended() || board->worker(0).connections > 1; ++i) {
      GH_CHECK(i < kMostTurns);
      loop.turn(Duration(1));
    }
  }
  void check_neighbour() {
    if (!neighbour_ || neighbour_->is_ended()) neighbour_ = connect();
    GH_CHECK(ask(*neighbour_, get("/")).status == 200);
  }
  void forget_connections() {
    answering_->connections.clear();
    std::erase_if(plain_->connections, [](const auto& connection) { return connection->is_ended(); });
  }

  std::string answer;

 private:
  RawServer* plain_;
  std::unique_ptr<RawServer> answering_;
  std::unique_ptr<RawSocket> neighbour_;
};

void check_frames(std::string_view bytes) {
  bool is_first = true;
  for (const h2::Frame& frame : h2::frames_of(bytes)) {
    GH_CHECK(!is_first || frame.type == h2::kSettings);
    is_first = false;
    GH_CHECK(frame.payload.size() <= 16'384 && frame.type <= h2::kContinuation && frame.type != h2::kPushPromise);
    const bool is_of_connection = frame.type == h2::kSettings || frame.type == h2::kPing || frame.type == h2::kGoaway;
    const bool is_of_stream = frame.type == h2::kData || frame.type == h2::kHeaders || frame.type == h2::kRstStream || frame.type == h2::kContinuation;
    GH_CHECK(!is_of_connection || frame.stream == 0);
    GH_CHECK(!is_of_stream || frame.stream % 2 == 1);
  }
}

void check_as_client(Site& site, std::string_view bytes) {
  const auto client = site.connect();
  client->send(h2::kPreface);
  client->send(bytes);
  client->end_output();
  site.turn_until_ended(*client);
  check_frames(client->received());
}

void check_as_backend(Site& site, std::string_view bytes) {
  site.answer = bytes;
  const auto client = site.connect();
  client->send("GET /h2 HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
  site.turn_until_ended(*client);
  http::Response response;
  std::string_view rest = client->received();
  while (!rest.empty()) {
    std::size_t scanned = 0;
    const http::ParseResult head = http::parse_response(rest, {1 << 20, 0, http::kMaxFields}, scanned, "GET", response);
    GH_CHECK(head.status == http::ParseStatus::kDone);
    rest.remove_prefix(head.length);
    if (response.status >= 200) break;
  }
  GH_CHECK(client->is_reset() || response.status >= 200);
  site.forget_connections();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Site site;
  static int inputs = 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (inputs++ % 32 == 0) site.check_neighbour();
  check_as_client(site, bytes);
  check_as_backend(site, bytes);
  return 0;
}
