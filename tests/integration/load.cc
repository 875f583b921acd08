#include "tests/integration/load.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "common/json_fields.h"
#include "common/units.h"
namespace gatehouse::test {
namespace {

Json read_json(const std::string& file) {
  std::ifstream stream(file);
  Json json = parse_json(std::string(std::istreambuf_iterator<char>(stream), {}));
  return json.is_object() ? json : Json::object();
}

lab::Arguments command(const Site& site, const LoadShape& shape, const std::string& report) {
  lab::Arguments argv = {binary("gatehouse-load"), "--connect", "198.51.100.10:443", "--tls", "--sni", "shop.example", "--ca"};
  argv.push_back(const_cast<Site&>(site).lab().ca_file());
  const auto add = [&argv](const char* flag, long value) {
    argv.push_back(flag);
    argv.push_back(std::to_string(value));
  };
  argv.insert(argv.end(), {"--host", "shop.example", "--report", report});
  add("--connections", shape.connections);
  add("--rate", shape.rate);
  if (shape.new_rate) add("--new-rate", shape.new_rate);
  if (shape.read_rate) add("--read-rate", shape.read_rate);
  if (shape.requests) add("--requests", shape.requests);
  for (const std::string& path : shape.paths) argv.insert(argv.end(), {"--path", path});
  return argv;
}

}  // namespace

Load::Load(Site& site, const LoadShape& shape) : site_(site) {
  static int count = 0;
  name_ = "load" + std::to_string(++count);
  report_file_ = site.lab().host_folder("client") + "/" + name_ + ".json";
  const Status started = site.lab().start("client", name_, command(site, shape, report_file_));
  EXPECT_TRUE(started) << started.error().message;
  const bool is_steady = lab::wait_until(
      [&] {
        const Json report = read_json(report_file_);
        return report.value("connections_open", 0) >= shape.connections && (shape.read_rate > 0 || report.value("ok", 0) > 0);
      },
      std::chrono::seconds(20));
  EXPECT_TRUE(is_steady) << read_json(report_file_).dump() << site.log(name_);
  started_unix_ms_ = read_json(report_file_).value("started_unix_ms", static_cast<std::uint64_t>(unix_milliseconds()));
}

Load::~Load() {
  if (is_running()) stop();
}

std::uint64_t Load::now_ms() const { return static_cast<std::uint64_t>(unix_milliseconds()) - started_unix_ms_; }

bool Load::is_running() const { return site_.lab().find(name_).has_value(); }

bool Load::wait_until_done(std::chrono::seconds limit) const {
  return lab::wait_until([this] { return !is_running(); }, limit, std::chrono::milliseconds(50));
}

Json Load::stop() {
  if (is_running()) {
    EXPECT_TRUE(site_.lab().signal(name_, SIGTERM));
    EXPECT_TRUE(wait_until_done(std::chrono::seconds(20)));
  }
  return read_json(report_file_);
}

}  // namespace gatehouse::test
