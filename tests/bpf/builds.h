// What the packet tests share: the packet core's two builds (user space, and the kernel's, loaded here), the
// tables that they forward by, and rows of packets with what must become of them.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "bpf/hash.h"
#include "bpf/node.skel.h"
#include "common/bpf_object.h"
#include "l4/counters.h"
#include "l4/table_writer.h"
#include "l4/user_tables.h"
#include "l4/xdp_data_plane.h"
#include "tests/support/packet_builder.h"

namespace gatehouse::test {

inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

// ---- Rows ----

struct Row {
  std::string description;
  Bytes input;
  gh_verdict verdict;
  int action;  // of XDP
  Bytes output;
};
using Rows = std::vector<Row>;

// BPF_PROG_TEST_RUN, not the program, refuses a shorter one.
inline constexpr std::size_t kLeastKernelFrame = 14;

// `run` takes a packet through one build, in place; `counted` is what that build counts in. Exactly the row's verdict must have
// been counted, once.
template <typename Counted, typename Run>
void expect_row(const Counted& counted, const Row& row, Run run) {
  SCOPED_TRACE(row.description);
  l4::VerdictCounts expected = l4::verdict_counts(counted);
  ++expected[row.verdict];
  Bytes packet = row.input;
  run(packet);
  EXPECT_EQ(l4::verdict_counts(counted), expected) << "wanted verdict " << row.verdict;
  EXPECT_EQ(to_hex(packet), to_hex(row.output));
}

// ---- The two builds ----

using UserBuild = gh_verdict (*)(l4::Tables&, l4::PacketBuffer&);

// In place. The memory ends with the packet: a sanitizer sees every byte that is read past it.
inline gh_verdict run_here(UserBuild build, l4::Tables& tables, Bytes& packet, std::size_t headroom = 256) {
  Bytes memory(headroom);
  memory.insert(memory.end(), packet.begin(), packet.end());
  memory.shrink_to_fit();
  l4::PacketBuffer buffer{memory, headroom, packet.size()};
  const gh_verdict verdict = build(tables, buffer);
  const auto start = memory.begin() + static_cast<std::ptrdiff_t>(buffer.start);
  packet.assign(start, start + static_cast<std::ptrdiff_t>(buffer.length));
  return verdict;
}

// In place. Returns the XDP action, or -1 when the kernel refuses to run it.
inline int run_in_kernel(int program, Bytes& packet) {
  Bytes output(packet.size() + 256);
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(), .data_out = output.data(),
              .data_size_in = static_cast<__u32>(packet.size()),
              .data_size_out = static_cast<__u32>(output.size()));
  if (bpf_prog_test_run_opts(program, &options) != 0) return -1;
  output.resize(options.data_size_out);
  packet = std::move(output);
  return static_cast<int>(options.retval);
}

// ---- The front door ----

inline constexpr std::array<std::uint64_t, 4> kFlowKey = {0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0,
                                                          0x082efa98ec4e6c89};

struct Site {
  std::uint32_t mtu = 0;
  std::vector<l4::VipEntry> vips;
  std::vector<std::vector<std::uint64_t>> rings;  // by group; an empty one is left out
  std::uint16_t epoch = 0;
  std::uint32_t icmp_answers = 1'000'000;
};

// Nodes 1 to 4 are 10.0.0.1 to 4, nodes 5 to 8 are fd00::5 to 8; nobody else is known.
inline void fill_front_door(l4::DataPlane& plane, const Site& site) {
  l4::TableWriter writer(plane);
  writer.set_identity({.source_v4 = ip("192.0.2.1"), .source_v6 = ip("2001:db8:2::1"), .key = kFlowKey, .mtu = site.mtu,
                       .ipip_v4 = IpPrefix::parse("10.99.7.0/24"), .ipip_v6 = IpPrefix::parse("2001:db8:99::/64"),
                       .icmp_answers = site.icmp_answers});
  for (std::uint16_t id = 1; id <= 4; ++id) writer.set_node(id, ip("10.0.0." + std::to_string(id)));
  for (std::uint16_t id = 5; id <= 8; ++id) writer.set_node(id, ip("fd00::" + std::to_string(id)));
  const Status vips = writer.set_vips(site.vips);
  ASSERT_TRUE(vips) << vips.error().message;
  for (std::uint16_t group = 0; group < site.rings.size(); ++group) {
    if (site.rings[group].empty()) continue;
    const Status ring = writer.set_ring(group, site.rings[group], site.epoch);
    ASSERT_TRUE(ring) << ring.error().message;
  }
}

inline std::string kernel_pins() { return "/sys/fs/bpf/gatehouse_packets_test_" + std::to_string(getpid()); }

