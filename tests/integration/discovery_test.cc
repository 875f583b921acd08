// Backends that are found, with real processes: a DNS server whose answers change, a file that is rewritten,
// a load that must not notice.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/json_fields.h"
#include "tests/integration/one_host.h"
#include "tests/integration/site.h"

namespace gatehouse::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(40);
constexpr int kChanges = 12;

class DiscoveryHost : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "workers become another user: root is needed";
    for (std::size_t i = 0; i < 4; ++i) {
      const std::string name(1, static_cast<char>('a' + i));
      host.start_process({binary("gatehouse-backend"), "--listen", address(i) + ":9001", "--name", name},
                         name);
    }
  }
  void TearDown() override {
    for (const lab::ProcessId& process : {load, dns}) {
      if (process.pid && process.is_alive()) lab::kill_and_wait(process);
    }
    if (HasFailure()) std::printf("--- %s\n", host.log().c_str());
  }

  // Backends share a port, as those of one name do, and each has an address.
  std::string address(std::size_t i) const {
    const std::string& own = host.address();
    return "127." + std::to_string(192 + i) + own.substr(own.find('.', 4));
  }
  std::string resolver() const { return host.address() + ":5353"; }
  void start_dns() {
    const auto started =
        lab::start({}, {binary("gatehouse-dns"), "--listen", resolver(), "--zone", host.file("zone")},
                   host.file("dns.log"));
    ASSERT_TRUE(started.has_value());
    dns = *started;
    ASSERT_TRUE(lab::wait_until([this] { return host.log("dns").find("listening") != std::string::npos; },
                                kPatience));
  }
  void write_zone(std::initializer_list<std::size_t> backends, const std::string& rest = "") const {
    std::string zone = rest;
    for (const std::size_t i : backends) zone += "A api.test " + address(i) + " 0\n";
    host.write("zone", zone);
  }
  void write_config(const std::string& discovery, const std::string& rest = "") const {
    host.write(
        "site.toml",
        "[workers]\ncount = 2\n[[listener]]\nname = \"web\"\naddresses = [\"" + host.address() +
            ":8080\"]\n[[route]]\nhosts = [\"static.test\"]\npool = \"static\"\n[[route]]\npool = \"api\"\n"
            "[[pool]]\nname = \"static\"\nbackends = [\"" +
            address(0) + ":9001\"]\n" + "[[pool]]\nname = \"api\"\nhealth = { path = \"/healthz\" }\n" +
            rest + "[pool.discovery]\n" + discovery);
  }
  std::string by_dns(const std::string& more = "") const {
    return "dns = \"api.test:9001\"\nresolvers = [\"" + resolver() +
           "\"]\nfamily = \"ipv4\"\ntimeout = \"500ms\"\n" + more;
  }
  std::string status_of(const std::string& host_name) const {
    return lab::run({}, {"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-m", "5", "-H",
                         "Host: " + host_name, "http://" + host.address() + ":8080/healthz"})
        .text;
  }
  bool becomes(const std::string& host_name, const std::string& status) const {
    return lab::wait_until([&] { return status_of(host_name) == status; }, kPatience,
                           std::chrono::milliseconds(50));
  }
  Json pool() const {
    const Json status = host.status();
    for (const Json& pool : status.value("pools", Json::array())) {
      if (pool.value("name", "") == "api") return pool;
    }
    return Json(Json::value_t::object);
  }
  Json discovery() const { return pool().value("discovery", Json(Json::value_t::object)); }
  // "ab": of the pool now.
  std::string members() const {
    std::string names;
    const Json now = pool();
    for (const Json& backend : now.value("backends", Json::array())) {
      for (std::size_t i = 0; i < 4; ++i) {
        if (backend.value("address", "") == address(i) + ":9001") names += static_cast<char>('a' + i);
      }
    }
    return names;
  }
  bool members_become(const std::string& names) const {
    const bool is_so =
        lab::wait_until([&] { return members() == names; }, kPatience, std::chrono::milliseconds(50));
    EXPECT_EQ(members(), names);
    return is_so;
  }
  // Of the supervisor's workers.
  std::size_t descriptors() const {
    std::size_t count = 0;
    const Json status = host.status();
    for (const Json& worker : status["nodes"][0]["workers"]) {
      std::error_code error;
      const std::filesystem::directory_iterator open(
          "/proc/" + std::to_string(worker.value("pid", 0)) + "/fd", error);
      count += static_cast<std::size_t>(std::distance(begin(open), end(open)));
    }
    return count;
  }

  void start_load() {
    const auto started =
        lab::start({},
                   {binary("gatehouse-load"), "--connect", host.address() + ":8080", "--path", "/bytes/100",
                    "--connections", "20", "--rate", "500", "--report", host.file("report.json")},
                   host.file("load.log"));
    ASSERT_TRUE(started.has_value());
    load = *started;
  }
  Json end_load() {
    kill(load.pid, SIGTERM);
    EXPECT_TRUE(lab::wait_until([this] { return !load.is_alive(); }, kPatience));
    std::ifstream stream(host.file("report.json"));
    return parse_json(std::string(std::istreambuf_iterator<char>(stream), {}));
  }
  void expect_no_failure(const Json& report) const {
    std::printf("%d requests, %d failed; by backend: %s\n", report.value("ok", 0), report.value("failed", -1),
                report["by_backend"].dump().c_str());
    EXPECT_GT(report.value("ok", 0), 100);
    EXPECT_EQ(report.value("failed", -1), 0) << report["failures"].dump();
    EXPECT_EQ(report.value("connections_broken", -1), 0) << report.dump();
  }

  OneHost host;
  lab::ProcessId load, dns;
};

