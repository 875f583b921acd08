// The DPDK burst loop beyond what the rows of packets say: bursts, and packets given back. The rows themselves run over it as
// one more adapter (tests/bpf/adapters.h).
#ifdef GATEHOUSE_DPDK
#include "tests/bpf/dpdk_wire.h"
#include "tests/bpf/front_door_rows.h"

namespace gatehouse::test {
namespace {

class DpdkLoop : public testing::Test {
 protected:
  void SetUp() override { fill_front_door(plane_, row_site()); }
  l4::Tables& tables() { return const_cast<l4::Tables&>(plane_.tables()); }

  l4::MemoryPlane plane_{kRowSlots, kRowGroups};
};

TEST_F(DpdkLoop, ForwardsMoreThanABurstAtOnce) {
  const Bytes frame = in_frame(segment_of({v4(10)})).build();
  for (const int count : {1, 31, 32, 33, 64, 200}) EXPECT_EQ(send_burst_over_dpdk(tables(), frame, count), count);
  EXPECT_EQ(packets_missing_over_dpdk(), 0);
}

TEST_F(DpdkLoop, GivesBackWhatItDrops) {
  const Bytes frame = in_frame(segment_of({v4(15)})).build();
  EXPECT_EQ(send_burst_over_dpdk(tables(), frame, 200), 0);
  EXPECT_EQ(packets_missing_over_dpdk(), 0);
}

TEST_F(DpdkLoop, CountsIntoTheRegionOfItsThread) {
  std::vector<gh_cpu> cpus(3);
  l4::Tables tables = plane_.tables();
  tables.cpus = cpus;
  Bytes frame = in_frame(segment_of({v4(10)})).build();
  l4::PacketBuffer buffer;
  Bytes memory(256);
  memory.insert(memory.end(), frame.begin(), frame.end());
  buffer = {memory, 256, frame.size()};
  EXPECT_EQ(l4::balance_on(2, tables, buffer), GH_FORWARDED);
  EXPECT_EQ(l4::verdict_counts(tables)[GH_FORWARDED], 1u);
  tables.cpus = {cpus.data(), 2};
  EXPECT_EQ(l4::verdict_counts(tables)[GH_FORWARDED], 0u);
}

}  // namespace
}  // namespace gatehouse::test
#endif
