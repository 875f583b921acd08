#include "common/json_fields.h"
#include "tests/integration/site.h"

#include <strings.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace gatehouse::test {

namespace fs = std::filesystem;

namespace {

std::string read_file(const std::string& file) {
  std::ifstream stream(file);
  return std::string((std::istreambuf_iterator<char>(stream)), {});
}

struct BackendPlace {
  const char* host;
  const char* address;
  int port;
};

// What config/quickstart.toml names.
constexpr BackendPlace kBackends[] = {{"b1", "203.0.113.129", 9001},   {"b2", "203.0.113.131", 9001},
                                      {"b2", "203.0.113.131", 9002},   {"b1", "203.0.113.129", 9003},
                                      {"b2", "203.0.113.131", 9003},   {"b1", "2001:db8:113::81", 9004},
                                      {"b2", "2001:db8:113::83", 9004}};

}  // namespace

std::string quickstart_config() { return read_file(GATEHOUSE_SOURCE_DIR "/config/quickstart.toml"); }

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t place = text.find(from);
  GH_CHECK(place != text.npos);
  return text.replace(place, from.size(), to);
}

std::string binary(const std::string& name) { return std::string(GATEHOUSE_BINARY_DIR "/") + name; }

Result<std::unique_ptr<Site>> Site::raise(const std::string& config) {
  auto topology = lab::load_topology(GATEHOUSE_SOURCE_DIR "/tests/lab/site.toml");
  if (!topology) return topology.error();
  auto lab = lab::Lab::up(std::move(*topology));
  if (!lab) return lab.error();
  std::unique_ptr<Site> site(new Site(std::move(*lab)));
  site->write_config(config);
  return site;
}

Result<std::unique_ptr<Site>> Site::up(const std::string& config) {
  auto raised = raise(config);
  if (!raised) return raised;
  std::unique_ptr<Site> site = std::move(*raised);
  if (Status status = site->start_all(); !status) return status.error();
  if (!site->wait_until_ready()) {
    return Error{"the site did not get ready: " + site->why_not_ready_ + "\nl4a: " + site->log("l4a") +
                 "\nn1: " + site->log("n1")};
  }
  return site;
}

Status Site::start_backends() {
  for (const BackendPlace& backend : kBackends) {
    if (Status status = start_backend(backend.host, backend.address, backend.port); !status) return status;
  }
  return {};
}

Status Site::start_all() {
  if (Status status = start_backends(); !status) return status;
  for (const lab::Host* host : lab_->topology().with_role(lab::Role::kL4)) {
    if (Status status = start_l4(host->name); !status) return status;
  }
  for (const lab::Host* host : lab_->topology().with_role(lab::Role::kNode)) {
    if (Status status = start_node(host->name); !status) return status;
  }
  return {};
}

Status Site::start_l4(const std::string& host) {
  const bool is_dpdk = read_file(config_file(host)).find("\ndpdk = [") != std::string::npos;
  return lab_->start(host, host,
                     {binary(is_dpdk ? "gatehouse-l4-dpdk" : "gatehouse-l4"), "--config", config_file(host), "--host", host, "--state-dir",
                      lab_->host_folder(host) + "/state", "--bpf-dir", lab_->bpf_folder(host)});
}

Status Site::start_node(const std::string& node) {
  return lab_->start(node, node,
                     {binary("gatehouse-l7"), "--config", config_file(node), "--node", node, "--state-dir",
                      lab_->host_folder(node) + "/state", "--bpf-dir", lab_->bpf_folder(node)});
}

Status Site::start_backend(const std::string& host, const std::string& address, int port) {
  const std::string name = host + "-" + std::to_string(port);
  const Endpoint endpoint{*IpAddress::parse(address), static_cast<std::uint16_t>(port)};
  return lab_->start(host, name,
                     {binary("gatehouse-backend"), "--listen", to_string(endpoint), "--name", name});
}

bool Site::is_ready() {
  const auto nodes = lab_->topology().with_role(lab::Role::kNode);
  for (const lab::Host* host : lab_->topology().with_role(lab::Role::kL4)) {
    if (!is_l4_host_ready(host->name, nodes.size())) return false;
  }
  for (const lab::Host* node : nodes) {
    if (!are_backends_healthy(node->name)) return false;
  }
  return true;
}

