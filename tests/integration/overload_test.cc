// More requests than the backends can do: all of them 20 times slower for a while. Real workers, figures in
// the output.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <numeric>

#include "common/json_fields.h"
#include "common/units.h"
#include "tests/integration/moody_backend.h"
#include "tests/integration/one_host.h"
#include "tests/integration/site.h"

namespace gatehouse::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kLook = std::chrono::milliseconds(20);
constexpr int kBackends = 4, kSlots = 4, kUsualMs = 10, kSlower = 20, kRate = 200;
constexpr double kSlowSeconds = 10,
                 kSlowCapacity = kBackends * kSlots * 1e3 / (kUsualMs * kSlower);  // per second

void let_pass(double seconds) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  lab::wait_until([end] { return Clock::now() >= end; }, std::chrono::seconds(60), kLook);
}

// A pool of four backends with four slots each, and a client that sends it a steady rate.
struct Service {
  std::string name;
  std::string options;        // of the pool
  std::vector<std::unique_ptr<MoodyBackend>> backends;
  lab::ProcessId client;

  int requests() const {
    return std::accumulate(backends.begin(), backends.end(), 0,
                           [](int sum, const auto& each) { return sum + each->requests; });
  }
  void take(int milliseconds) {
    for (const auto& each : backends) each->delay_ms = milliseconds;
  }
};

// What became of the requests between two moments of Unix time.
struct Answers {
  int ok = 0, failed = 0;
  std::int64_t last_failure_ms = 0;  // after the first of them
};

Answers between(const Json& report, std::int64_t begin, std::int64_t end) {
  Answers answers;
  std::int64_t time = report.value("started_unix_ms", std::int64_t{0});
  for (const Json& step : report["timeline_ok_failed"]) {
    if (time >= begin && time < end) {
      answers.ok += step[0].get<int>();
      answers.failed += step[1].get<int>();
      if (step[1].get<int>() > 0) answers.last_failure_ms = time + 100 - begin;
    }
    time += 100;
  }
  return answers;
}

class OverloadedHost : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "workers become another user: root is needed";
  }
  void TearDown() override {
    for (Service& each : services) {
      if (each.client.pid && each.client.is_alive()) lab::kill_and_wait(each.client);
    }
    if (HasFailure()) std::printf("--- %s\n", host.log().c_str());
  }
  void start() {
    std::string toml =
        "[workers]\ncount = 2\n[[listener]]\nname = \"web\"\naddresses = [\"" + host.address() + ":8080\"]\n";
    for (Service& each : services) {
      std::string list;
      for (int i = 0; i < kBackends; ++i) {
        each.backends.push_back(std::make_unique<MoodyBackend>());
        each.backends.back()->slots = kSlots;
        list += "\"" + to_string(each.backends.back()->address()) + "\", ";
      }
      each.take(kUsualMs);
      toml += "[[route]]\nname = \"" + each.name + "\"\npath_prefix = \"/" + each.name + "\"\npool = \"" +
              each.name + "\"\n[[pool]]\nname = \"" + each.name + "\"\nbackends = [" + list + "]\n" +
              each.options;
    }
    host.write("site.toml", toml);
    host.start();
    const auto is_serving = [this] {
      return lab::run({},
                      {"curl", "-sf", "-m", "5", "http://" + host.address() + ":8080/" + services[0].name})
                 .exit_code == 0;
    };
    ASSERT_TRUE(lab::wait_until(is_serving, std::chrono::seconds(30), kLook)) << host.log();
    for (Service& each : services) begin_load(each);
    for (const Service& each : services)
      ASSERT_TRUE(
          lab::wait_until([&] { return each.requests() > 2 * kRate; }, std::chrono::seconds(60), kLook))
          << each.name;
  }
  void begin_load(Service& service) {
    const auto started = lab::start({},
                                    {binary("gatehouse-load"), "--connect", host.address() + ":8080",
                                     "--path", "/" + service.name, "--connections", "150", "--rate",
                                     std::to_string(kRate), "--report", host.file(service.name + ".json")},
                                    host.file(service.name + ".log"));
    ASSERT_TRUE(started.has_value());
    service.client = *started;
  }
  Json end_load(Service& service) {
    kill(service.client.pid, SIGTERM);
    EXPECT_TRUE(lab::wait_until([&] { return !service.client.is_alive(); }, std::chrono::seconds(30)));
    std::ifstream stream(host.file(service.name + ".json"));
    return parse_json(std::string(std::istreambuf_iterator<char>(stream), {}));
  }
  std::uint64_t worker_count(const char* name) const {
    std::uint64_t sum = 0;
    const Json status = host.status();
    for (const Json& worker : status["nodes"][0]["workers"]) sum += worker.value(name, std::uint64_t{0});
    return sum;
  }

  std::vector<Service> services;
  OneHost host;  // ends before its backends do: their ports may be somebody else's then
};

