// Shares of a route's pools and what changes them, with real processes: a load over the socket, weights by
// the command line, and reload after reload.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "common/json_fields.h"
#include "tests/integration/one_host.h"
#include "tests/integration/site.h"

namespace gatehouse::test {
namespace {

constexpr int kRequests = 20'000;
constexpr int kReloads = 200;

class CanaryHost : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "workers become another user: root is needed";
    for (const int port : kPorts) host.start_backend(port);
    write_config({95, 5}, "weight = 1", 3);
    host.start();
    ASSERT_TRUE(is_serving()) << host.log();
  }
  void TearDown() override {
    if (client.pid && client.is_alive()) lab::kill_and_wait(client);
    if (HasFailure()) std::printf("--- %s\n", host.log().c_str());
  }
  // v1 has the first `backends` of three, v2 the fourth.
  void write_config(std::pair<int, int> weights, const std::string& options, int backends) {
    const std::string at = "address = \"" + host.address() + ":";
    std::string servers;
    for (int i = 0; i < backends; ++i)
      servers += "{ " + at + std::to_string(kPorts[i]) + "\", " + options + " }, ";
    const std::string health = "health = { path = \"/healthz\" }\n";
    host.write("site.toml",
               "[workers]\ncount = 2\n[[listener]]\nname = \"web\"\naddresses = [\"" + host.address() +
                   ":8080\"]\n" + "[[route]]\nname = \"shop\"\npools = [{ name = \"v1\", weight = " +
                   std::to_string(weights.first) +
                   " }, { name = \"v2\", weight = " + std::to_string(weights.second) +
                   " }]\nsticky = { cookie = \"gh-canary\" }\n[[pool]]\nname = \"v1\"\nbackends = [" +
                   servers + "]\n" + health + "[[pool]]\nname = \"v2\"\nbackends = [{ " + at +
                   std::to_string(kPorts[3]) + "\" }]\n" + health);
  }
  lab::Arguments load_arguments(const lab::Arguments& more) const {
    lab::Arguments argv = {
        binary("gatehouse-load"), "--connect", host.address() + ":8080", "--path", "/bytes/100",
        "--connections",          "20"};
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }
  bool is_serving() const {
    return lab::wait_until(
        [this] {
          return lab::run({}, {"curl", "-sf", "-m", "5", "http://" + host.address() + ":8080/healthz"})
                     .exit_code == 0;
        },
        std::chrono::seconds(30), std::chrono::milliseconds(50));
  }
  // Of the pool, as `gatehouse status` tells.
  std::uint64_t requests_of(const std::string& pool) const {
    const Json routes = host.status().value("routes", Json::array());
    for (const Json& route : routes) {
      for (const Json& arm : route["pools"]) {
        if (arm["name"] == pool) return arm.value("requests", std::uint64_t{0});
      }
    }
    return 0;
  }
  Json load(int requests) const {
    const lab::Output output = lab::run({}, load_arguments({"--requests", std::to_string(requests)}));
    return parse_json(output.text);
  }
  std::uint64_t resident_kilobytes() const {
    std::uint64_t pages = 0;
    const Json status = host.status();
    for (const Json& worker : status["nodes"][0]["workers"]) {
      std::ifstream stream("/proc/" + std::to_string(worker.value("pid", 0)) + "/statm");
      std::uint64_t size = 0, resident = 0;
      stream >> size >> resident;
      pages += resident;
    }
    return pages * static_cast<std::uint64_t>(getpagesize()) / 1024;
  }

  static constexpr int kPorts[] = {9001, 9002, 9003, 9004};
  OneHost host;
  lab::ProcessId client;  // a load that goes on
};

