// The DPDK data plane: lcores poll the ports, the packet core decides, the tables are the same BPF arrays as XDP's (mapped into
// this process), so that the director, the control server, the probes' program and a restart see no difference.
//
// Threads: the first lcore runs the daemon's event loop; each other one polls queue n of every port (n: its place). Ports
// whose driver is net_tap or virtio_user lead to the kernel: the n-th belongs to the n-th other port. Nothing is shared for
// writing between lcores: counters have a region each.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "l4/dpdk_loop.h"
#include "l4/xdp_data_plane.h"

struct rte_mempool;
struct rte_rcu_qsbr;

namespace gatehouse::l4 {

class DpdkDataPlane final : public DataPlane {
 public:
  struct Options {
    XdpDataPlane::Options tables;        // interfaces: where probes leave by the kernel
    std::vector<std::string> arguments;  // of the environment
  };
  static Result<std::unique_ptr<DpdkDataPlane>> open(const Options& options);
  ~DpdkDataPlane() override;

  Status attach() override;
  const Tables& tables() override { return tables_->tables(); }
  void wait_for_readers() override;
  std::uint64_t ticks() override { return first_tick_ + coarse_ticks(); }
  std::uint32_t tick_multiplier() const override { return tables_->tick_multiplier(); }
  bool was_adopted() const override { return tables_->was_adopted(); }
  std::vector<Port> ports() const override;

 private:
  struct Lcore;
  DpdkDataPlane() = default;
  Status start_ports();
  Status start_port(std::uint16_t port);
  void pair_ports();
  static int poll(void* lcore);
  static std::uint64_t coarse_ticks();  // jiffies since an arbitrary moment, by a clock that costs no system call

  std::unique_ptr<XdpDataPlane> tables_;
  rte_mempool* packets_ = nullptr;
  rte_rcu_qsbr* readers_ = nullptr;
  std::uint16_t queues_ = 1;
  std::uint64_t first_tick_ = 0;  // makes of them those that the BPF programs see
  std::vector<DpdkQueue> pairs_;  // port and its exception port
  std::vector<std::unique_ptr<Lcore>> lcores_;
  std::atomic<bool> is_stopped_{false};
};

}  // namespace gatehouse::l4
