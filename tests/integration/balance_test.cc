// What becomes of requests when backends hang, fail, die or are full: real workers, figures in the output.
// Bounds of time are generous, for a slow machine; what was reached is printed.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "common/json_fields.h"
#include "tests/integration/moody_backend.h"
#include "tests/integration/one_host.h"
#include "tests/integration/site.h"

namespace gatehouse::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kLook = std::chrono::milliseconds(20);

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

class BalancingHost : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "workers become another user: root is needed";
  }
  void TearDown() override {
    if (client.pid && client.is_alive()) lab::kill_and_wait(client);
    if (HasFailure()) std::printf("--- %s\n", host.log().c_str());
  }
  // A pool of `backends`, with further lines for its section.
  void start(const std::vector<std::string>& backends, const std::string& pool, int workers = 2) {
    std::string list;
    for (const std::string& backend : backends) list += "\"" + backend + "\", ";
    host.write(
        "site.toml",
        "[workers]\ncount = " + std::to_string(workers) + "\n[[listener]]\nname = \"web\"\naddresses = [\"" +
            host.address() +
            ":8080\"]\n[[route]]\nname = \"shop\"\npool = \"main\"\n[[pool]]\nname = \"main\"\nbackends = [" +
            list + "]\n" + pool);
    host.start();
    const auto is_serving = [this] {
      return lab::run({}, {"curl", "-sf", "-m", "5", "http://" + host.address() + ":8080/healthz"})
                 .exit_code == 0;
    };
    ASSERT_TRUE(lab::wait_until(is_serving, std::chrono::seconds(30), kLook)) << host.log();
  }
  void start_moody(std::size_t count, const std::string& pool, int workers = 2) {
    std::vector<std::string> addresses;
    for (std::size_t i = 0; i < count; ++i) {
      moody.push_back(std::make_unique<MoodyBackend>());
      addresses.push_back(to_string(moody.back()->address()));
    }
    start(addresses, pool, workers);
  }
  lab::Arguments load_arguments(const lab::Arguments& more) const {
    lab::Arguments argv = {binary("gatehouse-load"), "--connect", host.address() + ":8080", "--path", path};
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }
  Json load(const lab::Arguments& more) const {
    return parse_json(lab::run({}, load_arguments(more)).text);
  }
  // One that goes on until end_load().
  void begin_load(int rate) {
    const auto started = lab::start({},
                                    load_arguments({"--connections", "20", "--rate", std::to_string(rate),
                                                    "--report", host.file("report.json")}),
                                    host.file("load.log"));
    ASSERT_TRUE(started.has_value());
    client = *started;
  }
  Json end_load() {
    kill(client.pid, SIGTERM);
    EXPECT_TRUE(lab::wait_until([this] { return !client.is_alive(); }, std::chrono::seconds(30)));
    std::ifstream stream(host.file("report.json"));
    return parse_json(std::string(std::istreambuf_iterator<char>(stream), {}));
  }
  Json backend(std::size_t index) const {
    const Json pools = host.status().value("pools", Json::array());
    return pools.empty() || pools[0]["backends"].size() <= index ? Json::object()
                                                                 : pools[0]["backends"][index];
  }
  bool wait_for_ejection(std::size_t index, bool is_ejected, std::chrono::seconds limit) const {
    return lab::wait_until([&] { return backend(index).value("is_ejected", !is_ejected) == is_ejected; },
                           limit, kLook);
  }

  std::string path = "/";
  std::vector<std::unique_ptr<MoodyBackend>> moody;
  OneHost host;  // ends before its backends do: their ports may be somebody else's then
  lab::ProcessId client;
};

