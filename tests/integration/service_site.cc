#include "common/json_fields.h"
#include "tests/integration/service_site.h"

#include <signal.h>

#include <fstream>
#include <sstream>

namespace gatehouse::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kSite = R"([site]
fabric_mtu = 1600

[[vip]]
name = "dns"
address = "198.51.100.10"
port = 53
protocol = "udp"

[[vip]]
name = "dns6"
address = "2001:db8:100::10"
port = 53
protocol = "udp"

[[vip]]
name = "sql"
address = "198.51.100.10"
port = 5432

[[vip]]
name = "sql6"
address = "2001:db8:100::10"
port = 5432

[[vip]]
name = "quic"
address = "198.51.100.10"
port = 443
protocol = "udp"

[[l4_host]]
name = "l4a"
address = "192.0.2.11"
address_v6 = "2001:db8:2::11"
interface = "e0"

[[l4_host]]
name = "l4b"
address = "192.0.2.13"
address_v6 = "2001:db8:2::13"
interface = "e0"

)";

Json read_json(const std::string& file) {
  std::ifstream stream(file);
  Json json = parse_json(std::string(std::istreambuf_iterator<char>(stream), {}));
  return json.is_object() ? json : Json::object();
}

}  // namespace

Flows::Flows(lab::Lab& lab, const Shape& shape) : lab_(lab) {
  static int count = 0;
  name_ = "flows" + std::to_string(++count);
  report_file_ = lab.host_folder("client") + "/" + name_ + ".json";
  lab::Arguments argv = {
      binary("gatehouse-flows"),  "--connect", shape.target, "--report", report_file_, "--flows",
      std::to_string(shape.flows)};
  if (shape.is_udp) argv.push_back("--udp");
  if (shape.port_base) argv.insert(argv.end(), {"--port-base", std::to_string(shape.port_base)});
  if (!shape.request_hex.empty()) argv.insert(argv.end(), {"--request-hex", shape.request_hex});
  const Status started = lab.start("client", name_, argv);
  EXPECT_TRUE(started) << started.error().message;
  EXPECT_TRUE(lab::wait_until([&] { return report().value("answered", 0) == shape.flows; }, seconds(20),
                              milliseconds(50)))
      << report().dump();
}

Flows::~Flows() {
  if (lab_.find(name_)) (void)lab_.kill(name_);
}

Json Flows::report() const { return read_json(report_file_); }

bool Flows::are_answered() const {
  const Json before = report();
  const int wanted = before.value("answers", 0) + 2 * before.value("flows", 0);
  return lab::wait_until([&] { return report().value("answers", 0) >= wanted; }, seconds(10),
                         milliseconds(50));
}

Json Flows::stop() {
  EXPECT_TRUE(lab_.signal(name_, SIGTERM));
  EXPECT_TRUE(lab::wait_until([this] { return !lab_.find(name_); }, seconds(10)));
  return report();
}

void ServiceSiteTest::SetUp() {
  if (const auto reason = lab::Lab::why_unsupported()) GTEST_SKIP() << *reason;
  auto topology = lab::load_topology(GATEHOUSE_SOURCE_DIR "/tests/lab/site.toml");
  ASSERT_TRUE(topology) << topology.error().message;
  auto lab = lab::Lab::up(std::move(*topology));
  ASSERT_TRUE(lab) << lab.error().message;
  lab_ = std::move(*lab);
  for (const char* family : {"-4", "-6"}) {
    const bool is_v4 = family[1] == '4';
    const std::string f = family;
    ip("router", f + " rule add pref 10 to " + (is_v4 ? "192.0.2.0/24" : "2001:db8:2::/48") + " lookup main");
    for (const char* server :
         {is_v4 ? "203.0.113.129" : "2001:db8:113::81", is_v4 ? "203.0.113.131" : "2001:db8:113::83"}) {
      ip("router", f + " rule add pref 20 from " + server + " lookup 100");
    }
    ip("router",
       f + " route add default via " + (is_v4 ? "192.0.2.13" : "2001:db8:2::13") + " dev l4b table 100");
  }
  write_config(services());
  start_servers();
  for (const char* host : {"l4a", "l4b"}) {
    const Status started = start_l4(host);
    ASSERT_TRUE(started) << started.error().message;
  }
  for (const char* host : {"l4a", "l4b"}) {
    const auto is_ready = [&] {
      const Json report = status(host);
      for (const Json& service : report.value("services", Json::array())) {
        for (const Json& server : service["servers"]) {
          if (server.value("share", 0.0) <= 0) return false;
        }
      }
      return report.is_object() && report.contains("services") && !report["services"].empty();
    };
    ASSERT_TRUE(lab::wait_until(is_ready, seconds(20), milliseconds(50)))
        << host << ": " << status(host).dump();
  }
}

