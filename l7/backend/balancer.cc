// The list of policies.
#include "l7/backend/balancer.h"

#include <algorithm>

#include "l7/backend/policies.h"

namespace gatehouse::l7 {
namespace {

struct Entry {
  std::string_view name;
  std::unique_ptr<Policy> (*make)(const PolicyFacts& facts);
};

template <typename T>
std::unique_ptr<Policy> make(const PolicyFacts& facts) {
  return std::make_unique<T>(facts);
}

constexpr Entry kMakers[] = {
    {"round-robin", make<RoundRobin>}, {"least-request", make<LeastRequest>},
    {"two-choices", make<TwoChoices>}, {"peak-ewma", make<PeakEwma>},
    {"random", make<WeightedRandom>},  {"maglev", make<Hashed>},
    {"ring-hash", make<Hashed>},
};

const Entry* find(std::string_view name) {
  const auto found = std::find_if(std::begin(kMakers), std::end(kMakers),
                                  [name](const Entry& each) { return each.name == name; });
  return found == std::end(kMakers) ? nullptr : found;
}

}  // namespace

bool Occasion::takes(std::size_t index) {
  Backend* backend = &*members_[index].backend;
  if (std::find(wish_.tried.begin(), wish_.tried.end(), backend) != wish_.tried.end()) return false;
  if (!backend->is_full(limits_)) return true;
  was_full_ = true;
  return false;
}

bool has_policy(std::string_view name) { return find(name) != nullptr; }

std::unique_ptr<Policy> make_policy(const PolicyFacts& facts) {
  const Entry* entry = find(facts.config.policy);
  GH_CHECK(entry);  // validate() knows the names
  return entry->make(facts);
}

}  // namespace gatehouse::l7
