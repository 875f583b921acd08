// The node's table of packets: what is written in its rows and how they are run, as front_door_rows.h does it
// for the front door. The node is that of fill_node() (builds.h); no flow is here.
#pragma once

#include "tests/bpf/adapters.h"

namespace gatehouse::test {

using Build = PacketBuilder;
using Hops = std::vector<std::uint16_t>;

inline constexpr std::uint16_t kTunnelEpoch = 77, kTunnelSource = 50000;
inline constexpr const char* kFrontDoor = "192.0.2.1";
inline constexpr const char* kFrontDoorV6 = "2001:db8:2::1";
inline constexpr const char* kSelf = "10.0.0.1";
inline constexpr const char* kSelfV6 = "fd00::1";

struct Outer {
  bool is_v4 = true;
  gh_encapsulation encapsulation = GH_ENCAPSULATE_GUE_HOPS;
  Hops hops = {};
  std::string source = {};  // empty: a front door of the family
  std::uint8_t traffic_class = 0x28;
};
// The outer headers behind `link`, as they come.
Build tunnel(const Outer& outer, Build link = Build().ethernet());
// As they leave for the next hop: turned round, from this node, with its own TTL.
Build onward(const std::string& node, const Hops& hops, Build link = Build().ethernet(kRouterMac, kHostMac),
             std::uint8_t traffic_class = 0x28);

Build inner_v4(std::uint8_t flags = kAck);  // from the client to the VIP
Build inner_v6(std::uint8_t flags = kAck);

Row alone(std::string description, const Build& input);  // not ours
Row refused(std::string description, const Bytes& input, gh_verdict verdict);
// The inner packet in the frame that brought it.
Row stripped(std::string description, const Outer& outer, const Build& inner, gh_verdict verdict,
             const Build& link = Build().ethernet());
Row sent_on(std::string description, const Outer& outer, const Build& inner, Build output,
            const Build& link = Build().ethernet());

class NodeRows : public testing::TestWithParam<Adapter> {
 protected:
  void SetUp() override;
  void TearDown() override { node_bpf__destroy(kernel_); }
  void run_rows(const Rows& rows);

  l4::MemoryPlane plane_{251, 1};
  l4::Tables user_ = plane_.tables();
  node_bpf* kernel_ = nullptr;
  l4::Tables kernel_tables_;
  std::span<const gh_counts> counts_;
};

// Both at once: every row cut at every length and with every byte damaged.
class NodeTwice : public NodeInTheKernel {
 protected:
  void cut_and_damage(const Rows& rows);

 private:
  void run_both(const Bytes& input);

  std::unique_ptr<gh_cpu> counters_ = std::make_unique<gh_cpu>();
};

#define GATEHOUSE_NODE_ROWS(topic, rows)                      \
  class topic : public NodeRows {};                           \
  GATEHOUSE_BOTH_ADAPTERS(topic);                             \
  TEST_P(topic, AreTreatedAsTheRowsSay) { run_rows(rows()); } \
  class topic##Twice : public NodeTwice {};                   \
  TEST_F(topic##Twice, AreOneWhenCutOrDamagedAnywhere) { cut_and_damage(rows()); }

}  // namespace gatehouse::test
