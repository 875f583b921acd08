// Metrics: the text that Prometheus reads, made of a status, and the small server that hands it out.
#include "common/metrics/metrics.h"

#include <gtest/gtest.h>

#include "common/metrics/exposition.h"
#include "common/metrics/metrics_server.h"
#include "tests/support/http_head.h"

namespace gatehouse::metrics {
namespace {

using Json = nlohmann::json;

// A list of one; braces alone would make it the element.
Json one(Json element) { return Json::array({std::move(element)}); }

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Exposition, KeepsAFamilyTogetherAndQuotesWhatLabelsSay) {
  Exposition out;
  const Family hits{"hits_total", Kind::kCounter, "Hits."}, depth{"depth", Kind::kGauge, "Depth."};
  out.add(hits, {{"who", "a\"b\\c\nd"}}, std::uint64_t{18'446'744'073'709'551'615u});
  out.add(depth, {}, 0.25);
  out.add(hits, {{"who", "b"}, {"where", "here"}}, std::uint64_t{0});
  EXPECT_EQ(
      out.text(),
      "# HELP hits_total Hits.\n# TYPE hits_total counter\n"
      "hits_total{who=\"a\\\"b\\\\c\\nd\"} 18446744073709551615\nhits_total{who=\"b\",where=\"here\"} 0\n"
      "# HELP depth Depth.\n# TYPE depth gauge\ndepth 0.25\n");
}

TEST(Exposition, WritesHistogramsCumulatively) {
  Exposition out;
  out.add(Family{"took_seconds", Kind::kHistogram, "Took."}, {{"route", "a"}}, {{0.25, 3}, {0.5, 4}}, 6, 2.5);
  EXPECT_EQ(out.text(),
            "# HELP took_seconds Took.\n# TYPE took_seconds histogram\n"
            "took_seconds_bucket{route=\"a\",le=\"0.25\"} 3\ntook_seconds_bucket{route=\"a\",le=\"0.5\"} 4\n"
            "took_seconds_bucket{route=\"a\",le=\"+Inf\"} 6\ntook_seconds_sum{route=\"a\"} "
            "2.5\ntook_seconds_count{route=\"a\"} 6\n");
}

TEST(Metrics, OfAnL4HostNameVipsNodesAndVerdicts) {
  const Json vip = {{"name", "web"}, {"packets", 12}, {"bytes", 3400}, {"opened", 2}, {"icmp_errors", 0}};
  const Json list = {{"name", "bad"}, {"action", "deny"}, {"rules", 9}};
  const Json address = {
      {"address", "2001:db8::1"}, {"state", "announced"}, {"is_announced", true}, {"healthy", 2}};
  const Json server = {{"name", "d1"}, {"is_check_ok", true}};
  const Json service = {{"name", "dns"}, {"flows", 5}, {"hits", 4}, {"servers", one(server)}};
  const Json worker = {{"index", 0}, {"requests", 1}};
  const Json node = {
      {"name", "n1"}, {"state", "active"}, {"share", 0.5}, {"is_connected", true}, {"workers", one(worker)}};
  const Json status = {{"tier", "l4"},
                       {"host", "l4a"},
                       {"version", "1"},
                       {"config_digest", 7},
                       {"vips", one(vip)},
                       {"verdicts", {{"forwarded", 12}}},
                       {"ring", {{"epoch", 3}, {"last_change_us", 1500}}},
                       {"prefix_lists", one(list)},
                       {"services", one(service)},
                       {"announcements", one(address)},
                       {"nodes", one(node)}};
  const std::string text = metrics_of(status);
  for (const char* line :
       {"gatehouse_build_info{tier=\"l4\",host=\"l4a\",version=\"1\"} 1",
        "gatehouse_config_info{digest=\"7\"} 1", "gatehouse_vip_packets_total{vip=\"web\"} 12",
        "gatehouse_packets_total{verdict=\"forwarded\"} 12", "gatehouse_ring_epoch 3",
        "gatehouse_ring_last_change_seconds 0.0015",
        "gatehouse_prefix_list_rules{list=\"bad\",action=\"deny\"} 9",
        "gatehouse_address_is_announced{address=\"2001:db8::1\"} 1",
        "gatehouse_address_healthy{address=\"2001:db8::1\"} 2", "gatehouse_service_flows{service=\"dns\"} 5",
        "gatehouse_service_events_total{service=\"dns\",event=\"hits\"} 4",
        "gatehouse_server_is_check_ok{service=\"dns\",server=\"d1\"} 1",
        "gatehouse_node_share_ratio{node=\"n1\"} 0.5", "gatehouse_node_state{node=\"n1\",state=\"active\"} 1",
        "gatehouse_node_is_connected{node=\"n1\"} 1"}) {
    EXPECT_TRUE(has_line(text, line)) << line << " is not in\n" << text;
  }
  EXPECT_EQ(text.find("gatehouse_worker"), std::string::npos)
      << "what nodes say themselves is not said twice";
}

TEST(Metrics, OfANodeNameWorkersAndBackends) {
  const Json worker = {{"index", 1},    {"pid", 99},    {"requests", 40},
                       {"accepted", 4}, {"retries", 3}, {"paused_listeners", 0}};
  const Json backend = {{"address", "192.0.2.1:80"}, {"requests", 40}, {"is_healthy", false},
                        {"reason", "refused"},       {"weight", 7},    {"state", "draining"},
                        {"ejected_for", {{"latency", 2}}}};
  const Json found = {{"source", "dns api.test:80"}, {"is_ok", false}, {"backends", 1}, {"age_ms", 2'500},
                      {"answers", 8},  {"failures", 3}, {"changes", 2}, {"reason", "SERVFAIL"}};
  const Json arm = {{"name", "v2"}, {"requests", 5}, {"share", 0.25}, {"weight_now", 1}};
  const Json certificate = {{"listener", "web"}, {"file", "a.pem"}, {"name", "a"}, {"days_left", 2}};
  const Json node = {{"name", "n1"}, {"workers", one(worker)}, {"certificates", one(certificate)}};
  const Json status = {{"tier", "l7"},
                       {"host", "n1"},
                       {"handshake_failures", {{"no_cipher", 2}}},
                       {"nodes", one(node)},
                       {"routes", one({{"name", "basket"}, {"pools", one(arm)}})},
                       {"pools", one({{"name", "shop"}, {"backends", one(backend)}, {"discovery", found}})}};
  const std::string text = metrics_of(status);
  for (const char* line :
       {"gatehouse_worker_requests_total{worker=\"1\"} 40",
        "gatehouse_worker_events_total{worker=\"1\",event=\"retries\"} 3",
        "gatehouse_worker_paused_listeners{worker=\"1\"} 0",
        "gatehouse_backend_is_healthy{pool=\"shop\",backend=\"192.0.2.1:80\"} 0",
        "gatehouse_backend_weight{pool=\"shop\",backend=\"192.0.2.1:80\"} 7",
        "gatehouse_backend_ejections_total{pool=\"shop\",backend=\"192.0.2.1:80\",reason=\"latency\"} 2",
        "gatehouse_backend_state{pool=\"shop\",backend=\"192.0.2.1:80\",state=\"draining\"} 1",
        "gatehouse_discovery_is_ok{pool=\"shop\"} 0", "gatehouse_discovery_age_seconds{pool=\"shop\"} 2.5",
        "gatehouse_discovery_failures_total{pool=\"shop\"} 3",
        "gatehouse_route_requests_total{route=\"basket\",pool=\"v2\"} 5",
        "gatehouse_route_share_ratio{route=\"basket\",pool=\"v2\"} 0.25",
        "gatehouse_certificate_remaining_seconds{listener=\"web\",file=\"a.pem\",name=\"a\"} 172800",
        "gatehouse_handshake_failures_total{reason=\"no_cipher\"} 2"}) {
    EXPECT_TRUE(has_line(text, line)) << line << " is not in\n" << text;
  }
  EXPECT_EQ(text.find("pid"), std::string::npos);
}

// A client that blocks, on the loop's own thread: it turns the loop until the server has ended the
// connection.
class MetricsOverHttp : public testing::Test {
 protected:
  void SetUp() override {
    const Status listening = server_.listen(Endpoint{*IpAddress::parse("127.0.0.1"), 0});
    ASSERT_TRUE(listening) << listening.error().message;
  }
  Fd connect() {
    sockaddr_storage storage;
    const socklen_t length = to_sockaddr(*server_.address(), storage);
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ::connect(socket.get(), reinterpret_cast<sockaddr*>(&storage), length);
    return socket;
  }
  std::string read_all(const Fd& socket) {
    std::string got;
    char piece[4096];
    const auto end = EventLoop::Clock::now() + std::chrono::seconds(20);
    while (EventLoop::Clock::now() < end) {
      const ssize_t size = recv(socket.get(), piece, sizeof piece, 0);
      if (size == 0 || (size < 0 && errno != EAGAIN)) return got;
      if (size > 0) got.append(piece, static_cast<std::size_t>(size));
      loop_.turn(Duration(10));
    }
    ADD_FAILURE() << "the server does not end the connection";
    return got;
  }
  std::string ask(const std::string& bytes) {
    const Fd socket = connect();
    for (std::size_t sent = 0; sent < bytes.size(); loop_.turn(Duration(10))) {
      const ssize_t size = send(socket.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (size > 0) sent += static_cast<std::size_t>(size);
      if (size < 0 && errno != EAGAIN && errno != EINPROGRESS) break;
    }
    return read_all(socket);
  }

  EventLoop loop_;
  int rendered_ = 0;
  MetricsServer server_{
      loop_, [this] { return "x " + std::to_string(++rendered_) + std::string(200'000, ' ') + "\n"; }};
};

TEST_F(MetricsOverHttp, AnswersWhatItIsAskedAndNothingElse) {
  const struct {
    const char* asked;
    const char* status;
  } kRows[] = {
      {"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "200"},
      {"GET /metrics?a=b HTTP/1.0\r\n\r\n", "200"},
      {"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "200"},
      {"GET /metricsx HTTP/1.1\r\nHost: a\r\n\r\n", "404"},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "404"},
      {"POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "405"},
      {"GET /metrics\r\n\r\n", "400"},
      {"GET  /metrics HTTP/1.1\r\n\r\n", "400"},
      {"GET /metrics HTTP/2.0\r\n\r\n", "400"},
      {"\r\n\r\n", "400"},
  };
  for (const auto& row : kRows) {
    const std::string answer = ask(row.asked);
    test::HttpHead head;
    ASSERT_EQ(head.parse(answer), test::HeadState::kDone) << row.asked;
    EXPECT_EQ(head.words[1], row.status) << row.asked;
    const bool has_body = std::string_view(row.asked).substr(0, 4) != "HEAD";
    EXPECT_EQ(answer.size() - head.size, has_body ? head.content_length : 0) << row.asked;
    EXPECT_TRUE(head.says_close);
  }
  EXPECT_NE(ask("GET /metrics HTTP/1.1\r\nX: " + std::string(20'000, 'x')).find("HTTP/1.1 431"),
            std::string::npos);
}

TEST_F(MetricsOverHttp, RendersNoMoreOftenThanItMust) {
  for (int i = 0; i < 20; ++i) ask("GET /metrics HTTP/1.1\r\n\r\n");
  const auto begun = loop_.now();
  ask("GET /metrics HTTP/1.1\r\n\r\n");
  // Twice in each span of freshness at the very most, however long all of it took.
  EXPECT_LE(rendered_, 21);
  EXPECT_GE(rendered_, 1);
  while (loop_.now() - begun < MetricsServer::kFreshness) loop_.turn(Duration(20));
  const int before = rendered_;
  EXPECT_NE(ask("GET /metrics HTTP/1.1\r\n\r\n").find("x " + std::to_string(before + 1) + " "),
            std::string::npos);
}

TEST_F(MetricsOverHttp, SilentClientsHoldNobodyUp) {
  std::vector<Fd> silent;
  for (std::size_t i = 0; i < MetricsServer::kMostScrapes; ++i) silent.push_back(connect());
  for (int i = 0; i < 20; ++i) loop_.turn(Duration(10));
  EXPECT_EQ(ask("GET /metrics HTTP/1.1\r\n\r\n"), "") << "there is room for so many";
  for (const Fd& socket : silent) EXPECT_EQ(read_all(socket), "") << "patience ends";
  EXPECT_NE(ask("GET /metrics HTTP/1.1\r\n\r\n").find("HTTP/1.1 200"), std::string::npos);
}

TEST_F(MetricsOverHttp, ListensWhereItIsToldAndStaysWhereItCannot) {
  MetricsServer other(loop_, [] { return std::string(); });
  const Status refused = other.listen(server_.address());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find(to_string(*server_.address())), std::string::npos)
      << refused.error().message;
  const Endpoint before = *server_.address();
  EXPECT_TRUE(server_.listen(std::nullopt));
  EXPECT_TRUE(other.listen(before)) << "the address is free";
}

}  // namespace
}  // namespace gatehouse::metrics
