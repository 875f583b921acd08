#include "common/control/rates.h"

#include <chrono>

#include "common/json_fields.h"

namespace gatehouse::control {
namespace {

constexpr const char* kCounters[] = {"packets", "bytes", "requests"};
constexpr const char* kIdentities[] = {"name", "kind", "index", "pid", "address", "node"};
constexpr const char* kInnerLists[] = {"workers", "backends", "servers", "pools"};

const Json& find_row(const Json& rows, const Json& wanted) {
  static const Json kNone;
  if (!rows.is_array()) return kNone;
  for (const Json& row : rows) {
    bool is_same = true;
    for (const char* key : kIdentities) is_same = is_same && member(row, key) == member(wanted, key);
    if (is_same) return row;
  }
  return kNone;
}

void add_to_rows(Json& rows, const Json& before, double seconds) {
  if (!rows.is_array()) return;
  for (Json& row : rows) {
    const Json& earlier = find_row(before, row);
    for (const char* counter : kCounters) {
      const Json& now = member(row, counter);
      const Json& then = member(earlier, counter);
      if (!now.is_number_unsigned() || !then.is_number_unsigned()) continue;
      // A counter that shrank began anew.
      const auto value = now.get<std::uint64_t>(), start = then.get<std::uint64_t>();
      const double growth = static_cast<double>(value >= start ? value - start : value);
      row[std::string(counter) + "_per_second"] = growth / seconds;
    }
    for (const char* list : kInnerLists) {
      if (row.contains(list)) add_to_rows(row[list], member(earlier, list), seconds);
    }
  }
}

}  // namespace

void StatusRates::remember(Json status, EventLoop::Clock::time_point now) {
  older_ = std::move(newer_);
  newer_ = {std::move(status), now};
}

void StatusRates::add_to(Json& status, EventLoop::Clock::time_point now) const {
  const Moment& before = older_.status.is_object() ? older_ : newer_;
  const double seconds = std::chrono::duration<double>(now - before.time).count();
  if (!before.status.is_object() || seconds < 0.2) return;
  for (const char* list : {"vips", "nodes", "pools", "services", "routes", "latencies"}) {
    if (status.contains(list)) add_to_rows(status[list], member(before.status, list), seconds);
  }
}

}  // namespace gatehouse::control