TEST_F(BalancingHost, OneOfFourThatHangsFailsNoRequest) {
  start_moody(4, "retry = { try_timeout = \"250ms\" }\n");
  const lab::Arguments some = {"--connections", "20", "--rate", "500", "--duration", "3s"};
  const double before = load(some)["latency_us"].value("p99", 0.0);
  begin_load(500);
  ASSERT_TRUE(lab::wait_until([this] { return moody[0]->requests > 450; }, std::chrono::seconds(30), kLook));
  const auto start = Clock::now();
  moody[0]->hangs = true;
  ASSERT_TRUE(wait_for_ejection(0, true, std::chrono::seconds(30)));
  const double out_after = milliseconds_since(start);
  lab::wait_until([&] { return milliseconds_since(start) > 2'000; }, std::chrono::seconds(10), kLook);
  const Json during = end_load();
  const int known = moody[0]->requests;
  const double after = load(some)["latency_us"].value("p99", 0.0);
  std::printf(
      "1 of 4 hangs: out after %.0f ms; of %d requests %d failed; p99 %.1f ms before, %.1f ms at most %.1f s "
      "later\n",
      out_after, during.value("requests", 0), during.value("failed", -1), before / 1e3, after / 1e3,
      milliseconds_since(start) / 1e3);
  EXPECT_LE(during.value("failed", 1'000'000), during.value("requests", 0) / 100) << during["by_kind"].dump();
  EXPECT_LE(moody[0]->requests - known, 2) << "all that may be slow";
  EXPECT_LE(after, std::max(3 * before, 1'000'000.0)) << "microseconds";
}

TEST_F(BalancingHost, OneOfFourThatFailsHalfOfItsRequestsIsOutUntilItRecovers) {
  start_moody(4,
              "retry = { status = [500] }\nejection = { failures = 0, interval = \"500ms\", min_requests = "
              "20, time = \"1s\" }\n");
  begin_load(400);
  ASSERT_TRUE(lab::wait_until([this] { return moody[2]->requests > 100; }, std::chrono::seconds(30), kLook));
  auto start = Clock::now();
  moody[2]->failing_percent = 50;
  ASSERT_TRUE(wait_for_ejection(2, true, std::chrono::seconds(30)));
  const double out_after = milliseconds_since(start);
  const std::string reason = backend(2).value("reason", "");
  EXPECT_NE(reason.find("ejected for success rate"), std::string::npos) << reason;
  moody[2]->failing_percent = 0;
  start = Clock::now();
  ASSERT_TRUE(wait_for_ejection(2, false, std::chrono::seconds(60)));
  const double back_after = milliseconds_since(start);
  const int known = moody[2]->requests;
  EXPECT_TRUE(
      lab::wait_until([&] { return moody[2]->requests > known + 50; }, std::chrono::seconds(30), kLook));
  const Json report = end_load();
  std::printf(
      "1 of 4 answers 500 half of the time: out after %.0f ms, back %.0f ms after it recovered; of %d "
      "requests %d failed\n",
      out_after, back_after, report.value("requests", 0), report.value("failed", -1));
  EXPECT_LE(report.value("failed", 1'000'000), report.value("requests", 0) / 100) << report["by_kind"].dump();
  EXPECT_EQ(backend(2)["ejected_for"].value("failures", 1), 0);
}

TEST_F(BalancingHost, OneOfFourThatIsMuchSlowerIsOut) {
  start_moody(4,
              "ejection = { failures = 0, interval = \"500ms\", min_requests = 10, latency_factor = 5, time "
              "= \"1s\" }\n");
  begin_load(200);
  ASSERT_TRUE(lab::wait_until([this] { return moody[3]->requests > 50; }, std::chrono::seconds(30), kLook));
  const auto start = Clock::now();
  moody[3]->delay_ms = 300;
  ASSERT_TRUE(wait_for_ejection(3, true, std::chrono::seconds(30)));
  const std::string reason = backend(3).value("reason", "");
  std::printf("1 of 4 takes 300 ms more: out after %.0f ms\n", milliseconds_since(start));
  EXPECT_NE(reason.find("ejected for latency"), std::string::npos) << reason;
  EXPECT_EQ(end_load().value("failed", -1), 0);
}

TEST_F(BalancingHost, WhereBackendsAreCheckedACheckBringsOneBack) {
  start_moody(2,
              "health = { path = \"/healthz\", interval = \"200ms\", timeout = \"200ms\", fall = 100 }\n"
              "ejection = { failures = 3, time = \"500ms\" }\n");
  begin_load(200);
  ASSERT_TRUE(lab::wait_until([this] { return moody[1]->requests > 20; }, std::chrono::seconds(30), kLook));
  moody[1]->failing_percent = 100;
  ASSERT_TRUE(wait_for_ejection(1, true, std::chrono::seconds(30)));
  const auto reason = [this] { return backend(1).value("reason", ""); };
  EXPECT_TRUE(lab::wait_until([&] { return reason() == "ejected for failures: waits for a check"; },
                              std::chrono::seconds(30), kLook))
      << reason();
  moody[1]->failing_percent = 0;
  ASSERT_TRUE(wait_for_ejection(1, false, std::chrono::seconds(30)));
  end_load();
  EXPECT_NE(host.log().find("is back: its check succeeded"), std::string::npos);
  EXPECT_EQ(backend(1).value("ejections", 0), 1) << "and no request was risked";
}

TEST_F(BalancingHost, KillingBackendsFailsNoRequest) {
  std::vector<std::string> addresses;
  std::vector<lab::ProcessId> backends;
  for (const int port : {9001, 9002, 9003, 9004}) {
    backends.push_back(host.start_backend(port));
    addresses.push_back(host.address() + ":" + std::to_string(port));
  }
  start(addresses, "health = { path = \"/healthz\", interval = \"200ms\", timeout = \"200ms\" }\n");
  path = "/bytes/100";
  begin_load(1'000);
  const auto requests = [this](std::size_t i) { return backend(i).value("requests", std::uint64_t{0}); };
  for (std::size_t i = 0; i < 3; ++i) {
    const std::uint64_t known = requests(i), next = requests(i + 1);
    ASSERT_TRUE(lab::wait_until([&] { return requests(i) > known + 300; }, std::chrono::seconds(30), kLook));
    lab::kill_and_wait(backends[i]);
    ASSERT_TRUE(
        lab::wait_until([&] { return requests(i + 1) > next + 300; }, std::chrono::seconds(30), kLook));
    host.start_backend(9001 + static_cast<int>(i));
    ASSERT_TRUE(lab::wait_until([&, now = requests(i)] { return requests(i) > now + 20; },
                                std::chrono::seconds(60), kLook));
  }
  const Json report = end_load();
  std::printf("kill -9 of three backends, one after the other: of %d requests %d failed\n",
              report.value("requests", 0), report.value("failed", -1));
  EXPECT_EQ(report.value("failed", -1), 0) << report["by_kind"].dump();
}

TEST_F(BalancingHost, SixteenWorkersTogetherKeepTheLimitOfABackend) {
  constexpr int kLimit = 10;
  start_moody(1, "limits = { max_backend_requests = 10 }\n", 16);
  moody[0]->delay_ms = 20;
  const Json report = load({"--connections", "40", "--rate", "500", "--duration", "3s"});
  std::printf("16 workers, at most %d in flight: the backend saw %d at once, and %d of %d requests\n", kLimit,
              moody[0]->most_at_once.load(), moody[0]->requests.load(), report.value("requests", 0));
  EXPECT_LE(moody[0]->most_at_once, kLimit);
  EXPECT_GE(moody[0]->most_at_once, kLimit - 1);
}

}  // namespace
}  // namespace gatehouse::test
