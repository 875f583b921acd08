// The site of the front door's rows, the packets in them, and how they are run.
#include "tests/bpf/front_door_rows.h"

#include <algorithm>

namespace gatehouse::test {

// ---- The site ----

std::string v4(int number) { return "198.51.100." + std::to_string(number); }
std::string v6(int number) { return "2001:db8:5::" + std::to_string(number); }

namespace {

struct RowVip {
  int number;
  std::uint16_t port;
  std::uint8_t protocol;
  std::uint16_t group;
  gh_encapsulation encapsulation = GH_ENCAPSULATE_GUE_HOPS;
  gh_hash_fields fields = GH_HASH_FLOW;
  std::uint16_t flags = 0;
};

constexpr RowVip kVips[] = {
    {10, 443, kTcp, kOneNode},
    {10, 53, kUdp, kOneHop},
    {11, 443, kTcp, kTwoHops},
    {12, 443, kTcp, kThreeHops},
    {13, 443, kTcp, kNodeV6},
    {14, 443, kTcp, kNodeV6Hops},
    {15, 443, kTcp, kNoRing},
    {16, 443, kTcp, kNoOwner},
    {17, 443, kTcp, kUnknownOwner},
    {20, 0, kTcp, kOneNode},
    {20, 0, kUdp, kOneHop},
    {20, 22, kTcp, kNodeV6},
    {21, 0, kTcp, kOneNode},
    {30, 443, kTcp, kOneNode, GH_ENCAPSULATE_GUE},
    {31, 443, kTcp, kNodeV6, GH_ENCAPSULATE_GUE},
    {32, 443, kTcp, kOneNode, GH_ENCAPSULATE_IPIP},
    {33, 443, kTcp, kNodeV6, GH_ENCAPSULATE_IPIP},
    {34, 443, kTcp, kThreeHops, GH_ENCAPSULATE_GUE},
    {35, 443, kTcp, kThreeHops, GH_ENCAPSULATE_IPIP},
    {40, 443, kTcp, kMixed},
    {40, 53, kUdp, kMixed},
    {41, 443, kTcp, kMixed, GH_ENCAPSULATE_GUE_HOPS, GH_HASH_ADDRESSES},
    {41, 53, kUdp, kMixed, GH_ENCAPSULATE_GUE_HOPS, GH_HASH_ADDRESSES},
    {42, 443, kTcp, kMixed, GH_ENCAPSULATE_GUE_HOPS, GH_HASH_SOURCE},
    {42, 53, kUdp, kMixed, GH_ENCAPSULATE_GUE_HOPS, GH_HASH_SOURCE},
    {50, 53, kUdp, kMixed, GH_ENCAPSULATE_GUE_HOPS, GH_HASH_ADDRESSES, GH_VIP_FRAGMENTS},
    {50, 443, kTcp, kMixed, GH_ENCAPSULATE_GUE_HOPS, GH_HASH_ADDRESSES, GH_VIP_FRAGMENTS},
    {50, 80, kTcp, kOneNode},
};

std::vector<std::vector<std::uint64_t>> row_rings() {
  std::vector<std::vector<std::uint64_t>> rings(kRowGroups);
  const auto fill = [&rings](RowGroup group, std::uint64_t slot) { rings[group].assign(kRowSlots, slot); };
  fill(kOneNode, gh_slot(1, 0, 0, 0));
  fill(kOneHop, gh_slot(1, 2, 0, 0));
  fill(kTwoHops, gh_slot(1, 2, 3, 0));
  fill(kThreeHops, gh_slot(1, 2, 3, 4));
  fill(kNodeV6, gh_slot(6, 0, 0, 0));
  fill(kNodeV6Hops, gh_slot(6, 7, 8, 0));
  fill(kNoOwner, 0);
  fill(kUnknownOwner, gh_slot(9, 0, 0, 0));
  for (std::uint32_t slot = 0; slot < kRowSlots; ++slot) {
    rings[kMixed].push_back(gh_slot(static_cast<std::uint16_t>(1 + slot % kMixedNodes), 0, 0, 0));
  }
  return rings;
}

}  // namespace

Site row_site() {
  Site site{kRowMtu, {}, row_rings(), kRowEpoch};
  for (const bool is_v4 : {true, false}) {
    for (const RowVip& vip : kVips) {
      l4::VipEntry entry{ip(is_v4 ? v4(vip.number) : v6(vip.number)), vip.port, vip.protocol};
      entry.vip = static_cast<std::uint16_t>(site.vips.size());
      entry.group = vip.group;
      entry.flags = vip.flags;
      entry.encapsulation = vip.encapsulation;
      entry.hash_fields = vip.fields;
      site.vips.push_back(entry);
    }
  }
  return site;
}

// ---- What is in a row ----

Build ip_of(const Flow& flow) {
  return flow.is_v4() ? Build().ipv4(flow.client(), flow.vip) : Build().ipv6(flow.client(), flow.vip);
}

Build with_transport(Build ip_layers, const Flow& flow, std::uint8_t flags) {
  return flow.protocol == kTcp ? ip_layers.tcp(flow.source_port, flow.destination_port, flags)
                               : ip_layers.udp(flow.source_port, flow.destination_port);
}
Build packet_of(const Flow& flow, std::uint8_t flags) { return with_transport(ip_of(flow), flow, flags); }
Build segment_of(const Flow& flow) { return packet_of(flow).payload("hello"); }

std::uint64_t hash_of(const Flow& flow, gh_hash_fields fields) {
  static const PlainFlowHash hash(kFlowKey);
  const PlainFlow plain{ip(flow.client()), ip(flow.vip), flow.source_port, flow.destination_port,
                        flow.protocol};
  switch (fields) {
    case GH_HASH_FLOW:
      return hash.of_flow(plain);
    case GH_HASH_ADDRESSES:
      return hash.of_addresses(plain);
    case GH_HASH_SOURCE:
      return hash.of_source(plain);
  }
  return 0;
}

std::uint16_t mixed_owner_of(const Flow& flow, gh_hash_fields fields) {
  const std::uint64_t slot = (hash_of(flow, fields) >> 32) * kRowSlots >> 32;
  return static_cast<std::uint16_t>(1 + slot % kMixedNodes);
}

namespace {

Build tagged(Build link, const Tags& tags) {
  for (const Tag& tag : tags) link.vlan(tag.control, tag.type);
  return link;
}

// The source prefix, its host bits filled with the hash: the last byte of 10.99.7.0/24, all eight of
// 2001:db8:99::/64.
std::string ipip_source(bool is_v4, std::uint32_t entropy) {
  if (is_v4) return "10.99.7." + std::to_string(entropy >> 24);
  IpAddress source = ip("2001:db8:99::");
  for (std::size_t i = 8; i < 16; ++i) source.bytes[i] = static_cast<std::uint8_t>(entropy >> i % 4 * 8);
  return to_string(source);
}

}  // namespace

Build frame(const Tags& tags) { return tagged(Build().ethernet(), tags); }
Build frame_back(const Tags& tags) { return tagged(Build().ethernet(kRouterMac, kHostMac), tags); }
Build in_frame(const Build& inner, const Tags& tags) { return frame(tags).packet(inner.build()); }

Build tunnel(Build link, const Flow& flow, const Way& way) {
  const bool is_v4 = way.node <= 4;
  const auto entropy = static_cast<std::uint32_t>(hash_of(flow, way.fields));
  const bool is_ipip = way.encapsulation == GH_ENCAPSULATE_IPIP;
  const std::string source = is_ipip ? ipip_source(is_v4, entropy) : is_v4 ? "192.0.2.1" : "2001:db8:2::1";
  const std::string node = (is_v4 ? "10.0.0." : "fd00::") + std::to_string(way.node);
  if (is_v4) {
    link.ipv4(source, node).traffic_class(way.traffic_class).dont_fragment();
  } else {
    link.ipv6(source, node).traffic_class(way.traffic_class).flow_label(entropy >> 12);
  }
  if (is_ipip) return link;
  link.udp(static_cast<std::uint16_t>(49152 + (entropy >> 18)), 6080).without_checksum();
  return way.encapsulation == GH_ENCAPSULATE_GUE ? link.plain_gue() : link.gue(kRowEpoch, way.hops);
}

Row passed_frame(std::string description, const Build& input, gh_verdict verdict) {
  return {std::move(description), input.build(), verdict, XDP_PASS, input.build()};
}
Row passed(std::string description, const Build& inner, gh_verdict verdict) {
  return passed_frame(std::move(description), in_frame(inner), verdict);
}
Row dropped(std::string description, const Build& inner, gh_verdict verdict) {
  return dropped_bytes(std::move(description), in_frame(inner).build(), verdict);
}
Row dropped_bytes(std::string description, const Bytes& input, gh_verdict verdict) {
  return {std::move(description), input, verdict, XDP_DROP, input};
}

Row forwarded(std::string description, const Build& inner, const Flow& flow, const Way& way,
              const Tags& tags) {
  const Bytes packet = inner.build();
  return {std::move(description), frame(tags).packet(packet).build(), GH_FORWARDED, XDP_TX,
          tunnel(frame_back(tags), flow, way).packet(packet).build()};
}

Row answered(std::string description, const Build& input, const Build& output, gh_verdict verdict) {
  return {std::move(description), input.build(), verdict, XDP_TX, output.build()};
}

Row padded(Row row, std::size_t length) {
  row.description += ", padded";
  for (Bytes* bytes : {&row.input, &row.output}) bytes->insert(bytes->end(), length, 0x5a);
  return row;
}

// ---- How they are run ----

void FrontDoorRows::open(const Site& site) {
  if (GetParam() == Adapter::kUserSpace) {
    plane_ = std::make_unique<l4::MemoryPlane>(kRowSlots, kRowGroups);
  } else {
    auto opened = open_in_kernel(kRowSlots, kRowGroups);
    if (!opened) GTEST_SKIP() << opened.error().message;
    program_ = (*opened)->program_fd();
    plane_ = std::move(*opened);
  }
  fill_front_door(*plane_, site);
}

void FrontDoorRows::TearDown() {
  plane_.reset();
  if (GetParam() == Adapter::kKernel) remove_pins(kernel_pins());
}

int FrontDoorRows::run(Bytes& packet) {
  if (GetParam() == Adapter::kKernel) return run_in_kernel(program_, packet);
  return xdp_action_of(run_here(l4::balance, tables(), packet));
}

void FrontDoorRows::run_rows(const Rows& rows) {
  for (const Row& row : rows) {
    expect_row(tables(), row, [&](Bytes& packet) { EXPECT_EQ(run(packet), row.action); });
  }
}

void FrontDoorTwice::SetUp() {
  auto opened = open_in_kernel(kRowSlots, kRowGroups);
  if (!opened) GTEST_SKIP() << opened.error().message;
  kernel_ = std::move(*opened);
  fill_front_door(*kernel_, row_site());
  user_ = kernel_->tables();
  user_.cpus = {counters_.get(), 1};
}

void FrontDoorTwice::TearDown() {
  kernel_.reset();
  remove_pins(kernel_pins());
}

int FrontDoorTwice::run_both(const Bytes& input) {
  Bytes from_kernel = input, from_user = input;
  const int action = run_in_kernel(kernel_->program_fd(), from_kernel);
  EXPECT_EQ(xdp_action_of(run_here(l4::balance, user_, from_user)), action);
  EXPECT_EQ(to_hex(from_user), to_hex(from_kernel));
  EXPECT_EQ(l4::verdict_counts(user_), l4::verdict_counts(kernel_->tables()));
  if (HasFailure()) ADD_FAILURE() << "of " << to_hex(input);
  return action;
}

namespace {

constexpr std::size_t kHeaders = 130, kStepInPayload = 97;

// Where the IP packet ends by its own account.
std::size_t end_of_packet(const Bytes& frame) {
  const auto word = [&frame](std::size_t at) {
    return at + 1 < frame.size() ? frame[at] << 8 | frame[at + 1] : 0;
  };
  std::size_t type_at = 12;
  for (int tags = 0; tags < 2 && (word(type_at) == 0x8100 || word(type_at) == 0x88a8); ++tags) type_at += 4;
  const std::size_t start = type_at + 2;
  return start + static_cast<std::size_t>(word(type_at) == 0x0800 ? word(start + 2) : word(start + 4) + 40);
}

}  // namespace

void FrontDoorTwice::cut_everywhere(const Rows& rows) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.description);
    const std::size_t end = end_of_packet(row.input);
    for (std::size_t length = kLeastKernelFrame; length < row.input.size();) {
      const int action =
          run_both({row.input.begin(), row.input.begin() + static_cast<std::ptrdiff_t>(length)});
      EXPECT_TRUE(length >= end || action != XDP_TX) << "cut to " << length;
      if (HasFailure()) return;
      length += length < kHeaders ? 1 : kStepInPayload;
    }
  }
}

void FrontDoorTwice::damage_everywhere(const Rows& rows) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.description);
    for (std::size_t at = 0; at < std::min(row.input.size(), kHeaders); ++at) {
      const std::uint8_t was = row.input[at];
      for (const int value : {0, 0xff, was ^ 1, was ^ 0x40, was + 4}) {
        Bytes damaged = row.input;
        damaged[at] = static_cast<std::uint8_t>(value);
        run_both(damaged);
      }
      if (HasFailure()) return;
    }
  }
}

}  // namespace gatehouse::test