TEST_F(OverloadedHost, ServesWhatSlowBackendsCanDoAndRefusesTheRest) {
  const std::string retry = "retry = { try_timeout = \"1s\", status = [503] }\nejection = { failures = 0 }\n";
  services.resize(2);
  services[0].name = "queued";  // behind a limit that is known
  services[0].options =
      retry + "limits = { max_backend_requests = 4 }\nqueue = { limit = 20, timeout = \"500ms\" }\n";
  services[1].name = "adaptive";  // behind one that is found out
  services[1].options = retry + "adaptive_limit = { enabled = true, initial_requests = 40 }\n";
  start();
  const std::int64_t slow_begins = unix_milliseconds();
  std::vector<int> seen;
  for (Service& each : services) {
    seen.push_back(-each.requests());
    each.take(kUsualMs * kSlower);
  }
  let_pass(kSlowSeconds);
  const std::int64_t slow_ends = unix_milliseconds();
  for (std::size_t i = 0; i < services.size(); ++i) {
    seen[i] += services[i].requests();
    services[i].take(kUsualMs);
  }
  let_pass(4);
  const double seconds = static_cast<double>(slow_ends - slow_begins) / 1e3;
  for (std::size_t i = 0; i < services.size(); ++i) {
    const Json report = end_load(services[i]);
    const Answers slow = between(report, slow_begins, slow_ends),
                  after = between(report, slow_ends, slow_ends + 3'500);
    std::printf(
        "%s: all backends %d times slower for %.1f s: of %d requests offered backends saw %d (%.0f %%); %d "
        "served, %.0f %% of what they could; "
        "%d refused at once; the last failure %.1f s after the end\n",
        services[i].name.c_str(), kSlower, seconds, static_cast<int>(kRate * seconds), seen[i],
        100 * seen[i] / (kRate * seconds), slow.ok, 100 * slow.ok / (kSlowCapacity * seconds), slow.failed,
        static_cast<double>(after.last_failure_ms) / 1e3);
    EXPECT_LE(seen[i], 1.1 * kRate * seconds) << "no retry storm";
    EXPECT_GE(slow.ok, 0.8 * kSlowCapacity * seconds);
    EXPECT_GT(slow.failed, 0) << "it was too much";
    EXPECT_LE(after.last_failure_ms, 2'000);
    EXPECT_EQ(report["by_kind"].value("status", 0), report.value("failed", -1))
        << "503, and nothing else: " << report["by_kind"].dump();
  }
  std::printf(
      "%llu waited, %llu found the queue full, %llu waited too long, %llu over the adaptive limit, %llu "
      "retries\n",
      static_cast<unsigned long long>(worker_count("queued_requests")),
      static_cast<unsigned long long>(worker_count("queue_overflows")),
      static_cast<unsigned long long>(worker_count("queue_timeouts")),
      static_cast<unsigned long long>(worker_count("requests_over_adaptive_limit")),
      static_cast<unsigned long long>(worker_count("retries")));
}

}  // namespace
}  // namespace gatehouse::test
