#include "l7/discovery/srv_backends.h"

#include <algorithm>
#include <cmath>

namespace gatehouse::l7 {
namespace {

using Shares = std::map<Endpoint, double>;

bool are_weights(const Shares& shares) {
  const bool has_none =
      std::any_of(shares.begin(), shares.end(), [](const auto& each) { return each.second == 0; });
  return !has_none && std::all_of(shares.begin(), shares.end(), [](const auto& each) {
    return each.second == std::floor(each.second) && each.second <= config::kMostBackendWeight;
  });
}

void add_weighted(std::vector<config::Backend>& backends, const Shares& shares, bool is_backup) {
  double most = 0;
  for (const auto& [address, share] : shares) most = std::max(most, share);
  const double scale = most == 0 || are_weights(shares) ? 1 : config::kMostBackendWeight / most;
  for (const auto& [address, share] : shares) {
    backends.push_back({address,
                        std::max<std::uint32_t>(1, static_cast<std::uint32_t>(std::lround(share * scale))),
                        is_backup});
  }
}

}  // namespace

std::vector<config::Backend> srv_backends(std::span<const SrvRecord> records,
                                          const std::map<std::string, std::vector<IpAddress>>& addresses) {
  std::uint16_t best = 0xffff;
  for (const SrvRecord& record : records) best = std::min(best, record.priority);
  Shares main, backup;
  for (const SrvRecord& record : records) {
    const auto found = addresses.find(record.target);
    if (found == addresses.end()) continue;
    for (const IpAddress& address : found->second) {
      Shares& shares = record.priority == best ? main : backup;
      shares[{address, record.port}] +=
          static_cast<double>(record.weight) / static_cast<double>(found->second.size());
    }
  }
  for (const auto& [address, share] : main) backup.erase(address);
  std::vector<config::Backend> backends;
  add_weighted(backends, main, false);
  add_weighted(backends, backup, true);
  std::sort(backends.begin(), backends.end(),
            [](const auto& left, const auto& right) { return left.address < right.address; });
  return backends;
}

}  // namespace gatehouse::l7
