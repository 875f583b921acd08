#include "common/json_fields.h"
#include "tests/integration/one_host.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/check.h"
#include "tests/integration/site.h"

namespace gatehouse::test {
namespace {

namespace fs = std::filesystem;

std::string text_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(stream)), {});
}

}  // namespace

OneHost::OneHost() {
  static int count = 0;
  const int number = getpid() * 8 + count++ % 8;
  address_ = "127." + std::to_string(64 + (number >> 16) % 64) + "." + std::to_string((number >> 8) % 256) +
             "." + std::to_string(number % 256);
  folder_ = fs::temp_directory_path().string() + "/gatehouse-host-" + std::to_string(number);
  fs::remove_all(folder_);
  fs::create_directories(folder_);
  chmod(folder_.c_str(), 0711);
}

OneHost::~OneHost() {
  for (const Json& node : status().value("nodes", Json::array())) {
    for (const Json& worker : node.value("workers", Json::array())) {
      const auto process = lab::ProcessId::of(worker.value("pid", 0));
      if (process) others_.push_back(*process);
    }
  }
  if (supervisor_.pid && supervisor_.is_alive()) lab::kill_and_wait(supervisor_);
  for (const lab::ProcessId& process : others_) {
    if (process.is_alive()) lab::kill_and_wait(process);
  }
  fs::remove_all(folder_);
}

void OneHost::write(const std::string& name, const std::string& text, int mode) const {
  const std::string temporary = file(name + ".new");
  std::ofstream(temporary, std::ios::binary) << text;
  chmod(temporary.c_str(), static_cast<mode_t>(mode));
  fs::rename(temporary, file(name));
}

void OneHost::start(const lab::Arguments& prefix) {
  lab::Arguments argv = prefix;
  const lab::Arguments daemon = {binary("gatehouse-l7"), "--config", file("site.toml"), "--state-dir", file("state")};
  argv.insert(argv.end(), daemon.begin(), daemon.end());
  const auto started = lab::start({}, argv, file("gatehouse.log"));
  GH_CHECK(started.has_value());
  supervisor_ = *started;
}

void OneHost::kill_supervisor() { lab::kill_and_wait(supervisor_); }

void OneHost::stop() {
  kill(supervisor_.pid, SIGTERM);
  lab::wait_until([this] { return !supervisor_.is_alive(); }, std::chrono::seconds(60));
}

lab::ProcessId OneHost::start_process(const lab::Arguments& argv, const std::string& name) {
  const auto started = lab::start({}, argv, file(name + ".log"));
  GH_CHECK(started.has_value());
  others_.push_back(*started);
  return *started;
}

lab::ProcessId OneHost::start_backend(int port) {
  const std::string name = "backend-" + std::to_string(port);
  return start_process(
      {binary("gatehouse-backend"), "--listen", address_ + ":" + std::to_string(port), "--name", name}, name);
}

lab::Output OneHost::cli(const lab::Arguments& arguments) const {
  lab::Arguments argv = {binary("gatehouse"), "--socket", file("state/control.sock")};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return lab::run({}, argv);
}

Json OneHost::status() const {
  const Json answer = parse_json(cli({"status", "--json"}).text);
  return answer.is_object() ? answer : Json(Json::value_t::object);
}

bool OneHost::wait_until_serving() const {
  return lab::wait_until([this] { return s_client({}).text.find("BEGIN CERTIFICATE") != std::string::npos; },
                         std::chrono::seconds(30), std::chrono::milliseconds(50));
}

std::vector<Json> OneHost::access_log() const {
  std::vector<Json> lines;
  std::ifstream stream(file("access.log"));
  for (std::string line; std::getline(stream, line);) lines.push_back(parse_json(line));
  return lines;
}

std::string OneHost::log(const std::string& name) const { return text_of(file(name + ".log")); }

lab::Output OneHost::curl(const std::string& name, const std::string& path,
                          const lab::Arguments& arguments) const {
  lab::Arguments argv = {"curl",
                         "-sS",
                         "--max-time",
                         "20",
                         "--cacert",
                         file("ca.pem"),
                         "--resolve",
                         name + ":8443:" + address_,
                         "https://" + name + ":8443" + path};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return lab::run({}, argv);
}

lab::Output OneHost::s_client(const lab::Arguments& arguments, const std::string& request) const {
  lab::Arguments argv = {"timeout",          "20",      "openssl",     "s_client", "-connect",
                         address_ + ":8443", "-CAfile", file("ca.pem")};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  if (!request.empty()) argv.push_back("-ign_eof");
  return lab::run({}, argv, request);
}

}  // namespace gatehouse::test