TEST_F(DiscoveryHost, DnsAnswersThatChangeEverySecondAndThenDnsThatIsDeadCostNoRequest) {
  write_zone({0, 1});
  start_dns();
  write_config(by_dns("missing = 1\nmax_interval = \"1s\"\n"));
  host.start();
  ASSERT_TRUE(becomes("api.test", "200")) << host.log();
  EXPECT_EQ(members(), "ab");
  start_load();
  write_zone({0, 1, 2, 3});
  ASSERT_TRUE(members_become("abcd"));
  const std::size_t before = descriptors();
  for (int i = 0; i < kChanges; ++i) {
    const std::size_t first = static_cast<std::size_t>(i) % 4, second = (first + 1) % 4;
    write_zone({first, second});
    const std::string both{static_cast<char>('a' + std::min(first, second)),
                           static_cast<char>('a' + std::max(first, second))};
    ASSERT_TRUE(members_become(both));
  }
  write_zone({0, 1, 2, 3});
  ASSERT_TRUE(members_become("abcd"));
  const std::size_t allowance = before / 10 + 8;  // idle connections come and go by themselves
  EXPECT_TRUE(lab::wait_until([&] { return descriptors() <= before + allowance; }, kPatience))
      << descriptors() << " of " << before;
  std::printf("descriptors of workers: %zu before %d changes, %zu after\n", before, kChanges, descriptors());
  EXPECT_GE(discovery().value("changes", 0), kChanges);

  write_zone({1, 2});
  ASSERT_TRUE(members_become("bc"));
  lab::kill_and_wait(dns);
  const int failures = discovery().value("failures", 0);
  ASSERT_TRUE(lab::wait_until([&] { return discovery().value("failures", 0) >= failures + 3; }, kPatience));
  EXPECT_EQ(discovery().value("is_ok", true), false);
  EXPECT_NE(discovery().value("reason", "").find("api.test A: "), std::string::npos) << discovery().dump();
  EXPECT_NE(host.cli({"status"}).text.find("dns api.test:9001"), std::string::npos);
  EXPECT_EQ(members(), "bc");
  host.kill_supervisor();
  host.start();
  EXPECT_TRUE(members_become("bc")) << "the next supervisor goes on with what was found";
  expect_no_failure(end_load());
}

