#include "common/control/messages.h"

#include <charconv>

#include "common/control/field_reader.h"

namespace gatehouse::control {
namespace {

using Json = nlohmann::json;

Result<WorkerReport> worker_from_json(const Json& json) {
  WorkerReport worker;
  FieldReader reader(json, "worker");
  reader.number("index", worker.index);
  reader.number("pid", worker.pid);
  reader.number("restarts", worker.restarts);
  reader.number("connections", worker.connections);
  reader.number("accepted", worker.accepted);
  reader.number("requests", worker.requests);
  reader.number("responses_5xx", worker.responses_5xx);
  reader.counts("counts", worker.counts);
  reader.number("handshakes", worker.handshakes);
  reader.number("resumed", worker.resumed);
  reader.number("handshakes_failed", worker.handshakes_failed);
  if (json.contains("state")) {
    reader.text("state", worker.state);
    reader.text("version", worker.version);
  }
  return reader.finish(worker);
}

Result<BackendReport> backend_from_json(const Json& json) {
  BackendReport backend;
  FieldReader reader(json, "backend");
  reader.text("pool", backend.pool);
  reader.parsed("address", backend.address, "address:port", [](const std::string& text) { return Endpoint::parse(text); });
  reader.flag("is_healthy", backend.is_healthy);
  reader.text("reason", backend.reason);
  reader.number("requests", backend.requests);
  reader.number("failures", backend.failures);
  reader.number("in_flight", backend.in_flight);
  if (json.contains("ejections")) {  // earlier versions do not send it
    reader.number("ejections", backend.ejections);
    reader.flag("is_ejected", backend.is_ejected);
  }
  if (json.contains("state")) {
    reader.number("weight", backend.weight);
    reader.text("state", backend.state);
    reader.flag("is_backup", backend.is_backup);
  }
  if (json.contains("zone")) {
    reader.text("zone", backend.zone);
    reader.counts("ejected_for", backend.ejected_for);
  }
  return reader.finish(backend);
}

Result<CertificateReport> certificate_from_json(const Json& json) {
  CertificateReport certificate;
  FieldReader reader(json, "certificate");
  reader.text("listener", certificate.listener);
  reader.text("file", certificate.file);
  reader.text("name", certificate.name);
  reader.number("days_left", certificate.days_left);
  return reader.finish(certificate);
}

Json to_json(const BackendReport& backend) {
  return {{"pool", backend.pool},         {"address", to_string(backend.address)}, {"is_healthy", backend.is_healthy},
          {"reason", backend.reason},     {"requests", backend.requests},          {"failures", backend.failures},
          {"in_flight", backend.in_flight}, {"is_ejected", backend.is_ejected},    {"ejections", backend.ejections},
          {"weight", backend.weight},     {"state", backend.state},                {"is_backup", backend.is_backup},
          {"zone", backend.zone},         {"ejected_for", backend.ejected_for}};
}

}  // namespace

Status check_protocol(int version) {
  if (version >= kProtocolVersion - 1 && version <= kProtocolVersion + 1) return {};
  return Error{"it speaks version " + std::to_string(version) + " of the control protocol, this host version " + std::to_string(kProtocolVersion) +
               ", and one back or forward: " + (version < kProtocolVersion ? "upgrade that host" : "upgrade this host") + " first"};
}

Json to_json(const WorkerReport& worker) {
  return {{"index", worker.index},
          {"pid", worker.pid},
          {"restarts", worker.restarts},
          {"connections", worker.connections},
          {"accepted", worker.accepted},
          {"requests", worker.requests},
          {"responses_5xx", worker.responses_5xx},
          {"counts", worker.counts},
          {"handshakes", worker.handshakes},
          {"resumed", worker.resumed},
          {"handshakes_failed", worker.handshakes_failed},
          {"state", worker.state},
          {"version", worker.version}};
}

// In a status every count stands beside the others.
Json status_of(const WorkerReport& worker) {
  Json json = to_json(worker);
  json.erase("counts");
  for (const auto& [name, count] : worker.counts) json[name] = count;
  return json;
}

Json to_json(const CertificateReport& certificate) {
  return {{"listener", certificate.listener},
          {"file", certificate.file},
          {"name", certificate.name},
          {"days_left", certificate.days_left}};
}

Json to_json(const Hello& hello) {
  Json json = {{"protocol", hello.protocol}, {"node", hello.node},       {"name", hello.name},
               {"address", to_string(hello.address)}, {"version", hello.version}, {"config_digest", hello.config_digest},
               {"workers", hello.workers}};
  if (hello.versions) json["versions"] = to_json(*hello.versions);
  return json;
}

Json to_json(const HostHello& hello) {
  return {{"protocol", hello.protocol}, {"name", hello.name}, {"version", hello.version}, {"versions", to_json(hello.versions)}};
}

Json to_json(const NodeReport& report) {
  Json workers = Json::array(), backends = Json::array(), certificates = Json::array();
  for (const WorkerReport& worker : report.workers) workers.push_back(to_json(worker));
  for (const BackendReport& backend : report.backends) backends.push_back(to_json(backend));
  for (const CertificateReport& certificate : report.certificates) certificates.push_back(to_json(certificate));
  Json json = {{"node", report.node},
          {"is_draining", report.is_draining},
          {"config_digest", report.config_digest},
          {"connections", report.connections},
          {"workers", std::move(workers)},
          {"backends", std::move(backends)},
          {"certificates", std::move(certificates)}};
  if (report.cpu_use) json["cpu_use"] = *report.cpu_use;
  if (report.versions) json["versions"] = to_json(*report.versions);
  return json;
}

Json to_json(const Weights& weights) {
  Json factors = Json::object();
  for (const auto& [node, factor] : weights.factors) factors[std::to_string(node)] = factor;
  return {{"from", weights.from}, {"version", weights.version}, {"factors", std::move(factors)}};
}

Result<Hello> hello_from_json(const Json& json) {
  Hello hello;
  FieldReader reader(json, "hello");
  reader.number("protocol", hello.protocol);
  reader.number("node", hello.node);
  reader.text("name", hello.name);
  reader.parsed("address", hello.address, "an IP address", [](const std::string& text) { return IpAddress::parse(text); });
  reader.text("version", hello.version);
  reader.number("config_digest", hello.config_digest);
  reader.number("workers", hello.workers);
  reader.optional("versions", hello.versions, versions::version_state_from_json);
  return reader.finish(hello);
}

Result<HostHello> host_hello_from_json(const Json& json) {
  HostHello hello;
  FieldReader reader(json, "hello");
  reader.number("protocol", hello.protocol);
  reader.text("name", hello.name);
  reader.text("version", hello.version);
  reader.object("versions", hello.versions, "where the host stands", versions::version_state_from_json);
  return reader.finish(hello);
}

Result<NodeReport> node_report_from_json(const Json& json) {
  NodeReport report;
  FieldReader reader(json, "health");
  reader.number("node", report.node);
  reader.flag("is_draining", report.is_draining);
  reader.number("config_digest", report.config_digest);
  reader.number("connections", report.connections);
  if (json.contains("cpu_use")) reader.number("cpu_use", report.cpu_use.emplace());
  reader.list("workers", report.workers, worker_from_json);
  reader.list("backends", report.backends, backend_from_json);
  reader.list("certificates", report.certificates, certificate_from_json);
  reader.optional("versions", report.versions, versions::version_state_from_json);
  return reader.finish(std::move(report));
}

Result<Weights> weights_from_json(const Json& json) {
  constexpr const char* kExpected = "weights.factors: expected thousandths from 1 to 1000000 by node id";
  Weights weights;
  FieldReader reader(json, "weights");
  reader.text("from", weights.from);
  reader.number("version", weights.version);
  if (const Status read = reader.finish(); !read) return read.error();
  const auto factors = json.find("factors");
  if (factors == json.end() || !factors->is_object()) return Error{kExpected};
  for (const auto& [name, factor] : factors->items()) {
    std::uint16_t node = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), node);
    const bool is_node = error == std::errc() && end == name.data() + name.size() && node != 0;
    const bool is_factor = factor.is_number_unsigned() && factor.get<std::uint64_t>() >= 1 && factor.get<std::uint64_t>() <= 1'000'000;
    if (!is_node || !is_factor) return Error{kExpected};
    weights.factors[node] = factor.get<std::uint32_t>();
  }
  return weights;
}

}  // namespace gatehouse::control
