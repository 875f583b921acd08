#include "tests/bpf/dpdk_wire.h"

#include <linux/bpf.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <array>
#include <cstring>

#include "common/check.h"
#include "l4/dpdk_loop.h"

namespace gatehouse::test {
namespace {

constexpr unsigned kPackets = 1023, kRing = 256, kRoom = 10'240;

class Wire {
 public:
  static Wire& get() {
    static Wire wire;
    return wire;
  }

  void put(const Bytes& bytes) {
    rte_mbuf* packet = rte_pktmbuf_alloc(packets_);
    GH_CHECK(packet && bytes.size() <= rte_pktmbuf_tailroom(packet));
    std::memcpy(rte_pktmbuf_append(packet, static_cast<std::uint16_t>(bytes.size())), bytes.data(), bytes.size());
    GH_CHECK(rte_ring_enqueue(wire_in_, packet) == 0);
  }
  void turn(l4::Tables& tables) {
    const l4::DpdkQueue queue{.port = port_, .queue = 0, .exception = exception_, .cpu = 0};
    while (l4::forward_burst(tables, queue)) {
    }
  }
  bool take_sent(Bytes& packet) { return take(wire_out_, packet); }
  bool take_passed(Bytes& packet) { return take(host_out_, packet); }
  int missing() const { return static_cast<int>(rte_mempool_in_use_count(packets_)); }

 private:
  Wire() {
    static std::array<std::string, 9> words = {"wire",      "--no-huge", "--no-shconf",  "--no-telemetry", "-m",
                                               "256",       "--no-pci",  "-l",           "0"};
    std::array<char*, 10> arguments{};
    for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
    GH_CHECK(rte_eal_init(static_cast<int>(words.size()), arguments.data()) >= 0);
    packets_ = rte_pktmbuf_pool_create("wire", kPackets, 0, 0, kRoom, SOCKET_ID_ANY);
    GH_CHECK(packets_);
    port_ = make_port("wire", wire_in_, wire_out_);
    exception_ = make_port("host", host_in_, host_out_);
  }

  static std::uint16_t make_port(const std::string& name, rte_ring*& in, rte_ring*& out) {
    constexpr unsigned kOneThread = RING_F_SP_ENQ | RING_F_SC_DEQ;
    in = rte_ring_create((name + "_in").c_str(), kRing, SOCKET_ID_ANY, kOneThread);
    out = rte_ring_create((name + "_out").c_str(), kRing, SOCKET_ID_ANY, kOneThread);
    GH_CHECK(in && out);
    const int port = rte_eth_from_rings(name.c_str(), &in, 1, &out, 1, 0);
    GH_CHECK(port >= 0);
    const auto id = static_cast<std::uint16_t>(port);
    const rte_eth_conf settings{};
    GH_CHECK(rte_eth_dev_configure(id, 1, 1, &settings) == 0);
    GH_CHECK(rte_eth_rx_queue_setup(id, 0, kRing, SOCKET_ID_ANY, nullptr, packets()) == 0);
    GH_CHECK(rte_eth_tx_queue_setup(id, 0, kRing, SOCKET_ID_ANY, nullptr) == 0);
    GH_CHECK(rte_eth_dev_start(id) == 0);
    return id;
  }
  static rte_mempool* packets() { return rte_mempool_lookup("wire"); }

  static bool take(rte_ring* ring, Bytes& bytes) {
    void* taken = nullptr;
    if (rte_ring_dequeue(ring, &taken) != 0) return false;
    auto* packet = static_cast<rte_mbuf*>(taken);
    const auto* start = rte_pktmbuf_mtod(packet, const std::uint8_t*);
    GH_CHECK(packet->nb_segs == 1 && packet->pkt_len == packet->data_len);
    bytes.assign(start, start + packet->data_len);
    rte_pktmbuf_free(packet);
    return true;
  }

  rte_mempool* packets_ = nullptr;
  rte_ring *wire_in_ = nullptr, *wire_out_ = nullptr, *host_in_ = nullptr, *host_out_ = nullptr;
  std::uint16_t port_ = 0, exception_ = 0;
};

}  // namespace

int run_over_dpdk(l4::Tables& tables, Bytes& packet) {
  Wire& wire = Wire::get();
  wire.put(packet);
  wire.turn(tables);
  Bytes other;
  int action = XDP_DROP;
  if (wire.take_sent(packet)) action = XDP_TX;
  else if (wire.take_passed(packet)) action = XDP_PASS;
  return wire.take_sent(other) || wire.take_passed(other) || wire.missing() != 0 ? -1 : action;
}

int send_burst_over_dpdk(l4::Tables& tables, const Bytes& packet, int count) {
  Wire& wire = Wire::get();
  for (int i = 0; i < count; ++i) wire.put(packet);
  wire.turn(tables);
  int sent = 0;
  for (Bytes out; wire.take_sent(out);) ++sent;
  return sent;
}

int packets_missing_over_dpdk() { return Wire::get().missing(); }

}  // namespace gatehouse::test