void ServiceSiteTest::TearDown() {
  if (!HasFailure() || !lab_) return;
  for (const std::string& process : lab_->processes()) {
    std::ifstream stream(lab_->log_file(process));
    std::stringstream text;
    text << stream.rdbuf();
    if (!text.str().empty()) std::printf("--- %s\n%s", process.c_str(), text.str().c_str());
  }
}

void ServiceSiteTest::ip(const std::string& host, const std::string& arguments) {
  const lab::Output output = lab_->run(host, {"sh", "-c", "ip " + arguments});
  EXPECT_EQ(output.exit_code, 0) << "ip " << arguments << ": " << output.errors;
}

void ServiceSiteTest::start_server(const std::string& host, const std::string& name,
                                   const lab::Arguments& listen) {
  lab::Arguments argv = {binary("gatehouse-echo"), "--name", name};
  argv.insert(argv.end(), listen.begin(), listen.end());
  const Status started = lab_->start(host, name, argv);
  ASSERT_TRUE(started) << started.error().message;
}

void ServiceSiteTest::write_config(const std::string& services) {
  for (const char* host : {"l4a", "l4b"})
    std::ofstream(lab_->host_folder(host) + "/site.toml") << kSite << services;
}

Status ServiceSiteTest::start_l4(const std::string& host) {
  const std::string folder = lab_->host_folder(host);
  return lab_->start(host, host,
                     {binary("gatehouse-l4"), "--config", folder + "/site.toml", "--host", host,
                      "--state-dir", folder + "/state", "--bpf-dir", lab_->bpf_folder(host)});
}

Json ServiceSiteTest::status(const std::string& host) const {
  const lab::Output output = lab_->run(
      host,
      {binary("gatehouse"), "--socket", lab_->host_folder(host) + "/state/control.sock", "status", "--json"});
  Json report = parse_json(output.text);
  return output.exit_code == 0 && report.is_object() ? report : Json::object();
}

bool ServiceSiteTest::wait_for_state(const std::string& server, const std::string& state) const {
  const auto state_at = [&](const std::string& host) -> std::string {
    const Json report = status(host);
    if (!report.is_object()) return "";
    for (const Json& service : report.value("services", Json::array())) {
      for (const Json& each : service["servers"]) {
        if (each.value("name", "") == server) return each.value("state", "");
      }
    }
    return "";
  };
  return lab::wait_until([&] { return state_at("l4a") == state && state_at("l4b") == state; }, seconds(20),
                         milliseconds(20));
}

void ServiceSiteTest::on_both(const lab::Arguments& command) {
  for (const char* host : {"l4a", "l4b"}) {
    lab::Arguments argv = {binary("gatehouse"), "--socket", lab_->host_folder(host) + "/state/control.sock"};
    argv.insert(argv.end(), command.begin(), command.end());
    const lab::Output output = lab_->run(host, argv);
    EXPECT_EQ(output.exit_code, 0) << output.text << output.errors;
  }
}

}  // namespace gatehouse::test
