#include "l7/query_plan.h"

#include <algorithm>

#include "l7/route_conditions.h"

namespace gatehouse::l7 {

QueryPlan::QueryPlan(const config::QueryChanges& changes) : dropped_(changes.remove) {
  const auto write = [this](const config::QueryParameter& parameter) {
    std::string name;
    append_encoded(parameter.name, Escapes::kAreText, name);
    written_.push_back({std::move(name), Template(parameter.value)});
  };
  for (const config::QueryParameter& parameter : changes.set) {
    dropped_.push_back(parameter.name);
    write(parameter);
  }
  for (const config::QueryParameter& parameter : changes.add) write(parameter);
}

bool QueryPlan::has(config::Variable variable) const {
  return std::any_of(written_.begin(), written_.end(),
                     [variable](const Written& parameter) { return parameter.value.has(variable); });
}

bool QueryPlan::is_dropped(std::string_view parameter) const {
  const auto is_its = [parameter](const std::string& name) {
    return any_parameter(parameter, name, [](std::string_view) { return true; });
  };
  return std::any_of(dropped_.begin(), dropped_.end(), is_its);
}

void QueryPlan::append(std::string_view query, const RouteFacts& facts, std::string& out) const {
  const std::size_t start = out.size();
  const auto separate = [&out, start] {
    if (out.size() > start) out += '&';
  };
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view parameter = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (parameter.empty() || is_dropped(parameter)) continue;
    separate();
    out += parameter;
  }
  for (const Written& parameter : written_) {
    separate();
    out.append(parameter.name).append("=");
    parameter.value.append_encoded(facts, out);
  }
}

}  // namespace gatehouse::l7
