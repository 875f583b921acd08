// The front door's table of packets: the site that all rows share, what is written in them, and how they are
// run. Each packets_*_test.cc adds the rows of one topic and names them with GATEHOUSE_FRONT_DOOR_ROWS, which
// runs them
//   - over both adapters: verdict, action and every byte that leaves;
//   - cut short at every length, and with every byte damaged, over both at once: they agree, nothing is read
//   outside of the
//     frame (as a sanitizer sees), and no packet that is cut is sent.
#pragma once

#include "tests/bpf/adapters.h"
#include "tests/support/plain_flow_hash.h"

namespace gatehouse::test {

using Build = PacketBuilder;
using Hops = std::vector<std::uint16_t>;

inline constexpr std::uint32_t kRowSlots = 251, kRowMtu = 1500;
inline constexpr std::uint16_t kRowEpoch = 0x1234;
inline constexpr std::uint8_t kTcp = 6, kUdp = 17;

// ---- The site ----

// The slots of group n. In kMixed each slot has another owner than the next: kMixedNodes in turn.
enum RowGroup : std::uint16_t {
  kOneNode,
  kOneHop,
  kTwoHops,
  kThreeHops,
  kNodeV6,
  kNodeV6Hops,
  kMixed,
  kNoRing,
  kNoOwner,
  kUnknownOwner,
  kRowGroups
};
inline constexpr std::uint16_t kMixedNodes = 4;

// VIPs have an IPv4 and an IPv6 address of equal number: 198.51.100.10 and 2001:db8:5::10. By number, with
// the ports that they have:
//   10        TCP 443, UDP 53: node 1, with an earlier owner for UDP       11, 12  TCP 443: two, three
//   earlier owners 13, 14    TCP 443: an IPv6 node, with two earlier owners               15 to 17  TCP 443:
//   nobody gets them 20        any port of TCP and of UDP; TCP 22 is an IPv6 node's         21  any port of
//   TCP only 30 to 33  TCP 443 without hop list: GUE to IPv4, to IPv6; IPIP to IPv4, to IPv6     34, 35  the
//   same with owners before 40 to 42  TCP 443 and UDP 53 of a ring of many: by flow, by addresses, by source
//   50        UDP 53 and TCP 443 that take fragments, TCP 80 that does not
//   99        is no VIP
std::string v4(int number);
std::string v6(int number);
Site row_site();

// ---- What is in a row ----

inline const std::string kClient = "203.0.113.7", kClientV6 = "2001:db8:c::7";

// From the client of the address's family.
struct Flow {
  std::string vip;
  std::uint16_t destination_port = 443;
  std::uint8_t protocol = kTcp;
  std::uint16_t source_port = 40000;
  std::string source = {};

  bool is_v4() const { return vip.find(':') == std::string::npos; }
  std::string client() const { return !source.empty() ? source : is_v4() ? kClient : kClientV6; }
};

// The flow's IP header; with TCP or UDP behind it; and with "hello" behind that.
Build ip_of(const Flow& flow);
Build packet_of(const Flow& flow, std::uint8_t flags = kAck);
Build segment_of(const Flow& flow);

std::uint64_t hash_of(const Flow& flow, gh_hash_fields fields = GH_HASH_FLOW);
std::uint16_t mixed_owner_of(const Flow& flow, gh_hash_fields fields);

// What the packet is carried in.
struct Way {
  std::uint16_t node = 1;  // 1 to 4: IPv4, 5 to 8: IPv6
  Hops hops = {};
  gh_encapsulation encapsulation = GH_ENCAPSULATE_GUE_HOPS;
  std::uint8_t traffic_class = 0;
  gh_hash_fields fields = GH_HASH_FLOW;
};

struct Tag {
  std::uint16_t control, type = 0x8100;
};
using Tags = std::vector<Tag>;
Build frame(const Tags& tags = {});       // as it comes
Build frame_back(const Tags& tags = {});  // turned round
Build in_frame(const Build& inner, const Tags& tags = {});
// The outer headers behind `link`.
Build tunnel(Build link, const Flow& flow, const Way& way);

Row passed_frame(std::string description, const Build& input, gh_verdict verdict);
Row passed(std::string description, const Build& inner, gh_verdict verdict);
Row dropped(std::string description, const Build& inner, gh_verdict verdict);
Row dropped_bytes(std::string description, const Bytes& input, gh_verdict verdict);
// `inner`, of `flow`, comes out as it was behind the outer headers of `way`.
Row forwarded(std::string description, const Build& inner, const Flow& flow, const Way& way = {},
              const Tags& tags = {});
// TX of a frame that is not tunnelled.
Row answered(std::string description, const Build& input, const Build& output, gh_verdict verdict);
// The same row with `length` bytes of padding behind the IP packet, which are no part of what is tunnelled.
Row padded(Row row, std::size_t length);

// ---- How they are run ----

class FrontDoorRows : public testing::TestWithParam<Adapter> {
 protected:
  void SetUp() override { open(row_site()); }
  void TearDown() override;
  void open(const Site& site);
  l4::Tables& tables() { return const_cast<l4::Tables&>(plane_->tables()); }
  int run(Bytes& packet);  // in place; the action
  void run_rows(const Rows& rows);

  std::unique_ptr<l4::DataPlane> plane_;

 private:
  int program_ = -1;
};

// Both at once, over the kernel's tables; each has counters of its own.
class FrontDoorTwice : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  void cut_everywhere(const Rows& rows);
  void damage_everywhere(const Rows& rows);

 private:
  int run_both(const Bytes& input);  // the action; the kernel's, should they differ

  std::unique_ptr<l4::XdpDataPlane> kernel_;
  std::unique_ptr<gh_cpu> counters_ = std::make_unique<gh_cpu>();
  l4::Tables user_;
};

#define GATEHOUSE_FRONT_DOOR_ROWS(topic, rows)                            \
  class topic : public FrontDoorRows {};                                  \
  GATEHOUSE_BOTH_ADAPTERS(topic);                                         \
  TEST_P(topic, AreTreatedAsTheRowsSay) { run_rows(rows()); }             \
  class topic##Twice : public FrontDoorTwice {};                          \
  TEST_F(topic##Twice, AreOneWhenCutAnywhere) { cut_everywhere(rows()); } \
  TEST_F(topic##Twice, AreOneWithAnyByteDamaged) { damage_everywhere(rows()); }

}  // namespace gatehouse::test
