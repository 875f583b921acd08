// gatehouse-perf-dpdk: packets per second of the DPDK burst loop on one lcore over net_null, beside testpmd's macswap over the
// same, in turn. net_null's packets are empty: a receive callback makes each one a segment to a VIP, which counts on our side.
// With one flow it writes what the loop overwrote, the link header; with more it also draws the flow. `perf/run dpdk` calls it.
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bpf/wire.h"
#include "l4/counters.h"
#include "l4/dpdk_loop.h"
#include "l4/user_tables.h"
#include "perf/dpdk/testpmd.h"
#include "perf/packets/site.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::perf;

constexpr std::uint16_t kPort = 0;
constexpr auto kSpan = std::chrono::seconds(1);

struct Stamp {
  std::vector<std::uint8_t> frame;
  std::uint32_t flows = 1;
  std::uint64_t random = 1;
};

std::uint16_t stamp(std::uint16_t, std::uint16_t, rte_mbuf** packets, std::uint16_t count, std::uint16_t, void* argument) {
  auto& how = *static_cast<Stamp*>(argument);
  for (std::uint16_t i = 0; i < count; ++i) {
    auto* start = rte_pktmbuf_mtod(packets[i], std::uint8_t*);
    const bool is_written = how.flows == 1 && std::memcmp(start + sizeof(gh_ethernet), how.frame.data() + sizeof(gh_ethernet), 8) == 0;
    std::memcpy(start, how.frame.data(), is_written ? sizeof(gh_ethernet) : how.frame.size());
    packets[i]->data_len = static_cast<std::uint16_t>(how.frame.size());
    packets[i]->pkt_len = packets[i]->data_len;
    if (how.flows == 1) continue;
    how.random = how.random * 6364136223846793005u + 1442695040888963407u;
    const auto flow = static_cast<std::uint32_t>(how.random >> 33) & (how.flows - 1);
    auto* ip = reinterpret_cast<gh_ipv4*>(start + sizeof(gh_ethernet));
    ip->source[1] = static_cast<std::uint16_t>(flow);
    reinterpret_cast<gh_tcp*>(ip + 1)->source_port = static_cast<std::uint16_t>(flow >> 3);
  }
  return count;
}

Status start_port() {
  static char words[][32] = {"gatehouse-perf-dpdk", "--no-huge", "--no-shconf", "--no-telemetry", "-m", "256", "--no-pci", "-l", "1",
                             "--vdev=net_null0,size=64"};
  char* arguments[std::size(words) + 1] = {};
  for (std::size_t i = 0; i < std::size(words); ++i) arguments[i] = words[i];
  if (rte_eal_init(static_cast<int>(std::size(words)), arguments) < 0) return Error{"DPDK's environment does not start"};
  rte_mempool* packets = rte_pktmbuf_pool_create("packets", 8191, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  const rte_eth_conf settings{};
  const bool is_started = packets && rte_eth_dev_configure(kPort, 1, 1, &settings) == 0 &&
                          rte_eth_rx_queue_setup(kPort, 0, 512, SOCKET_ID_ANY, nullptr, packets) == 0 &&
                          rte_eth_tx_queue_setup(kPort, 0, 512, SOCKET_ID_ANY, nullptr) == 0 && rte_eth_dev_start(kPort) == 0;
  return is_started ? Status() : Status(Error{"net_null does not start"});
}

// Packets per second that were forwarded, every one of them.
Result<double> measure(l4::Tables& tables) {
  const l4::DpdkQueue queue{.port = kPort, .queue = 0, .exception = l4::DpdkQueue::kNone, .cpu = 0};
  const std::uint64_t before = l4::verdict_counts(tables)[GH_FORWARDED];
  std::uint64_t taken = 0;
  const auto started = std::chrono::steady_clock::now();
  auto now = started;
  while (now - started < kSpan) {
    for (int i = 0; i < 256; ++i) taken += l4::forward_burst(tables, queue);
    now = std::chrono::steady_clock::now();
  }
  const std::uint64_t forwarded = l4::verdict_counts(tables)[GH_FORWARDED] - before;
  if (forwarded != taken) return Error{std::to_string(taken - forwarded) + " packets were not forwarded"};
  return static_cast<double>(forwarded) / std::chrono::duration<double>(now - started).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Status run(int rounds, const std::string& json) {
  if (const Status started = start_port(); !started) return started;
  l4::MemoryPlane plane(kRingSlots, 6);
  if (const Status filled = fill_tables(plane, kUsualShape); !filled) return filled;
  l4::Tables tables = plane.tables();
  Stamp how{make_frame(Family::kIpv4, Tunnel::kGueHops), 1, 1};
  rte_eth_add_rx_callback(kPort, 0, stamp, &how);
  constexpr std::uint32_t kFlows[] = {1, 1024, 131'072};
  std::vector<double> ours[std::size(kFlows)], peer;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < std::size(kFlows); ++i) {
      how.flows = kFlows[i];
      const auto rate = measure(tables);
      if (!rate) return rate.error();
      ours[i].push_back(*rate);
    }
    const auto rate = measure_testpmd("macswap", 3);
    if (!rate) return rate.error();
    peer.push_back(*rate);
  }
  std::printf("One lcore, net_null, %zu-byte frames, GUE with hop list; medians of %d rounds in turn\n", how.frame.size(), rounds);
  std::printf("%-28s %8.2f Mpps\n", "testpmd macswap", median(peer) / 1e6);
  nlohmann::json figures = nlohmann::json::array();
  figures.push_back({{"case", "testpmd macswap"}, {"pps", median(peer)}});
  for (std::size_t i = 0; i < std::size(kFlows); ++i) {
    const double rate = median(ours[i]);
    std::printf("gatehouse, %6u flows        %8.2f Mpps   %.2f of testpmd\n", kFlows[i], rate / 1e6, rate / median(peer));
    figures.push_back({{"case", "gatehouse"}, {"flows", kFlows[i]}, {"pps", rate}, {"ratio", rate / median(peer)}});
  }
  if (!json.empty()) std::ofstream(json) << figures.dump(2) << '\n';
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  int rounds = 7;
  std::string json;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--quick") rounds = 2;
    if (word == "--rounds" && i + 1 < argc) rounds = std::max(1, std::atoi(argv[++i]));
    if (word == "--json" && i + 1 < argc) json = argv[++i];
    if (word == "--folder") ++i;  // needs none
  }
  const Status done = run(rounds, json);
  if (done) return 0;
  std::fprintf(stderr, "gatehouse-perf-dpdk: %s\n", done.error().message.c_str());
  return 1;
}
