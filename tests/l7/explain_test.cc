// What `gatehouse explain` is answered for routes that look at more than host and path, and do more than find a pool.
#include <gtest/gtest.h>

#include "l7/country_table.h"
#include "l7/supervisor/node_status.h"

namespace gatehouse::l7 {
namespace {

using Json = nlohmann::json;

config::Config site() {
  config::Config config;
  config.pools.emplace_back().name = "p";
  config::Route& api = config.routes.emplace_back();
  api.name = "api";
  api.pool = "p";
  api.path_prefix = "/api";
  api.methods = {"GET"};
  api.query = {{.name = "v", .exact = "2"}};
  api.clients = {*IpPrefix::parse("10.0.0.0/8")};
  api.rewrite = config::Rewrite{"inner.example", "", "", true};
  api.request_headers.set = {{"X-Route", "{route}"}};
  config::Route& moved = config.routes.emplace_back();
  moved.name = "moved";
  moved.redirect = config::Redirect{301, "", "https"};
  return config;
}

Json explain(const char* method, const char* url, const char* client = "") {
  const control::NodeReport report;
  const auto answer = explain_request(site(), {{"method", method}, {"url", url}, {"headers", Json::array()}, {"client", client}}, {report});
  return answer ? *answer : Json(answer.error().message);
}

TEST(Explain, SaysWhatTheRouteDoesWithTheRequest) {
  const Json answer = explain("GET", "http://a.example/api/x?v=2#y", "10.1.1.1");
  EXPECT_EQ(answer["route"], "api");
  EXPECT_EQ(answer["pool"], "p");
  EXPECT_EQ(answer["status"], nullptr);
  EXPECT_EQ(answer["priority_class"], "default");
  EXPECT_EQ(answer["action"], "asks for host inner.example; path prefix is stripped; request field X-Route set to {route}");
}

TEST(Explain, SaysWhatARouteThatAnswersAnswers) {
  const Json answer = explain("POST", "http://a.example/api/x?v=2", "10.1.1.1");
  EXPECT_EQ(answer["route"], "moved");
  EXPECT_EQ(answer["pool"], nullptr);
  EXPECT_EQ(answer["status"], 301);
  EXPECT_EQ(answer["action"], "redirect 301 to scheme https");
  EXPECT_EQ(answer["why"][0]["why"], "method POST is none of its methods");
}

TEST(Explain, NamesTheMatchThatTakesTheRequest) {
  config::Config config = site();
  config::RouteMatch old, older;
  old.path_prefix = "/old";
  older.path_prefix = "/older";
  config.routes[1].matches = {old, older};
  const control::NodeReport report;
  const auto answer = explain_request(config, {{"method", "GET"}, {"url", "http://a.example/older/x"}}, {report});
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ((*answer)["match"], "2 of 2");
  const Json& why = (*answer)["why"];
  ASSERT_EQ(why.size(), 3u);
  EXPECT_FALSE(why[1].contains("match")) << "it has one only";
  EXPECT_EQ(why[0], (Json{{"route", "moved"}, {"match", 2}, {"is_match", true}, {"why", "any host, path prefix /older"}}));
  EXPECT_EQ(why[2]["match"], 1);
}

TEST(Explain, SaysTheClientsCountry) {
  config::Config config = site();
  config.routes[1].countries = {"DE"};
  config.countries = {"geo.mmdb", "X-Country"};
  CountryTable table;
  table.add({}, *CountryCode::parse("DE"));
  TlsFiles files;
  files.put("geo.mmdb", {table.to_bytes()});
  const auto explain = [&](const char* client, Json headers) {
    const control::NodeReport report;
    return *explain_request(config, {{"method", "GET"}, {"url", "http://a.example/"}, {"headers", std::move(headers)}, {"client", client}},
                            {report, nullptr, {}, &files});
  };
  EXPECT_EQ(explain("192.0.2.1", Json::array())["country"], "DE");
  EXPECT_EQ(explain("192.0.2.1", Json::array())["route"], "moved");
  EXPECT_EQ(explain("", Json::array())["why"][1]["why"], "the client's country is not known");
  EXPECT_EQ(explain("192.0.2.1", Json::array({Json::array({"X-Country", "AT"})}))["why"][1]["why"], "the client's country AT is none of its countries");
}

TEST(Explain, SaysOnWhatTermsThePoolAnswers) {
  config::Config config = site();
  config.listeners.emplace_back().name = "web";
  config.routes[0] = config.routes[1];
  config.routes.pop_back();
  config::Route& route = config.routes[0];
  route.redirect.reset();
  route.pool = "p";
  const auto explain = [&config] {
    return *explain_request(config, {{"method", "GET"}, {"url", "http://a.example/"}}, {control::NodeReport()});
  };
  EXPECT_EQ(explain()["timeouts"], "connection 2s, head of the answer 30s");
  EXPECT_EQ(explain()["retries"], "3 tries at most, bodies up to 64KiB are kept for them; budget 10 % of the requests");
  EXPECT_EQ(explain()["body"], "at most 1024GiB");
  route.request_timeout = Duration(9'000);
  route.response_timeout = Duration(2'000);
  route.max_body = ByteSize{1024};
  route.retry = config::RouteRetry{1, {}, Duration(0)};
  EXPECT_EQ(explain()["timeouts"], "connection 2s, head of the answer 2s, everything 9s");
  EXPECT_EQ(explain()["retries"], "none");
  EXPECT_EQ(explain()["body"], "at most 1KiB");
}

TEST(Explain, WantsAnAddressWhereARouteLooksAtIt) {
  EXPECT_EQ(explain("GET", "http://a.example/api?v=2")["why"][0]["why"], "no client address was given");
  EXPECT_EQ(explain("GET", "http://a.example/api?v=2", "11.0.0.1")["why"][0]["why"], "client 11.0.0.1 is none of its clients");
  EXPECT_EQ(explain("GET", "http://a.example/", "nobody"), Json("explain: expected a client's address, found \"nobody\""));
}

TEST(Explain, TakesHttpsForTls) {
  config::Config config = site();
  config.routes[1].tls = config::TlsMatch{{"1.3"}, {"a.example"}, "CN=ops"};
  const auto why = [&config](const char* url, const char* subject) {
    const control::NodeReport report;
    const auto answer = explain_request(config, {{"method", "GET"}, {"url", url}, {"client_subject", subject}}, {report});
    return answer ? (*answer)["why"][1]["why"].get<std::string>() : answer.error().message;
  };
  EXPECT_EQ(why("https://a.example/", "CN=ops"), "any host, any path");
  EXPECT_EQ(why("https://a.example/", ""), "no verified client certificate has its client_subject");
  EXPECT_EQ(why("http://a.example/", "CN=ops"), "the client does not speak TLS");
}

TEST(Explain, TakesPathsAsTheListenerDoes) {
  config::Config config = site();
  config.listeners.emplace_back().name = "web";
  config::Listener& raw = config.listeners.emplace_back();
  raw.name = "raw";
  raw.paths = {"keep", "keep", "keep"};
  const auto explain = [&config](const char* url, const char* listener) {
    const control::NodeReport report;
    const auto answer = explain_request(config, {{"method", "GET"}, {"url", url}, {"client", "10.1.1.1"}, {"listener", listener}}, {report});
    return answer ? *answer : Json(answer.error().message);
  };
  const Json plain = explain("http://a.example/x/../%61pi?v=2", "");
  EXPECT_EQ(plain["route"], "api");
  EXPECT_EQ(plain["path"], "/api");
  EXPECT_EQ(plain["path_sent"], "/x/../%61pi");
  EXPECT_EQ(explain("http://a.example/x/../%61pi?v=2", "raw")["route"], "moved");
  const Json refused = explain("http://a.example/api%2Fx?v=2", "web");
  EXPECT_EQ(refused["status"], 400);
  EXPECT_EQ(refused["refusal"], "listener web refuses an encoded slash in the path");
  EXPECT_EQ(explain("http://a.example/", "wbe"), Json("explain: there is no [[listener]] \"wbe\""));
}

}  // namespace
}  // namespace gatehouse::l7
