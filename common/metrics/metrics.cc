#include "common/metrics/metrics.h"

#include <algorithm>
#include <span>

#include "common/json_fields.h"
#include "common/metrics/exposition.h"

namespace gatehouse::metrics {
namespace {

using enum Kind;

// A number of a row, and the family that it is a sample of.
struct Column {
  const char* field;
  Family family;
  double scale = 1;  // from the status's unit to the base unit
};

// What names a row among its like.
struct RowLabel {
  const char* label;
  const char* field;
};

constexpr Column kVip[] = {
    {"packets", {"gatehouse_vip_packets_total", kCounter, "Packets of the VIP that were forwarded."}},
    {"bytes", {"gatehouse_vip_bytes_total", kCounter, "Bytes of IP of these packets."}},
    {"opened", {"gatehouse_vip_connections_opened_total", kCounter, "TCP SYNs among these packets."}},
    {"icmp_errors",
     {"gatehouse_vip_icmp_errors_total", kCounter,
      "ICMP errors about connections of the VIP that were forwarded."}},
};
constexpr Column kL4Node[] = {
    {"packets",
     {"gatehouse_node_packets_total", kCounter,
      "Packets that were sent to the node as the owner of their slot."}},
    {"bytes", {"gatehouse_node_bytes_total", kCounter, "Bytes of IP of these packets."}},
    {"opened", {"gatehouse_node_connections_opened_total", kCounter, "TCP SYNs among these packets."}},
    {"share", {"gatehouse_node_share_ratio", kGauge, "Share of the slots of all rings that the node owns."}},
    {"weight", {"gatehouse_node_weight", kGauge, "Weight of the node in the config."}},
    {"weight_now", {"gatehouse_node_weight_now", kGauge, "Weight of the node after load feedback."}},
    {"is_connected", {"gatehouse_node_is_connected", kGauge, "Whether the node's control link is up."}},
    {"is_probe_ok",
     {"gatehouse_node_is_probe_ok", kGauge, "Whether probes through the tunnel reach the node."}},
};
constexpr Column kNode[] = {
    {"connections", {"gatehouse_node_connections", kGauge, "Client connections that are open on the node."}},
    {"cpu_use",
     {"gatehouse_node_cpu_ratio", kGauge,
      "Share of the CPU time that the node's workers could use and did."}},
};
constexpr Column kRing[] = {
    {"epoch", {"gatehouse_ring_epoch", kGauge, "Number of the last membership generation."}},
    {"slots", {"gatehouse_ring_slots", kGauge, "Slots of a ring."}},
    {"rings", {"gatehouse_rings", kGauge, "Different rings: VIPs with the same nodes share one."}},
    {"generations",
     {"gatehouse_ring_generations", kGauge, "Membership generations that hop lists remember."}},
    {"last_change_us",
     {"gatehouse_ring_last_change_seconds", kGauge, "How long the last change took to reach the data path."},
     1e-6},
};
constexpr Column kList[] = {
    {"rules", {"gatehouse_prefix_list_rules", kGauge, "Prefixes of the list."}},
};
constexpr Column kService[] = {
    {"flows", {"gatehouse_service_flows", kGauge, "Flows of the service that are remembered."}},
};
constexpr Column kServer[] = {
    {"packets", {"gatehouse_server_packets_total", kCounter, "Packets that were sent to the server."}},
    {"bytes", {"gatehouse_server_bytes_total", kCounter, "Bytes of IP of these packets."}},
    {"flows", {"gatehouse_server_flows", kGauge, "Flows of the server that are remembered."}},
    {"share", {"gatehouse_server_share_ratio", kGauge, "Share of the service's new flows."}},
    {"is_check_ok", {"gatehouse_server_is_check_ok", kGauge, "Whether the server's checks succeed."}},
};
constexpr Column kWorker[] = {
    {"connections", {"gatehouse_worker_connections", kGauge, "Client connections that are open."}},
    {"paused_listeners",
     {"gatehouse_worker_paused_listeners", kGauge, "Listeners that accept nothing for want of room."}},
    {"accepted", {"gatehouse_worker_connections_total", kCounter, "Client connections that were accepted."}},
    {"requests", {"gatehouse_worker_requests_total", kCounter, "Requests that were taken."}},
    {"responses_5xx",
     {"gatehouse_worker_responses_5xx_total", kCounter, "Responses with a status of 500 and above."}},
    {"handshakes",
     {"gatehouse_worker_handshakes_total", kCounter, "TLS handshakes with clients that succeeded."}},
    {"resumed",
     {"gatehouse_worker_handshakes_resumed_total", kCounter, "Resumptions among these handshakes."}},
    {"handshakes_failed",
     {"gatehouse_worker_handshakes_failed_total", kCounter, "TLS handshakes with clients that failed."}},
    {"restarts",
     {"gatehouse_worker_restarts_total", kCounter, "How often the supervisor replaced the worker."}},
};
constexpr Column kAnnouncement[] = {
    {"is_announced",
     {"gatehouse_address_is_announced", kGauge,
      "Whether this host has routers send it packets to the address."}},
    {"healthy",
     {"gatehouse_address_healthy", kGauge, "Nodes or servers of the address's best VIP that answer probes."}},
    {"members", {"gatehouse_address_members", kGauge, "How many of these there are."}},
};
constexpr Column kBackend[] = {
    {"requests", {"gatehouse_backend_requests_total", kCounter, "Requests that were sent to the backend."}},
    {"failures",
     {"gatehouse_backend_failures_total", kCounter,
      "Of these: no connection, no answer, or one of 500 and above."}},
    {"in_flight",
     {"gatehouse_backend_requests_in_flight", kGauge, "Requests that wait for the end of their answer."}},
    {"is_healthy", {"gatehouse_backend_is_healthy", kGauge, "Whether the backend's health checks succeed."}},
    {"is_ejected",
     {"gatehouse_backend_is_ejected", kGauge,
      "Whether its failures keep requests away from it for a while."}},
    {"weight", {"gatehouse_backend_weight", kGauge, "Its weight, as it holds now."}},
};
constexpr Column kPool[] = {
    {"queued", {"gatehouse_pool_requests_queued", kGauge, "Requests that wait in front of the pool."}},
    {"asking", {"gatehouse_pool_requests_asking", kGauge, "Requests that count for the adaptive limit: they have no head of an answer yet."}},
    {"limit_now", {"gatehouse_pool_adaptive_limit", kGauge, "How many of these there may be now."}},
    {"shortest_ms", {"gatehouse_pool_shortest_wait_seconds", kGauge, "What the pool takes for an answer when none waits for another."}, 1e-3},
};
constexpr Column kDiscovery[] = {
    {"is_ok", {"gatehouse_discovery_is_ok", kGauge, "Whether the pool's source of backends says what they are."}},
    {"backends", {"gatehouse_discovery_backends", kGauge, "Backends that it found, as they are used now."}},
    {"age_ms", {"gatehouse_discovery_age_seconds", kGauge, "Age of its last answer that could be used."}, 1e-3},
    {"answers", {"gatehouse_discovery_answers_total", kCounter, "Such answers."}},
    {"failures", {"gatehouse_discovery_failures_total", kCounter, "Looks that came to nothing: the last backends stayed."}},
    {"changes", {"gatehouse_discovery_changes_total", kCounter, "Answers that changed the pool."}},
    {"returned",
     {"gatehouse_discovery_returned_total", kCounter, "Backends that left and were back within ten minutes."}},
};
constexpr RowLabel kBackendNames[] = {{"backend", "address"}, {"state", "state"}};
constexpr Column kArm[] = {
    {"requests",
     {"gatehouse_route_requests_total", kCounter, "Requests of the route that went to the pool."}},
    {"share",
     {"gatehouse_route_share_ratio", kGauge, "Share of the route's requests that the pool gets now."}},
};
constexpr Column kCertificate[] = {
    {"days_left",
     {"gatehouse_certificate_remaining_seconds", kGauge,
      "How long the certificate is valid for, in whole days."},
     86'400},
};

// Counts of rarer events, whose names are part of the status: one family with the name as a label.
constexpr Family kPackets{"gatehouse_packets_total", kCounter, "Packets, by what became of them."};
constexpr Family kServiceEvents{"gatehouse_service_events_total", kCounter,
                                "What happened to packets of the service."};
constexpr Family kWorkerEvents{"gatehouse_worker_events_total", kCounter,
                               "Rarer events in the worker, by their names in gatehouse status."};
constexpr Family kHandshakeFailures{"gatehouse_handshake_failures_total", kCounter,
                                    "TLS handshakes with clients that failed, by reason."};
constexpr Family kRouteDurations{
    "gatehouse_route_duration_seconds", kHistogram,
    "From the first byte of a request of the route to the last of its response."};
constexpr Family kPoolDurations{"gatehouse_pool_duration_seconds", kHistogram,
                                "The same of the requests of the pool."};
constexpr Family kNodeState{"gatehouse_node_state", kGauge, "1 for the state that the node is in."};
constexpr Family kBackendState{"gatehouse_backend_state", kGauge,
                               "1 for the state that was set at run time."};
constexpr Family kBackendEjections{"gatehouse_backend_ejections_total", kCounter, "How often that happened, by reason."};
constexpr Family kBuild{"gatehouse_build_info", kGauge, "Version of the daemon, and what it runs as."};
constexpr Family kConfig{"gatehouse_config_info", kGauge,
                         "Digest of the config in use: equal on hosts that run the same one."};

void add_value(Exposition& out, const Column& column, const Labels& labels, const Json& value) {
  if (value.is_boolean()) return out.add(column.family, labels, std::uint64_t{value.get<bool>()});
  if (value.is_number_integer() && column.scale == 1)
    return out.add(column.family, labels, value.get<std::uint64_t>());
  if (value.is_number()) out.add(column.family, labels, value.get<double>() * column.scale);
}

void add_row(Exposition& out, std::span<const Column> columns, const Labels& labels, const Json& row) {
  for (const Column& column : columns) {
    const auto value = row.find(column.field);
    if (value != row.end()) add_value(out, column, labels, *value);
  }
}

Labels labels_of(Labels labels, std::span<const RowLabel> names, const Json& row) {
  for (const RowLabel& name : names) labels.emplace_back(name.label, text_of(member(row, name.field)));
  return labels;
}

void add_rows(Exposition& out, std::span<const Column> columns, const Labels& fixed,
              std::initializer_list<RowLabel> names, const Json& rows) {
  for (const Json& row : rows)
    add_row(out, columns, labels_of(fixed, std::span(names.begin(), names.size()), row), row);
}

// Every number of the row that is none of its columns'.
void add_events(Exposition& out, const Family& family, std::span<const Column> columns, const Labels& labels,
                const Json& row, std::initializer_list<std::string_view> others) {
  for (const auto& [name, value] : row.items()) {
    const auto is_name = [&](const Column& column) { return column.field == name; };
    if (!value.is_number_integer() || std::any_of(columns.begin(), columns.end(), is_name)) continue;
    if (std::find(others.begin(), others.end(), name) != others.end()) continue;
    Labels all = labels;
    all.emplace_back("event", name);
    out.add(family, all, value.get<std::uint64_t>());
  }
}

void add_named(Exposition& out, const Family& family, const char* label, const Json& status,
               const char* field, const Labels& labels = {}) {
  const auto counts = status.find(field);
  if (counts == status.end()) return;
  for (const auto& [name, count] : counts->items()) {
    Labels named = labels;
    named.emplace_back(label, name);
    if (count.is_number_integer()) out.add(family, named, count.get<std::uint64_t>());
  }
}

void add_latency(Exposition& out, const Json& row) {
  const std::string kind = text_of(member(row, "kind"));
  std::vector<Exposition::Bucket> buckets;
  for (const Json& bucket : list_member(row, "buckets"))
    buckets.push_back({bucket[0].get<double>() / 1e6, bucket[1].get<std::uint64_t>()});
  out.add(kind == "route" ? kRouteDurations : kPoolDurations, {{kind, text_of(member(row, "name"))}}, buckets,
          row.value("requests", std::uint64_t{0}), row.value("sum_us", 0.0) / 1e6);
}

void add_l4(Exposition& out, const Json& status) {
  add_rows(out, kVip, {}, {{"vip", "name"}}, list_member(status, "vips"));
  if (const auto ring = status.find("ring"); ring != status.end()) add_row(out, kRing, {}, *ring);
  add_rows(out, kL4Node, {}, {{"node", "name"}}, list_member(status, "nodes"));
  add_rows(out, kAnnouncement, {}, {{"address", "address"}}, list_member(status, "announcements"));
  add_rows(out, kList, {}, {{"list", "name"}, {"action", "action"}}, list_member(status, "prefix_lists"));
  for (const Json& service : list_member(status, "services")) {
    const Labels labels = {{"service", text_of(member(service, "name"))}};
    add_row(out, kService, labels, service);
    add_events(out, kServiceEvents, kService, labels, service, {});
    add_rows(out, kServer, labels, {{"server", "name"}}, list_member(service, "servers"));
  }
}

void add_l7(Exposition& out, const Json& status) {
  for (const Json& node : list_member(status, "nodes")) {
    for (const Json& worker : list_member(node, "workers")) {
      const Labels labels = {{"worker", text_of(member(worker, "index"))}};
      add_row(out, kWorker, labels, worker);
      add_events(out, kWorkerEvents, kWorker, labels, worker, {"index", "pid"});
    }
    add_rows(out, kCertificate, {}, {{"listener", "listener"}, {"file", "file"}, {"name", "name"}},
             list_member(node, "certificates"));
  }
  for (const Json& route : list_member(status, "routes"))
    add_rows(out, kArm, {{"route", text_of(member(route, "name"))}}, {{"pool", "name"}}, list_member(route, "pools"));
  for (const Json& pool : list_member(status, "pools")) {
    const Labels labels = {{"pool", text_of(member(pool, "name"))}};
    add_row(out, kPool, labels, pool);
    add_row(out, kDiscovery, labels, member(pool, "discovery"));
    add_rows(out, kBackend, labels, {{"backend", "address"}}, list_member(pool, "backends"));
    for (const Json& backend : list_member(pool, "backends")) {
      out.add(kBackendState, labels_of(labels, kBackendNames, backend), std::uint64_t{1});
      Labels of_backend = labels;
      of_backend.emplace_back("backend", text_of(member(backend, "address")));
      add_named(out, kBackendEjections, "reason", backend, "ejected_for", of_backend);
    }
  }
  for (const Json& row : list_member(status, "latencies")) add_latency(out, row);
  add_named(out, kHandshakeFailures, "reason", status, "handshake_failures");
}

}  // namespace

std::string metrics_of(const Json& status) {
  Exposition out;
  const std::string tier = text_of(member(status, "tier"));
  out.add(kBuild,
          {{"tier", tier}, {"host", text_of(member(status, "host"))}, {"version", text_of(member(status, "version"))}},
          std::uint64_t{1});
  out.add(kConfig, {{"digest", text_of(member(status, "config_digest"))}}, std::uint64_t{1});
  add_named(out, kPackets, "verdict", status, "verdicts");
  add_rows(out, kNode, {}, {{"node", "name"}}, list_member(status, "nodes"));
  for (const Json& node : list_member(status, "nodes"))
    out.add(kNodeState, {{"node", text_of(member(node, "name"))}, {"state", text_of(member(node, "state"))}},
            std::uint64_t{1});
  if (tier == "l4") add_l4(out, status);
  if (tier == "l7") add_l7(out, status);
  return out.text();
}

}  // namespace gatehouse::metrics
