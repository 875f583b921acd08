#include "l4/service_flows.h"

#include <algorithm>
#include <atomic>
#include <numeric>

#include "bpf/flow_cache.h"

namespace gatehouse::l4 {
namespace {

constexpr std::size_t kStepLines = 1 << 15;  // 2 MiB: some milliseconds
constexpr std::size_t kStepsPerWalk =
    600;  // of large caches: ten minutes, of ages that reach for eighteen hours

}  // namespace

FlowSweep::FlowSweep(EventLoop& loop, DataPlane& plane)
    : loop_(loop), plane_(plane), counted_(GH_MAX_NODES), shown_(GH_MAX_NODES) {}

void FlowSweep::start() { on_second(); }

void FlowSweep::on_second() {
  second_.arm<&FlowSweep::on_second>(loop_, Duration(1'000), this);
  step();
}

std::uint64_t FlowSweep::flows() const {
  return std::accumulate(shown_.begin(), shown_.end(), std::uint64_t{0});
}

// The longer of its service's two: a way does not say which protocol its flow has. 0: it is nobody's any
// more.
std::uint16_t FlowSweep::idle_of(std::uint16_t server) const {
  const Tables& tables = const_cast<DataPlane&>(plane_).tables();
  if (server >= tables.services.servers.size()) return 0;
  const gh_server& entry = tables.services.servers[server];
  const std::size_t half = tables.state->services & GH_SERVICES_HALF;
  const gh_service& service =
      tables.services.services[half * GH_MAX_SERVICES + entry.service % GH_MAX_SERVICES];
  return std::max(service.tcp_idle, service.udp_idle);
}

void FlowSweep::step() {
  const auto lines = plane_.tables().services.flow_lines;
  const auto now = static_cast<std::uint16_t>((plane_.ticks() * plane_.tick_multiplier()) >> 32);
  const std::size_t end = std::min(lines.size(), next_ + std::max(kStepLines, lines.size() / kStepsPerWalk));
  for (; next_ < end; ++next_) {
    for (__u64& way : lines[next_].way) {
      std::atomic_ref<__u64> word(way);
      __u64 flow = word.load(std::memory_order_relaxed);
      const auto server = static_cast<std::uint16_t>(flow & GH_FLOW_SERVER);
      if (server == 0) continue;
      if (gh_is_flow_over(flow, now, idle_of(server))) {
        word.compare_exchange_strong(flow, 0, std::memory_order_relaxed);
      } else {
        ++counted_[server];
      }
    }
  }
  if (next_ < lines.size()) return;
  next_ = 0;
  shown_.swap(counted_);
  std::fill(counted_.begin(), counted_.end(), 0);
}

}  // namespace gatehouse::l4