TEST_F(CanaryHost, SharesAreTrueOverAllWorkersAndAWeightHoldsAtOnce) {
  const std::uint64_t earlier = requests_of("v1") + requests_of("v2"), before = requests_of("v2");
  ASSERT_EQ(load(kRequests).value("failed", -1), 0);
  EXPECT_EQ(requests_of("v1") + requests_of("v2") - earlier, static_cast<std::uint64_t>(kRequests));
  EXPECT_NEAR(static_cast<double>(requests_of("v2") - before), kRequests * 0.05, kRequests * 0.002);

  const lab::Output set = host.cli({"weight", "shop", "v2", "0"});
  EXPECT_EQ(set.exit_code, 0) << set.errors;
  const std::uint64_t then = requests_of("v2");
  ASSERT_EQ(load(1'000).value("failed", -1), 0);
  EXPECT_EQ(requests_of("v2"), then) << "rolled back";

  EXPECT_NE(host.cli({"reload"}).text.find("pool v2 has weight 0, set at run time over 5"),
            std::string::npos);
  host.kill_supervisor();
  host.start();
  ASSERT_TRUE(lab::wait_until([this] { return requests_of("v1") > 0; }, std::chrono::seconds(30),
                              std::chrono::milliseconds(50)));
  ASSERT_EQ(load(1'000).value("failed", -1), 0);
  EXPECT_EQ(requests_of("v2"), then) << "and that outlives reload and supervisor";

  write_config({90, 10}, "weight = 1", 3);
  EXPECT_NE(host.cli({"reload"}).text.find("pool v2 has weight 10 in place of 0"), std::string::npos);
  // Workers may still be on their way to the new supervisor.
  const auto is_tenth = [this] {
    const std::uint64_t start = requests_of("v2");
    const bool is_fine = load(1'000).value("failed", -1) == 0;
    return is_fine && std::abs(static_cast<double>(requests_of("v2") - start) - 100) <= 3;
  };
  EXPECT_TRUE(lab::wait_until(is_tenth, std::chrono::seconds(30)));
}

TEST_F(CanaryHost, ABackendIsDrainedDisabledAndBroughtBackWithoutAFailedRequest) {
  const std::string address = host.address() + ":9001";
  const auto backend = [&] {
    const Json pools = host.status().value("pools", Json::array());
    for (const Json& each : pools.at(0)["backends"]) {
      if (each.value("address", "") == address) return each;
    }
    return Json(Json::value_t::object);
  };
  const auto act = [&](const lab::Arguments& action) {
    lab::Arguments argv = {"backend", "v1", address};
    argv.insert(argv.end(), action.begin(), action.end());
    const lab::Output output = host.cli(argv);
    EXPECT_EQ(output.exit_code, 0) << output.errors;
  };
  const auto is_healthy = [&] { return backend().value("is_healthy", false); };
  const auto new_requests = [&] {
    const std::uint64_t before = backend().value("requests", std::uint64_t{0});
    EXPECT_EQ(load(1'000).value("failed", -1), 0);
    return backend().value("requests", std::uint64_t{0}) - before;
  };
  EXPECT_GT(new_requests(), 250u);
  act({"drain"});
  EXPECT_EQ(backend().value("state", ""), "draining");
  EXPECT_EQ(new_requests(), 0u);
  EXPECT_NE(host.cli({"reload"}).text.find("backend " + address + " is draining, set at run time"),
            std::string::npos);
  EXPECT_EQ(new_requests(), 0u);
  act({"disable"});
  EXPECT_EQ(new_requests(), 0u);
  EXPECT_EQ(backend().value("reason", ""), "disabled");
  act({"enable"});
  ASSERT_TRUE(lab::wait_until(is_healthy, std::chrono::seconds(30), std::chrono::milliseconds(50)));
  EXPECT_GT(new_requests(), 250u);
  act({"weight", "0"});
  EXPECT_EQ(new_requests(), 0u);
  act({"weight", "config"});
  EXPECT_GT(new_requests(), 250u);
}

TEST_F(CanaryHost, TwoHundredReloadsThatChangeWeightsAndBackendsCostNoRequestAndNoMemory) {
  const auto started = lab::start(
      {}, load_arguments({"--rate", "1000", "--report", host.file("report.json")}), host.file("load.log"));
  ASSERT_TRUE(started.has_value());
  client = *started;
  const auto served = [this] { return requests_of("v1") + requests_of("v2"); };
  ASSERT_TRUE(lab::wait_until([&] { return served() > 300; }, std::chrono::seconds(30),
                              std::chrono::milliseconds(50)));
  std::uint64_t warm = 0;
  for (int i = 0; i < kReloads; ++i) {
    write_config({100 - i % 50, i % 50}, "weight = " + std::to_string(1 + i % 7), 1 + i % 3);
    const lab::Output output = host.cli({"reload"});
    ASSERT_EQ(output.exit_code, 0) << output.errors;
    if (i == kReloads / 5) warm = resident_kilobytes();
  }
  const std::uint64_t end = resident_kilobytes();
  kill(client.pid, SIGTERM);
  ASSERT_TRUE(lab::wait_until([this] { return !client.is_alive(); }, std::chrono::seconds(30)));
  std::ifstream stream(host.file("report.json"));
  const Json report = parse_json(std::string(std::istreambuf_iterator<char>(stream), {}));
  std::printf(
      "%d reloads under %d requests: %d failed; %llu KiB after a fifth of them, %llu KiB at the end\n",
      kReloads, report.value("ok", 0), report.value("failed", -1), static_cast<unsigned long long>(warm),
      static_cast<unsigned long long>(end));
  EXPECT_GT(report.value("ok", 0), kReloads) << "the load must have gone on throughout";
  EXPECT_EQ(report.value("failed", -1), 0) << report["failures"].dump();
  EXPECT_EQ(report.value("connections_broken", -1), 0) << report.dump();
  EXPECT_GT(warm, 0u);
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LE(end, warm + 2'048);  // a sanitizer keeps freed memory for a while
#endif
}

}  // namespace
}  // namespace gatehouse::test
