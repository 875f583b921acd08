// Reports as text. The tables of a status are declared as columns; rows are JSON objects.
#include "common/cli/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <span>
#include <vector>

#include "common/address.h"
#include "common/json_fields.h"
#include "common/cli/text_table.h"

namespace gatehouse::cli {
namespace {

// kSeconds: of milliseconds. kRate, kByteRate: what the daemon says of the last second or two; not shown beside counters that are rates themselves.
enum class Kind { kText, kNumber, kCounter, kByteCounter, kRate, kByteRate, kShare, kFineShare, kTime, kSeconds, kYesNo, kHealth, kDigest };

struct Column {
  const char* heading;
  const char* key;
  Kind kind = Kind::kText;
  bool is_identity = false;  // the rows of two reports that have these in common are the same thing
};

constexpr Column kVipColumns[] = {{"VIP", "name", Kind::kText, true},
                                  {"ADDRESS", "address"},
                                  {"PROTOCOL", "protocol"},
                                  {"PACKETS", "packets", Kind::kCounter},
                                  {"PACKETS/S", "packets_per_second", Kind::kRate},
                                  {"BYTES", "bytes", Kind::kByteCounter},
                                  {"BYTES/S", "bytes_per_second", Kind::kByteRate}};
constexpr Column kHostColumns[] = {
    {"L4 HOST", "name", Kind::kText, true}, {"ADDRESS", "address"}, {"THIS HOST", "is_self", Kind::kYesNo}};
constexpr Column kInterfaceColumns[] = {{"INTERFACE", "name", Kind::kText, true}, {"XDP", "mode"}};
constexpr Column kNodeColumns[] = {{"NODE", "name", Kind::kText, true},
                                   {"ID", "id", Kind::kNumber},
                                   {"ADDRESS", "address"},
                                   {"STATE", "state"},
                                   {"SHARE", "share", Kind::kShare},
                                   {"WEIGHT", "weight", Kind::kNumber},
                                   {"NOW", "weight_now", Kind::kNumber},
                                   {"CPU", "cpu_use", Kind::kShare},
                                   {"CONNECTED", "is_connected", Kind::kYesNo},
                                   {"PROBE", "is_probe_ok", Kind::kHealth},
                                   {"PACKETS", "packets", Kind::kCounter},
                                   {"PACKETS/S", "packets_per_second", Kind::kRate},
                                   {"BYTES", "bytes", Kind::kByteCounter},
                                   {"CONNECTIONS", "connections", Kind::kNumber},
                                   {"CONFIG", "config_digest", Kind::kDigest},
                                   {"REASON", "reason"}};
constexpr Column kServiceColumns[] = {{"SERVICE", "name", Kind::kText, true},
                                      {"FLOWS", "flows", Kind::kNumber},
                                      {"REMEMBERED", "remembered", Kind::kCounter},
                                      {"CHOSEN", "chosen", Kind::kCounter},
                                      {"MOVED", "moved", Kind::kCounter},
                                      {"REPLACED", "replaced", Kind::kCounter},
                                      {"QUIC", "quic_routed", Kind::kCounter},
                                      {"QUIC FIRST", "quic_first", Kind::kCounter},
                                      {"QUIC UNKNOWN", "quic_unknown", Kind::kCounter}};
constexpr Column kServerColumns[] = {{"SERVICE", "service", Kind::kText, true},
                                     {"SERVER", "name", Kind::kText, true},
                                     {"ID", "id", Kind::kNumber},
                                     {"ADDRESS", "address"},
                                     {"STATE", "state"},
                                     {"SHARE", "share", Kind::kShare},
                                     {"WEIGHT", "weight", Kind::kNumber},
                                     {"CHECK", "is_check_ok", Kind::kHealth},
                                     {"FLOWS", "flows", Kind::kNumber},
                                     {"PACKETS", "packets", Kind::kCounter},
                                     {"PACKETS/S", "packets_per_second", Kind::kRate},
                                     {"BYTES", "bytes", Kind::kByteCounter},
                                     {"REASON", "reason"}};
constexpr Column kWorkerColumns[] = {{"NODE", "node", Kind::kText, true},
                                     {"WORKER", "index", Kind::kNumber, true},
                                     {"PID", "pid", Kind::kNumber},
                                     {"STATE", "state"},
                                     {"RESTARTS", "restarts", Kind::kNumber},
                                     {"CONNECTIONS", "connections", Kind::kNumber},
                                     {"ACCEPTED", "accepted", Kind::kCounter},
                                     {"REQUESTS", "requests", Kind::kCounter},
                                     {"REQUESTS/S", "requests_per_second", Kind::kRate},
                                     {"5XX", "responses_5xx", Kind::kCounter},
                                     {"RELAYS", "relays", Kind::kCounter},
                                     {"REFUSED", "refused", Kind::kCounter},
                                     {"PAUSED", "paused_listeners", Kind::kNumber},
                                     {"RETRIES", "retries", Kind::kCounter},
                                     {"OVER BUDGET", "retries_over_budget", Kind::kCounter},
                                     {"OVER LIMIT", "requests_over_limit", Kind::kCounter},
                                     {"QUEUED", "queued_requests", Kind::kCounter},
                                     {"HANDSHAKES", "handshakes", Kind::kCounter},
                                     {"RESUMED", "resumed", Kind::kCounter},
                                     {"FAILED", "handshakes_failed", Kind::kCounter}};
constexpr Column kCertificateColumns[] = {{"NODE", "node", Kind::kText, true},
                                          {"LISTENER", "listener", Kind::kText, true},
                                          {"CERTIFICATE", "file", Kind::kText, true},
                                          {"NAME", "name"},
                                          {"DAYS LEFT", "days_left", Kind::kNumber}};
constexpr Column kHandshakeColumns[] = {{"FAILED HANDSHAKES", "reason", Kind::kText, true},
                                        {"COUNT", "count", Kind::kCounter}};
constexpr Column kBackendColumns[] = {
    {"POOL", "pool", Kind::kText, true},       {"BACKEND", "address", Kind::kText, true},
    {"ZONE", "zone"},                          {"SEEN FROM", "node", Kind::kText, true},  {"HEALTH", "is_healthy", Kind::kHealth},
    {"STATE", "state"},                        {"WEIGHT", "weight", Kind::kNumber},
    {"REQUESTS", "requests", Kind::kCounter},  {"REQUESTS/S", "requests_per_second", Kind::kRate},
    {"FAILURES", "failures", Kind::kCounter}, {"EJECTIONS", "ejections", Kind::kNumber},
    {"IN FLIGHT", "in_flight", Kind::kNumber}, {"REASON", "reason"}};
constexpr Column kPoolColumns[] = {{"POOL", "name", Kind::kText, true}, {"QUEUED", "queued", Kind::kNumber}, {"ASKING", "asking", Kind::kNumber},
                                   {"LIMIT NOW", "limit_now", Kind::kNumber}, {"SHORTEST MS", "shortest_ms", Kind::kTime}};
constexpr Column kDiscoveryColumns[] = {{"POOL", "pool", Kind::kText, true},
                                        {"FOUND BY", "source"},
                                        {"STATE", "is_ok", Kind::kHealth},
                                        {"BACKENDS", "backends", Kind::kNumber},
                                        {"AGE S", "age_ms", Kind::kSeconds},
                                        {"NEXT S", "next_ms", Kind::kSeconds},
                                        {"ANSWERS", "answers", Kind::kCounter},
                                        {"FAILURES", "failures", Kind::kCounter},
                                        {"CHANGES", "changes", Kind::kCounter},
                                        {"RETURNED", "returned", Kind::kCounter},
                                        {"REASON", "reason"}};
constexpr Column kAnnouncementColumns[] = {{"ANNOUNCED ADDRESS", "address", Kind::kText, true},
                                           {"INTERFACE", "interface"},
                                           {"STATE", "state"},
                                           {"HEALTHY", "healthy", Kind::kNumber},
                                           {"OF", "members", Kind::kNumber},
                                           {"REASON", "reason"}};
constexpr Column kArmColumns[] = {{"ROUTE", "route", Kind::kText, true},
                                  {"POOL", "name", Kind::kText, true},
                                  {"WEIGHT", "weight", Kind::kNumber},
                                  {"NOW", "weight_now", Kind::kNumber},
                                  {"SHARE", "share", Kind::kFineShare},
                                  {"REQUESTS", "requests", Kind::kCounter},
                                  {"REQUESTS/S", "requests_per_second", Kind::kRate}};
constexpr Column kLatencyColumns[] = {{"ROUTE OR POOL", "name", Kind::kText, true},
                                       {"KIND", "kind", Kind::kText, true},
                                       {"REQUESTS", "requests", Kind::kCounter},
                                       {"REQUESTS/S", "requests_per_second", Kind::kRate},
                                       {"4XX", "responses_4xx", Kind::kCounter},
                                       {"5XX", "responses_5xx", Kind::kCounter},
                                       {"P50 MS", "p50_ms", Kind::kTime},
                                       {"P95 MS", "p95_ms", Kind::kTime},
                                       {"P99 MS", "p99_ms", Kind::kTime}};
constexpr Column kPrefixListColumns[] = {{"PREFIX LIST", "name", Kind::kText, true}, {"ACTION", "action"}, {"RULES", "rules", Kind::kNumber}};
constexpr Column kVerdictColumns[] = {{"VERDICT", "name", Kind::kText, true},
                                      {"PACKETS", "packets", Kind::kCounter}};

bool is_rate(Kind kind) { return kind == Kind::kRate || kind == Kind::kByteRate; }
bool is_counter(Kind kind) { return kind == Kind::kCounter || kind == Kind::kByteCounter; }

std::string yes_no(const Json& value, const char* yes, const char* no) {
  if (!value.is_boolean()) return text_of(value);
  return value.get<bool>() ? yes : no;
}

// A counter that shrank began anew: its process was replaced.
double growth(const Json& now, const Json& earlier) {
  const double value = number_of(now).value_or(0), before = number_of(earlier).value_or(0);
  return value >= before ? value - before : value;
}

std::string cell(Kind kind, const Json& value) {
  const auto number = number_of(value);
  switch (kind) {
    case Kind::kByteCounter:
      return number ? format_bytes(*number) : text_of(value);
    case Kind::kRate:
      return number ? format_rate(*number) : text_of(value);
    case Kind::kByteRate:
      return number ? format_bytes(*number) : text_of(value);
    case Kind::kShare:
      return number ? format_share(*number) : text_of(value);
    case Kind::kFineShare:
      return number ? format_share(*number, 2) : text_of(value);
    case Kind::kTime:
      return number ? format_milliseconds(*number) : text_of(value);
    case Kind::kSeconds:
      return number ? format_rate(*number / 1'000) : text_of(value);
    case Kind::kYesNo:
      return yes_no(value, "yes", "no");
    case Kind::kHealth:
      return yes_no(value, "ok", "FAILED");
    case Kind::kDigest:
      return digest_of(value);
    case Kind::kText:
    case Kind::kNumber:
    case Kind::kCounter:
      return text_of(value);
  }
  return {};
}

// Two moments of the same list.
struct Section {
  std::vector<Json> rows;
  std::vector<Json> earlier;
  double seconds = 0;  // between them; 0: there is no earlier one
};

const Json& find_earlier(const Section& section, std::span<const Column> columns, const Json& row) {
  static const Json kNone;
  for (const Json& candidate : section.earlier) {
    bool is_same = true;
    for (const Column& column : columns) {
      if (column.is_identity) is_same = is_same && member(candidate, column.key) == member(row, column.key);
    }
    if (is_same) return candidate;
  }
  return kNone;
}

std::string cell_of(const Column& column, const Section& section, const Json& row, const Json& earlier) {
  const Json& now = member(row, column.key);
  if (section.seconds > 0 && is_rate(column.kind)) return {};
  if (section.seconds <= 0 || !is_counter(column.kind)) return cell(column.kind, now);
  // New since then, or no number: there is no rate.
  if (earlier.is_null() || !now.is_number()) return {};
  const double rate = growth(now, member(earlier, column.key)) / section.seconds;
  return column.kind == Kind::kByteCounter ? format_bytes(rate) : format_rate(rate);
}

bool is_number(Kind kind) {
  return is_counter(kind) || is_rate(kind) || kind == Kind::kNumber || kind == Kind::kShare || kind == Kind::kFineShare ||
         kind == Kind::kTime || kind == Kind::kSeconds;
}

std::string table_of(std::span<const Column> columns, const Section& section) {
  TextTable table;
  for (const Column& column : columns) {
    const char* const suffix = section.seconds > 0 && is_counter(column.kind) ? "/S" : "";
    table.add_column(column.heading + std::string(suffix),
                     is_number(column.kind) ? TextTable::Align::kRight : TextTable::Align::kLeft);
  }
  for (const Json& row : section.rows) {
    const Json& earlier = find_earlier(section, columns, row);
    std::vector<std::string> cells;
    for (const Column& column : columns) cells.push_back(cell_of(column, section, row, earlier));
    table.add_row(std::move(cells));
  }
  return table.is_empty() ? "" : "\n" + table.text();
}

std::vector<Json> rows_of(const Json& status, const char* list) {
  const Json& found = list_member(status, list);
  return {found.begin(), found.end()};
}

// "198.51.100.10:443" in place of address and port.
std::vector<Json> vips_of(const Json& status) {
  std::vector<Json> rows = rows_of(status, "vips");
  for (Json& row : rows) {
    const auto address = IpAddress::parse(text_of(member(row, "address")));
    const auto port = number_of(member(row, "port"));
    if (address && port) row["address"] = to_string(Endpoint{*address, static_cast<std::uint16_t>(*port)});
  }
  return rows;
}

// The inner lists of all elements of `outer`, each row with the name of its element under `as`.
std::vector<Json> inner_rows(const Json& status, const char* outer, const char* inner, const char* as) {
  std::vector<Json> rows;
  for (const Json& element : list_member(status, outer)) {
    for (Json row : list_member(element, inner)) {
      if (!row.is_object()) continue;
      row[as] = text_of(member(element, "name"));
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

// One number for every reason to refuse a connection; --json tells them apart.
std::vector<Json> workers_of(const Json& status) {
  std::vector<Json> rows = inner_rows(status, "nodes", "workers", "node");
  for (Json& row : rows) {
    std::optional<double> refused;
    for (const auto& [key, count] : row.items()) {
      if (key.starts_with("refused_")) refused = refused.value_or(0) + number_of(count).value_or(0);
    }
    if (refused) row["refused"] = static_cast<std::uint64_t>(*refused);
  }
  return rows;
}
std::vector<Json> servers_of(const Json& status) { return inner_rows(status, "services", "servers", "service"); }
std::vector<Json> certificates_of(const Json& status) { return inner_rows(status, "nodes", "certificates", "node"); }
std::vector<Json> arms_of(const Json& status) { return inner_rows(status, "routes", "pools", "route"); }
std::vector<Json> backends_of(const Json& status) { return inner_rows(status, "pools", "backends", "pool"); }

// Those of which more is known than their backends.
std::vector<Json> pools_of(const Json& status) {
  std::vector<Json> rows = rows_of(status, "pools");
  std::erase_if(rows, [](const Json& pool) {
    return std::all_of(std::begin(kPoolColumns) + 1, std::end(kPoolColumns), [&](const Column& column) { return member(pool, column.key).is_null(); });
  });
  return rows;
}

// Of pools whose backends are found.
std::vector<Json> discoveries_of(const Json& status) {
  std::vector<Json> rows;
  for (const Json& pool : list_member(status, "pools")) {
    Json row = member(pool, "discovery");
    if (!row.is_object()) continue;
    row["pool"] = text_of(member(pool, "name"));
    rows.push_back(std::move(row));
  }
  return rows;
}

// Counts by name, of what happened.
std::vector<Json> counts_of(const Json& counts, const char* name, const char* count) {
  std::vector<Json> rows;
  if (!counts.is_object()) return rows;
  for (const auto& [key, value] : counts.items()) {
    if (number_of(value).value_or(0) > 0) rows.push_back({{name, key}, {count, value}});
  }
  return rows;
}

std::vector<Json> verdicts_of(const Json& status) { return counts_of(member(status, "verdicts"), "name", "packets"); }
std::vector<Json> handshake_failures_of(const Json& status) {
  return counts_of(member(status, "handshake_failures"), "reason", "count");
}

void append(std::string& text, const char* label, const std::string& value) {
  if (!value.empty()) text += (text.empty() ? "" : ", ") + std::string(label) + value;
}

std::string headline(const Json& status) {
  const std::string tier = text_of(member(status, "tier"));
  std::string text;
  append(text, tier == "l4" ? "L4 host " : tier == "l7" ? "node " : "", text_of(member(status, "host")));
  append(text, "version ", text_of(member(status, "version")));
  append(text, "config ", digest_of(member(status, "config_digest")));
  const std::string number = text_of(member(member(member(status, "config_version"), "committed"), "number"));
  if (number != "0") append(text, "which is version ", number);
  const Json& workers = member(status, "workers");
  if (text_of(member(workers, "wanted")) != text_of(member(workers, "configured"))) {
    append(text, "workers: ", text_of(member(workers, "wanted")) + " (" + text_of(member(workers, "why")) + "), configured " + text_of(member(workers, "configured")));
  }
  append(text, "the store is away: ", text_of(member(member(status, "store"), "problem")));
  append(text, "", text_of(member(member(status, "identity"), "problem")));
  return text.empty() ? "" : text + "\n";
}

std::string ring_line(const Json& ring) {
  std::string text;
  append(text, "epoch ", text_of(member(ring, "epoch")));
  append(text, "slots ", text_of(member(ring, "slots")));
  append(text, "generations ", text_of(member(ring, "generations")));
  append(text, "digest ", digest_of(member(ring, "digest")));
  return text.empty() ? "" : "ring: " + text + "\n";
}

struct StatusTable {
  std::span<const Column> columns;
  std::vector<Json> (*rows)(const Json& status);
};

const StatusTable kStatusTables[] = {
    {kVipColumns, vips_of},
    {kHostColumns, [](const Json& status) { return rows_of(status, "l4_hosts"); }},
    {kInterfaceColumns, [](const Json& status) { return rows_of(status, "interfaces"); }},
    {kAnnouncementColumns, [](const Json& status) { return rows_of(status, "announcements"); }},
    {kNodeColumns, [](const Json& status) { return rows_of(status, "nodes"); }},
    {kWorkerColumns, workers_of},
    {kCertificateColumns, certificates_of},
    {kHandshakeColumns, handshake_failures_of},
    {kArmColumns, arms_of},
    {kLatencyColumns, [](const Json& status) { return rows_of(status, "latencies"); }},
    {kBackendColumns, backends_of},
    {kPoolColumns, pools_of},
    {kDiscoveryColumns, discoveries_of},
    {kServiceColumns, [](const Json& status) { return rows_of(status, "services"); }},
    {kServerColumns, servers_of},
    {kPrefixListColumns, [](const Json& status) { return rows_of(status, "prefix_lists"); }},
    {kVerdictColumns, verdicts_of}};

}  // namespace

std::string status_report(const Json& status, const Json& earlier, double seconds) {
  std::string text = headline(status) + ring_line(member(status, "ring"));
  for (const StatusTable& table : kStatusTables) {
    text +=
        table_of(table.columns, {table.rows(status), table.rows(earlier), earlier.is_null() ? 0 : seconds});
  }
  return text;
}

std::string arms_report(const Json& route) {
  const Json status = {{"routes", Json::array({route})}};
  const std::string text = table_of(kArmColumns, {arms_of(status), {}, 0});
  return text.empty() ? "" : text.substr(1);
}

std::string format_share(double share, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f %%", digits, share * 100);
  return text;
}

std::string format_milliseconds(double milliseconds) {
  char text[32];
  std::snprintf(text, sizeof text, milliseconds < 100 ? "%.2f" : "%.0f", milliseconds);
  return text;
}

std::string format_bytes(double bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  // What would be printed as 1024.0 belongs to the next unit.
  while (unit + 1 < std::size(kUnits) && bytes >= (unit == 0 ? 1024 : 1023.95)) {
    bytes /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
  return text;
}

std::string format_rate(double each_second) {
  char text[32];
  std::snprintf(text, sizeof text, each_second > 0 && each_second < 9.95 ? "%.1f" : "%.0f", each_second);
  return text;
}

}  // namespace gatehouse::cli
