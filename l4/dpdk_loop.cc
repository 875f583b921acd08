#include "l4/dpdk_loop.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <array>

#include "l4/user_tables.h"

namespace gatehouse::l4 {
namespace {

constexpr std::uint16_t kBurst = 32;
constexpr std::uint16_t kPrefetched = 4;  // packets ahead

using Burst = std::array<rte_mbuf*, kBurst>;

struct Pending {
  Burst packets;
  std::uint16_t count = 0;
  void add(rte_mbuf* packet) { packets[count++] = packet; }
};

// What the port does not take now it would not take later either: dropped, as a full queue of a driver does.
void send(std::uint16_t port, std::uint16_t queue, Pending& pending) {
  if (pending.count == 0) return;
  const std::uint16_t sent = rte_eth_tx_burst(port, queue, pending.packets.data(), pending.count);
  if (sent < pending.count) rte_pktmbuf_free_bulk(pending.packets.data() + sent, pending.count - sent);
}

gh_verdict run_core(Tables& tables, rte_mbuf* packet, std::uint32_t cpu) {
  PacketBuffer buffer{{static_cast<std::uint8_t*>(packet->buf_addr), packet->buf_len}, packet->data_off, packet->data_len};
  const gh_verdict verdict = balance_on(cpu, tables, buffer);
  packet->data_off = static_cast<std::uint16_t>(buffer.start);
  packet->data_len = static_cast<std::uint16_t>(buffer.length);
  packet->pkt_len = static_cast<std::uint32_t>(buffer.length);
  return verdict;
}

}  // namespace

std::uint32_t forward_burst(Tables& tables, const DpdkQueue& queue) {
  Burst taken;
  const std::uint16_t count = rte_eth_rx_burst(queue.port, queue.queue, taken.data(), kBurst);
  if (count == 0) return 0;
  Pending out, up;
  for (std::uint16_t i = 0; i < kPrefetched && i < count; ++i) rte_prefetch0(rte_pktmbuf_mtod(taken[i], void*));
  for (std::uint16_t i = 0; i < count; ++i) {
    if (i + kPrefetched < count) rte_prefetch0(rte_pktmbuf_mtod(taken[i + kPrefetched], void*));
    rte_mbuf* packet = taken[i];
    // The core wants a packet in one piece. One that cannot be is none of a size that we forward.
    if (rte_pktmbuf_linearize(packet) != 0) {
      rte_pktmbuf_free(packet);
      continue;
    }
    switch (action_of(run_core(tables, packet, queue.cpu))) {
      case GH_TRANSMIT: out.add(packet); break;
      case GH_PASS:
        if (queue.exception != DpdkQueue::kNone) {
          up.add(packet);
          break;
        }
        [[fallthrough]];
      default: rte_pktmbuf_free(packet);
    }
  }
  send(queue.port, queue.queue, out);
  if (queue.exception != DpdkQueue::kNone) send(queue.exception, queue.queue, up);
  return count;
}

std::uint32_t return_burst(const DpdkQueue& queue) {
  if (queue.exception == DpdkQueue::kNone || queue.queue != 0) return 0;
  Pending out;
  out.count = rte_eth_rx_burst(queue.exception, 0, out.packets.data(), kBurst);
  const std::uint32_t count = out.count;
  send(queue.port, 0, out);
  return count;
}

}  // namespace gatehouse::l4
