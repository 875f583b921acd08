// The query of a request from anybody, with parameters set, added and removed: what was removed is gone, what
// was set is there once, all others are as they were, and a second time changes nothing more than it must.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/check.h"
#include "l7/query_plan.h"
#include "l7/route_conditions.h"

using namespace gatehouse;

namespace {

std::vector<std::string> values(std::string_view query, std::string_view name) {
  std::vector<std::string> found;
  l7::any_parameter(query, name, [&found](std::string_view value) {
    found.emplace_back(value);
    return false;
  });
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<char> copy(data, data + size);  // a sanitizer sees every read beyond it
  const std::string_view query(copy.data(), copy.size());
  const l7::QueryPlan plan({{{"a", "{host}&="}}, {{"b", "{path}"}}, {"c d"}});
  l7::RouteFacts facts;
  facts.host = facts.path = query;
  std::string once;
  plan.append(query, facts, once);
  GH_CHECK(values(once, "a") == std::vector<std::string>{std::string(query) + "&="});
  GH_CHECK(values(once, "b").size() == values(query, "b").size() + 1 && values(once, "b").back() == query);
  GH_CHECK(values(once, "c d").empty());
  GH_CHECK(values(once, "e") == values(query, "e"));
  std::string twice;
  plan.append(once, facts, twice);
  GH_CHECK(twice.size() <= once.size() + 3 + 3 * size);  // one more "&b="
  return 0;
}
