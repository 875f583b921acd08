#include "l7/backend/pool.h"

#include <algorithm>

namespace gatehouse::l7 {

Pool::Pool(const config::Pool& config, BackendSet& backends, std::uint32_t worker, const TlsClientContext& tls)
    : config_(config), speaks_h2_(config.protocol == "h2"), proxy_version_(parse_proxy_version(config.proxy_protocol)) {
  members_.reserve(config.backends.size());
  for (const config::Backend& backend : config.backends) {
    members_.push_back({BackendPin(backends.find_or_add(config.name, backend.address, tls)), backend.weight});
  }
  if (!members_.empty()) members_[worker % members_.size()].credit = 1;
}

Backend* Pool::choose(std::span<Backend* const> tried) {
  for (const bool takes_avoided : {false, true}) {
    for (Member& member : members_) {
      Backend* backend = &*member.backend;
      member.is_candidate = member.weight > 0 && backend->is_healthy() && (takes_avoided || !backend->is_avoided()) &&
                            std::find(tried.begin(), tried.end(), backend) == tried.end();
    }
    if (Member* member = choose_round_robin(members_)) return &*member->backend;
  }
  return nullptr;
}

}  // namespace gatehouse::l7
