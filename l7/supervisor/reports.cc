// What the supervisor says of its node: to L4 hosts, to people, to whoever reads metrics.
#include "common/events.h"
#include "l7/supervisor/node_status.h"
#include "l7/supervisor/pool_load.h"
#include "l7/supervisor/supervisor.h"

namespace gatehouse::l7 {

using control::Json;

control::Hello Supervisor::hello() const {
  control::Hello hello;
  hello.node = node_.id;
  hello.name = node_.name;
  hello.address = node_.address;
  hello.version = GATEHOUSE_VERSION;
  hello.config_digest = config_.digest;
  hello.workers = workers_ ? workers_->count() : 0;
  hello.versions = versions_->state();
  return hello;
}

control::NodeReport Supervisor::report() const {
  control::NodeReport report;
  report.node = node_.id;
  report.is_draining = is_draining_;
  report.config_digest = config_.digest;
  report.versions = versions_->state();
  if (!workers_) return report;
  for (std::uint32_t index = 0; index < kMaxWorkers; ++index) {
    const WorkerCell& cell = board_->worker(index);
    if (!workers_->is_used(index)) continue;
    control::WorkerReport worker;
    worker.index = index;
    worker.pid = cell.pid.load();
    const WorkerProcesses::Standing standing = workers_->standing(index);
    worker.state = standing.state;
    worker.version = standing.version;
    worker.restarts = cell.restarts.load();
    worker.connections = cell.connections.load();
    worker.accepted = cell.accepted.load();
    worker.requests = cell.requests.load();
    worker.responses_5xx = cell.responses_5xx.load();
    for (const WorkerCount& count : kWorkerCounts) worker.counts[count.name] = (cell.*count.place).load();
    for (std::size_t i = 0; i < kH2Offences; ++i) {
      const std::uint64_t ended = cell.h2_offences[i].load();
      if (ended > 0) worker.counts["h2_" + std::string(name_of(static_cast<H2Offence>(i)))] = ended;
    }
    for (std::size_t i = 0; i < kConnectionEnds; ++i) {
      worker.counts["backend_connections_" + std::string(name_of(static_cast<ConnectionEnd>(i)))] = cell.connection_ends[i].load();
    }
    worker.handshakes = cell.handshakes.done.load();
    worker.resumed = cell.handshakes.resumed.load();
    worker.handshakes_failed = cell.handshakes.all_failed();
    report.connections += worker.connections;
    report.workers.push_back(worker);
  }
  report.cpu_use = cpu_meter_.use();
  report.backends = prober_->report();
  report.certificates = tls_->report();
  return report;
}

// Workers eject; who looks once a second misses none, for they are counted.
void Supervisor::notice_ejections(const control::NodeReport& now) {
  std::map<std::string, std::uint64_t> counted;
  for (const control::BackendReport& backend : now.backends) {
    const std::string name = to_string(backend.address) + " of pool " + backend.pool;
    counted[name] = backend.ejections;
    const auto before = ejections_.find(name);
    if (before == ejections_.end() || backend.ejections <= before->second) continue;
    report_event("ejection", name, "gets nothing for a while", backend.is_ejected ? backend.reason : "and is back already");
  }
  ejections_ = std::move(counted);
}

Json Supervisor::counters() const {
  Json answer = node_status(config_, node_, report(), steering_ ? steering_->verdicts() : std::vector<Steering::Count>());
  add_pool_load(answer["pools"], config_, *board_);
  answer["routes"] = adjustments_->report(config_);
  answer["latencies"] = latencies_->counts();
  return answer;
}

Json Supervisor::status() const {
  Json answer = counters();
  answer["latencies"] = latencies_->report();
  answer["handshake_failures"] = handshake_failures();
  if (workers_) answer["workers"] = scale_report(scale_, workers_->serving().now);
  answer["began_ms"] = successor_.began_ms();
  if (Json identity = identity_.status(); !identity.is_null()) answer["identity"] = std::move(identity);
  answer["config_version"] = to_json(versions_->state());
  for (Json& pool : answer["pools"]) {
    if (Json found = discovery_->report(pool["name"].get<std::string>()); !found.is_null()) pool["discovery"] = std::move(found);
  }
  return answer;
}

Json Supervisor::handshake_failures() const {
  Json failures = Json::object();
  for (std::size_t reason = 0; reason < std::size(kHandshakeFailureNames); ++reason) {
    std::uint64_t sum = 0;
    for (std::uint32_t index = 0; index < kMaxWorkers; ++index) sum += board_->worker(index).handshakes.failed[reason].load();
    failures[kHandshakeFailureNames[reason]] = sum;
  }
  return failures;
}

}  // namespace gatehouse::l7
