#include "l4/dpdk_data_plane.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_rcu_qsbr.h>

#include <algorithm>
#include <ctime>

#include "common/log.h"

namespace gatehouse::l4 {
namespace {

constexpr std::uint32_t kPackets = 8191;  // in flight over all ports
constexpr std::uint16_t kDescriptors = 512;
constexpr std::uint32_t kIdlePolls = 10'000;      // without a packet, before an lcore begins to sleep between polls
constexpr timespec kIdleSleep{0, 50'000};

std::string name_of(std::uint16_t port) {
  char name[RTE_ETH_NAME_MAX_LEN] = "";
  rte_eth_dev_get_name_by_port(port, name);
  return name;
}
bool leads_to_kernel(std::uint16_t port) {
  const std::string name = name_of(port);
  return name.starts_with("net_tap") || name.starts_with("virtio_user");
}

Error dpdk_error(const std::string& what, int code) { return Error{what + ": " + rte_strerror(code < 0 ? -code : code)}; }

Status start_environment(const std::vector<std::string>& arguments) {
  static std::vector<std::string> words = {"gatehouse-l4-dpdk"};  // the environment keeps pointers to them
  words.insert(words.end(), arguments.begin(), arguments.end());
  static std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  if (rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) < 0) {
    return dpdk_error("DPDK's environment does not start (l4_host.dpdk)", rte_errno);
  }
  if (rte_eth_dev_count_avail() == 0) return Error{"DPDK has no port: l4_host.dpdk needs a device or a --vdev"};
  if (rte_lcore_count() < 2) return Error{"l4_host.dpdk needs two lcores or more (-l 0-1): the first one is the daemon's own"};
  return {};
}

}  // namespace

struct DpdkDataPlane::Lcore {
  DpdkDataPlane& plane;
  unsigned place;  // among those that poll
  std::vector<DpdkQueue> queues;
};

Result<std::unique_ptr<DpdkDataPlane>> DpdkDataPlane::open(const Options& options) {
  if (const Status started = start_environment(options.arguments); !started) return started.error();
  std::unique_ptr<DpdkDataPlane> plane(new DpdkDataPlane);
  auto tables = XdpDataPlane::open(options.tables);
  if (!tables) return tables.error();
  plane->tables_ = std::move(*tables);
  plane->first_tick_ = plane->tables_->ticks() - coarse_ticks();
  plane->packets_ = rte_pktmbuf_pool_create("packets", kPackets, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (!plane->packets_) return dpdk_error("no memory for packets", rte_errno);
  const unsigned pollers = rte_lcore_count() - 1;
  plane->readers_ = static_cast<rte_rcu_qsbr*>(rte_zmalloc("readers", rte_rcu_qsbr_get_memsize(pollers), RTE_CACHE_LINE_SIZE));
  GH_CHECK(plane->readers_ && rte_rcu_qsbr_init(plane->readers_, pollers) == 0);
  if (const Status started = plane->start_ports(); !started) return started.error();
  return plane;
}

DpdkDataPlane::~DpdkDataPlane() {
  is_stopped_ = true;
  rte_eal_mp_wait_lcore();
  for (const DpdkQueue& pair : pairs_) {
    rte_eth_dev_stop(pair.port);
    if (pair.exception != DpdkQueue::kNone) rte_eth_dev_stop(pair.exception);
  }
}

Status DpdkDataPlane::start_ports() {
  queues_ = static_cast<std::uint16_t>(rte_lcore_count() - 1);
  std::uint16_t port = 0;
  RTE_ETH_FOREACH_DEV(port) {
    rte_eth_dev_info info{};
    if (const int code = rte_eth_dev_info_get(port, &info)) return dpdk_error(name_of(port), code);
    queues_ = std::min({queues_, info.max_rx_queues, info.max_tx_queues});
  }
  RTE_ETH_FOREACH_DEV(port) {
    if (const Status started = start_port(port); !started) return started;
  }
  pair_ports();
  return {};
}

// Checksums of outer headers cost the core two additions, and tags are kept where they are: the port has nothing to take off
// our hands but the spreading over queues.
Status DpdkDataPlane::start_port(std::uint16_t port) {
  rte_eth_dev_info info{};
  rte_eth_dev_info_get(port, &info);
  rte_eth_conf settings{};
  settings.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
  if (queues_ > 1 && settings.rx_adv_conf.rss_conf.rss_hf) settings.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
  if (const int code = rte_eth_dev_configure(port, queues_, queues_, &settings)) return dpdk_error(name_of(port), code);
  for (std::uint16_t queue = 0; queue < queues_; ++queue) {
    const int in = rte_eth_rx_queue_setup(port, queue, kDescriptors, SOCKET_ID_ANY, nullptr, packets_);
    const int out = rte_eth_tx_queue_setup(port, queue, kDescriptors, SOCKET_ID_ANY, nullptr);
    if (in || out) return dpdk_error(name_of(port) + ": queue " + std::to_string(queue), in ? in : out);
  }
  if (const int code = rte_eth_dev_start(port)) return dpdk_error(name_of(port) + " does not start", code);
  rte_eth_promiscuous_enable(port);
  return {};
}

void DpdkDataPlane::pair_ports() {
  std::vector<std::uint16_t> wires, kernels;
  std::uint16_t port = 0;
  RTE_ETH_FOREACH_DEV(port) { (leads_to_kernel(port) ? kernels : wires).push_back(port); }
  for (std::size_t i = 0; i < wires.size(); ++i) {
    pairs_.push_back({.port = wires[i], .exception = i < kernels.size() ? kernels[i] : DpdkQueue::kNone});
  }
}

Status DpdkDataPlane::attach() {
  if (const Status attached = tables_->attach_probe_only(); !attached) return attached;
  unsigned place = 0, id = 0;
  RTE_LCORE_FOREACH_WORKER(id) {
    auto& lcore = lcores_.emplace_back(new Lcore{*this, place, {}});
    for (DpdkQueue pair : pairs_) {
      if (place >= queues_) continue;  // the ports have no queue for it
      pair.queue = static_cast<std::uint16_t>(place);
      pair.cpu = place;
      lcore->queues.push_back(pair);
    }
    if (lcore->queues.empty()) log_warn("lcore {} has nothing to do: the ports have {} queues", id, queues_);
    rte_eal_remote_launch(&DpdkDataPlane::poll, lcore.get(), id);
    ++place;
  }
  return {};
}

std::uint64_t DpdkDataPlane::coarse_ticks() {
  static const long nanoseconds = [] {
    timespec jiffy{};
    clock_getres(CLOCK_MONOTONIC_COARSE, &jiffy);
    return jiffy.tv_nsec;
  }();
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * static_cast<std::uint64_t>(1'000'000'000 / nanoseconds) +
         static_cast<std::uint64_t>(now.tv_nsec / nanoseconds);
}

int DpdkDataPlane::poll(void* argument) {
  const auto& lcore = *static_cast<Lcore*>(argument);
  DpdkDataPlane& plane = lcore.plane;
  Tables tables = plane.tables_->tables();
  rte_rcu_qsbr_thread_register(plane.readers_, lcore.place);
  rte_rcu_qsbr_thread_online(plane.readers_, lcore.place);
  std::uint32_t idle = 0;
  while (!plane.is_stopped_.load(std::memory_order_relaxed)) {
    std::uint32_t taken = 0;
    tables.services.ticks = plane.ticks();
    for (const DpdkQueue& queue : lcore.queues) taken += forward_burst(tables, queue) + return_burst(queue);
    rte_rcu_qsbr_quiescent(plane.readers_, lcore.place);
    idle = taken ? 0 : idle + 1;
    if (idle > kIdlePolls) nanosleep(&kIdleSleep, nullptr);
  }
  rte_rcu_qsbr_thread_offline(plane.readers_, lcore.place);
  return 0;
}

void DpdkDataPlane::wait_for_readers() {
  if (!lcores_.empty()) rte_rcu_qsbr_synchronize(readers_, RTE_QSBR_THRID_INVALID);
  tables_->wait_for_readers();  // the probes' program
}

std::vector<Port> DpdkDataPlane::ports() const {
  std::vector<Port> ports;
  for (const DpdkQueue& pair : pairs_) ports.push_back({name_of(pair.port), "DPDK"});
  return ports;
}

}  // namespace gatehouse::l4