bool Site::is_l4_host_ready(const std::string& host, std::size_t nodes) {
  const Json report = status(host);
  why_not_ready_ = host + " says " + report.dump();
  if (!report.is_object() || !report.contains("nodes") || report["nodes"].size() != nodes) return false;
  for (const Json& node : report["nodes"]) {
    if (node.value("state", "") != "active" || !node.value("is_connected", false)) return false;
    if (node.value("share", 0.0) <= 0) return false;
  }
  return true;
}

bool Site::are_backends_healthy(const std::string& node) {
  const Json report = status(node);
  why_not_ready_ = node + " says " + report.dump();
  if (!report.is_object() || !report.contains("pools")) return false;
  for (const Json& pool : report["pools"]) {
    for (const Json& backend : pool["backends"]) {
      if (!backend.value("is_healthy", false)) return false;
    }
  }
  return true;
}

bool Site::wait_until_ready(std::chrono::seconds limit) {
  return lab::wait_until([this] { return is_ready(); }, limit, std::chrono::milliseconds(50));
}

std::string Site::config_file(const std::string& host) const {
  return lab_->host_folder(host) + "/site.toml";
}

void Site::write_config(const std::string& text, const std::string& host) {
  for (const lab::Host& each : lab_->topology().hosts) {
    if (each.role != lab::Role::kL4 && each.role != lab::Role::kNode) continue;
    if (!host.empty() && each.name != host) continue;
    std::ofstream(config_file(each.name)) << text;
  }
}

lab::Output Site::cli(const std::string& host, const lab::Arguments& arguments) const {
  lab::Arguments argv = {binary("gatehouse"), "--socket", lab_->host_folder(host) + "/state/control.sock"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return lab_->run(host, argv);
}

Json Site::status(const std::string& host) const {
  const lab::Output output = cli(host, {"status", "--json"});
  Json report = parse_json(output.text);
  return output.exit_code == 0 && !report.is_discarded() ? report : Json();
}

Json Site::node(const std::string& host, const std::string& name) const {
  const Json report = status(host);
  if (!report.is_object()) return Json::object();
  for (const Json& node : report.value("nodes", Json::array())) {
    if (node.value("name", "") == name) return node;
  }
  return Json::object();
}

std::vector<Json> Site::workers(const std::string& name) const {
  std::vector<Json> result;
  for (const Json& worker : node(name, name).value("workers", Json::array())) result.push_back(worker);
  return result;
}

std::vector<Json> Site::access_log(const std::string& node) const {
  std::vector<Json> lines;
  std::ifstream stream(lab_->host_folder(node) + "/access.log");
  for (std::string line; std::getline(stream, line);) {
    Json parsed = parse_json(line);
    if (!parsed.is_discarded()) lines.push_back(std::move(parsed));
  }
  return lines;
}

std::string Site::log(const std::string& process) const { return read_file(lab_->log_file(process)); }

lab::Output Site::curl(const lab::Arguments& arguments, bool is_v6) const {
  lab::Arguments argv = {"curl", "-sS", "--max-time", "30", "--cacert", lab_->ca_file()};
  for (const char* name : {"shop.example", "www.shop.example", "blog.example", "unknown.example"}) {
    for (const char* port : {"443", "80"}) {
      argv.push_back("--resolve");
      argv.push_back(std::string(name) + ":" + port + ":" + (is_v6 ? "[2001:db8:100::10]" : "198.51.100.10"));
    }
  }
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return lab_->run("client", argv);
}

std::string field_of(const std::string& head, const std::string& name) {
  for (std::size_t at = 0; (at = head.find("\r\n", at)) != head.npos;) {
    at += 2;
    if (strncasecmp(head.data() + at, name.data(), name.size()) != 0) continue;
    if (head.compare(at + name.size(), 2, ": ") != 0) continue;
    const std::size_t begin = at + name.size() + 2;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
  return {};
}

std::string node_of(const std::string& head) {
  const std::string via = field_of(head, "Via");
  return via.size() > 4 ? via.substr(4, 2) : "";
}

}  // namespace gatehouse::test