// The front door in the kernel, attached to nothing. An error says why this machine cannot have one; all else fails the test.
inline Result<std::unique_ptr<l4::XdpDataPlane>> open_in_kernel(std::uint32_t ring_slots, std::uint32_t ring_areas = 8,
                                                                std::uint32_t flow_lines = 1) {
  if (geteuid() != 0) return Error{"Loading BPF programs needs root."};
  remove_pins(kernel_pins());
  auto opened = l4::XdpDataPlane::open({.pin_folder = kernel_pins(),
                                        .interfaces = {},
                                        .ring_slots = ring_slots,
                                        .ring_areas = ring_areas,
                                        .flow_lines = flow_lines});
  const bool is_refused = !opened && opened.error().message.find("Operation not permitted") == std::string::npos;
  EXPECT_FALSE(is_refused) << opened.error().message;
  return opened;
}

inline int xdp_action_of(gh_verdict verdict) {
  constexpr int kXdpActions[] = {XDP_PASS, XDP_TX, XDP_DROP};  // by gh_action
#define GH_TEST_ACTION(name, action, text, help) kXdpActions[action],
  static constexpr int kActions[] = {GH_VERDICTS(GH_TEST_ACTION)};
#undef GH_TEST_ACTION
  return kActions[verdict];
}

// Holds the loaded front door. Not attached to anything.
class FrontDoorInTheKernel : public testing::Test {
 protected:
  void open(std::uint32_t ring_slots, const Site& site) {
    auto opened = open_in_kernel(ring_slots, std::max<std::uint32_t>(8, static_cast<std::uint32_t>(site.rings.size())), 16);
    if (!opened) GTEST_SKIP() << opened.error().message;
    plane_ = std::move(*opened);
    fill_front_door(*plane_, site);
  }
  void TearDown() override {
    plane_.reset();
    remove_pins(kernel_pins());
  }

  int run(Bytes& packet) const { return run_in_kernel(plane_->program_fd(), packet); }

  std::unique_ptr<l4::XdpDataPlane> plane_;
};

// ---- The node ----

// This is node 1, 10.0.0.1 and fd00::1. Nodes 2 and 3 are 10.0.0.2 and 3, nodes 6 and 7 are fd00::6 and 7;
// who may send are two L4 hosts, nodes 2, 3 and 6.
inline void fill_node(const l4::Tables& tables) {
  tables.state->self = 1;
  gh_identity self{};
  self.gue_v4 = l4::make_source(ip("10.0.0.1"));
  self.gue_v6 = l4::make_source(ip("fd00::1"));
  self.ipip_v4 = l4::make_source(IpAddress(), IpPrefix::parse("10.99.7.0/24"));
  self.ipip_v6 = l4::make_source(IpAddress(), IpPrefix::parse("2001:db8:99::/64"));
  gh_switch_identity(tables.state, &self);
  for (const char* member : {"192.0.2.1", "2001:db8:2::1", "10.0.0.2", "10.0.0.3", "fd00::6"}) {
    gh_vip_entry entry{};
    entry.address = l4::to_table_address(ip(member));
    entry.key = gh_entry_key(0, 0, GH_ENTRY_VIP);
    ASSERT_EQ(gh_place(tables.vip_lines.data(), entry), 0);
  }
  for (const std::uint16_t id : {2, 3, 6, 7}) {
    const gh_address address = l4::to_table_address(ip((id < 5 ? "10.0.0." : "fd00::") + std::to_string(id)));
    gh_switch_destination(&tables.nodes[id], &address, id < 5 ? GH_FAMILY_V4 : GH_FAMILY_V6);
  }
}

// The programs of a node in the kernel, attached to nothing, with their tables filled. `node` is the caller's to destroy.
inline void open_node(node_bpf*& node, l4::Tables& tables, std::span<const gh_counts>& counts) {
  if (geteuid() != 0) GTEST_SKIP() << "Loading BPF programs needs root.";
  node = node_bpf__open();
  ASSERT_NE(node, nullptr);
  bpf_map__set_max_entries(node->maps.counts, static_cast<__u32>(libbpf_num_possible_cpus()));
  const int code = node_bpf__load(node);
  if (code == -EPERM) GTEST_SKIP() << "This machine does not let us load BPF programs.";
  ASSERT_EQ(code, 0) << "the kernel refuses the node's programs";
  const auto state = map_memory(node->maps.state), counters = map_memory(node->maps.counts);
  ASSERT_TRUE(state && counters);
  tables.set_state(reinterpret_cast<gh_state*>(state->data()));
  counts = {reinterpret_cast<const gh_counts*>(counters->data()), counters->size() / sizeof(gh_counts)};
  fill_node(tables);
}

class NodeInTheKernel : public testing::Test {
 protected:
  void SetUp() override { open_node(node_, tables_, counts_); }
  void TearDown() override { node_bpf__destroy(node_); }

  int run(Bytes& packet) const { return run_in_kernel(bpf_program__fd(node_->progs.decapsulate), packet); }

  node_bpf* node_ = nullptr;
  l4::Tables tables_;
  std::span<const gh_counts> counts_;
};

}  // namespace gatehouse::test
