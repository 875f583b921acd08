// Metrics of the running daemons, read by curl and judged by promtool.
#include <gtest/gtest.h>

#include "tests/integration/one_host.h"
#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

// The value of a series; empty: there is none.
std::string value_of(const std::string& text, const std::string& series) {
  const std::size_t place = ("\n" + text).find("\n" + series + " ");
  if (place == std::string::npos) return {};
  const std::size_t begin = place + series.size() + 1;
  return text.substr(begin, text.find('\n', begin) - begin);
}

std::string judged(const OneHost& host, const std::string& text) {
  host.write("metrics.txt", text);
  const lab::Output output =
      lab::run({}, {"sh", "-c", "promtool check metrics < '" + host.file("metrics.txt") + "' 2>&1"});
  return output.exit_code == 0 ? output.text
                               : output.text + output.errors + " exit " + std::to_string(output.exit_code);
}

TEST(MetricsOfANode, AreWhatItsStatusSaysAndCleanToPromtool) {
  if (geteuid() != 0) GTEST_SKIP() << "workers become another user: root is needed";
  OneHost host;
  host.start_backend(9001);
  const std::string address = host.address();
  host.write("site.toml", "[metrics]\nl7 = \"" + address +
                              ":9102\"\n[[listener]]\nname = \"web\"\naddresses = [\"" + address +
                              ":8080\"]\n[[route]]\npool = \"p\"\n[[pool]]\nname = \"p\"\nbackends = [\"" +
                              address + ":9001\"]\n");
  host.start();
  const auto get = [](const std::string& url) {
    return lab::run({}, {"curl", "-sS", "--max-time", "20", url}).text;
  };
  ASSERT_TRUE(lab::wait_until([&] { return get("http://" + address + ":8080/healthz") == "ok\n"; },
                              std::chrono::seconds(30)))
      << host.log();
  const Json before = host.status();
  for (int i = 0; i < 5; ++i) ASSERT_EQ(get("http://" + address + ":8080/healthz"), "ok\n");

  std::uint64_t requests = 5;
  for (const Json& worker : before["nodes"][0]["workers"]) requests += worker.value("requests", 0u);
  std::string text;
  const auto sum_of_requests = [&] {
    text = get("http://" + address + ":9102/metrics");
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < before["nodes"][0]["workers"].size(); ++i)
      sum += std::strtoull(
          value_of(text, "gatehouse_worker_requests_total{worker=\"" + std::to_string(i) + "\"}").c_str(),
          nullptr, 10);
    return sum;
  };
  EXPECT_TRUE(lab::wait_until([&] { return sum_of_requests() == requests; }, std::chrono::seconds(20)))
      << requests << " in\n"
      << text;
  EXPECT_EQ(value_of(text, "gatehouse_backend_is_healthy{pool=\"p\",backend=\"" + address + ":9001\"}"), "1")
      << text;
  const std::string timed = value_of(text, "gatehouse_route_duration_seconds_count{route=\"p\"}");
  EXPECT_GE(std::atoi(timed.c_str()), 5) << text;
  EXPECT_EQ(value_of(text, "gatehouse_pool_duration_seconds_count{pool=\"p\"}"), timed) << text;
  EXPECT_EQ(value_of(text, "gatehouse_pool_duration_seconds_bucket{pool=\"p\",le=\"+Inf\"}"), timed) << text;
  EXPECT_EQ(judged(host, text), "");
  // People get quantiles of them.
  EXPECT_NE(host.cli({"status"}).text.find("P99 MS"), std::string::npos);
}

TEST(MetricsOfANode, MoveWithAReload) {
  if (geteuid() != 0) GTEST_SKIP() << "workers become another user: root is needed";
  OneHost host;
  const auto write = [&host](const std::string& port) {
    host.write("site.toml", "[metrics]\nl7 = \"" + host.address() + ":" + port +
                                "\"\n[[listener]]\nname = \"web\"\naddresses = [\"" + host.address() +
                                ":8080\"]\n[[route]]\nname = \"ok\"\nresponse = { status = 200 }\n");
  };
  const auto answers = [&host](const std::string& port) {
    return lab::run({}, {"curl", "-sSf", "--max-time", "20", "-o", "/dev/null",
                         "http://" + host.address() + ":" + port + "/metrics"})
               .exit_code == 0;
  };
  write("9102");
  host.start();
  // The worker's port too: else it is free for the metrics that are to be refused.
  ASSERT_TRUE(lab::wait_until([&] { return answers("9102") && answers("8080"); }, std::chrono::seconds(30)))
      << host.log();
  write("8080");
  const lab::Output refused = host.cli({"reload"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_NE(refused.errors.find("cannot listen on " + host.address() + ":8080"), std::string::npos)
      << refused.errors;
  EXPECT_TRUE(answers("9102")) << "a refused reload changes nothing";
  write("9103");
  EXPECT_EQ(host.cli({"reload"}).exit_code, 0);
  EXPECT_TRUE(answers("9103"));
  EXPECT_FALSE(answers("9102"));
}

class MetricsOfASite : public SiteTest {
 protected:
  std::string config() override {
    return "[metrics]\nl4 = \"127.0.0.1:9101\"\nl7 = \"[::1]:9102\"\n" + quickstart_config();
  }
};

TEST_F(MetricsOfASite, AreThereOnEveryHostAndCleanToPromtool) {
  ASSERT_EQ(site_->curl({"https://shop.example/healthz"}).exit_code, 0);
  OneHost folder;
  for (const char* host : {"l4a", "n1"}) {
    const std::string url = host[0] == 'l' ? "http://127.0.0.1:9101/metrics" : "http://[::1]:9102/metrics";
    const lab::Output scraped = site_->lab().run(host, {"curl", "-sSf", "--max-time", "20", url});
    ASSERT_EQ(scraped.exit_code, 0) << scraped.errors;
    EXPECT_EQ(judged(folder, scraped.text), "") << host;
    const std::string tier = std::string(host[0] == 'l' ? "l4" : "l7") + "\",host=\"" + host;
    EXPECT_NE(scraped.text.find("gatehouse_build_info{tier=\"" + tier + "\""), std::string::npos)
        << scraped.text;
    EXPECT_NE(scraped.text.find("gatehouse_packets_total{verdict="), std::string::npos) << scraped.text;
  }
}

}  // namespace
}  // namespace gatehouse::test