TEST_F(DiscoveryHost, WithoutAnAnswerAPoolBeginsWithNobodyAndOthersServe) {
  write_config(by_dns());
  host.start();
  ASSERT_TRUE(becomes("static.test", "200"));
  EXPECT_EQ(status_of("api.test"), "503");
  EXPECT_EQ(discovery().value("backends", -1), 0);
  EXPECT_EQ(discovery().value("is_ok", true), false);
  write_zone({3});
  start_dns();
  EXPECT_TRUE(becomes("api.test", "200"));
  EXPECT_EQ(members(), "d");
  // A reload that has another source waits for it.
  start_load();
  write_zone({0}, "SRV _http._tcp.api.test 0 1 9001 one.test 0\nA one.test " + address(1) + " 0\n");
  write_config("srv = \"_http._tcp.api.test\"\nresolvers = [\"" + resolver() + "\"]\n");
  const lab::Output reloaded = host.cli({"reload"});
  EXPECT_EQ(reloaded.exit_code, 0) << reloaded.errors;
  EXPECT_EQ(members(), "b");
  write_config(by_dns("hold = \"0s\"\n"),
               "backends = [{ address = \"" + address(2) + ":9001\", backup = true }]\n");
  EXPECT_EQ(host.cli({"reload"}).exit_code, 0);
  EXPECT_EQ(members(), "ca") << "the backup that is listed, and who is found";
  write_zone({});
  EXPECT_TRUE(members_become("c"));
  EXPECT_EQ(status_of("api.test"), "200");
  ASSERT_TRUE(lab::wait_until([&] { return pool()["backends"][0].value("requests", 0) > 200; }, kPatience));
  expect_no_failure(end_load());
}

TEST_F(DiscoveryHost, SrvWeightsAreShares) {
  const std::string name = "_http._tcp.api.test";
  std::string zone;
  const int weights[] = {5, 3, 2, 9};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::string target = std::string(1, static_cast<char>('a' + i)) + ".test";
    zone +=
        "SRV " + name + (i < 3 ? " 10 " : " 20 ") + std::to_string(weights[i]) + " 9001 " + target + " 60\n";
    zone += "A " + target + " " + address(i) + " 60\n";
  }
  write_zone({}, zone);
  start_dns();
  write_config("srv = \"" + name + "\"\nresolvers = [\"" + resolver() + "\"]\n");
  host.start();
  ASSERT_TRUE(becomes("api.test", "200")) << host.log();
  const lab::Output output =
      lab::run({}, {binary("gatehouse-load"), "--connect", host.address() + ":8080", "--path", "/bytes/100",
                    "--connections", "10", "--requests", "5000"});
  const Json report = parse_json(output.text);
  EXPECT_EQ(report.value("failed", -1), 0);
  const auto share = [&](const char* backend) { return report["by_backend"].value(backend, 0); };
  EXPECT_NEAR(share("a"), 2'500, 50);
  EXPECT_NEAR(share("b"), 1'500, 50);
  EXPECT_NEAR(share("c"), 1'000, 50);
  EXPECT_EQ(share("d"), 0) << "of a lower priority: a backup";
}

TEST_F(DiscoveryHost, AFileThatIsRewrittenUnderLoadCostsNoRequestAndABadOneChangesNothing) {
  const auto list = [this](std::initializer_list<std::size_t> backends) {
    std::string text = "# who serves\n";
    for (const std::size_t i : backends) text += address(i) + ":9001 weight=2\n";
    return text;
  };
  host.write("backends.txt", list({0, 1}));
  write_config("file = \"backends.txt\"\n");
  host.start();
  ASSERT_TRUE(becomes("api.test", "200")) << host.log();
  start_load();
  for (int i = 0; i < kChanges; ++i) {
    const std::size_t first = static_cast<std::size_t>(i) % 3;
    if (i % 2) {
      host.write("backends.txt", list({first, first + 1}));
    } else {
      std::ofstream(host.file("backends.txt")) << list({first, first + 1});  // in place
    }
    ASSERT_TRUE(members_become({static_cast<char>('a' + first), static_cast<char>('b' + first)}));
  }
  const std::string before = members();
  host.write("backends.txt", list({0}) + "api.test:80\n");
  ASSERT_TRUE(lab::wait_until([this] { return !discovery().value("is_ok", true); }, kPatience));
  EXPECT_NE(discovery().value("reason", "").find(host.file("backends.txt") + ":3: expected address:port"),
            std::string::npos)
      << discovery().dump();
  EXPECT_EQ(members(), before);
  EXPECT_NE(host.cli({"check", host.file("site.toml")}).exit_code, 0);
  std::filesystem::remove(host.file("backends.txt"));
  ASSERT_TRUE(lab::wait_until(
      [this] { return discovery().value("reason", "").find("cannot read") != std::string::npos; },
      kPatience));
  EXPECT_EQ(members(), before);
  host.write("backends.txt", list({3}));
  ASSERT_TRUE(members_become("d"));
  EXPECT_EQ(discovery().value("is_ok", false), true);
  expect_no_failure(end_load());
}

}  // namespace
}  // namespace gatehouse::test
