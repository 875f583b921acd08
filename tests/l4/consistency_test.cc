// The promise of the front door: a connection stays where it was opened, through any three changes of the
// fleet.
//
// A million flows are opened, in equal parts before and between the changes. After every change a packet of
// each must end at the node that has the flow. A flow whose node has died in the meantime ends with it, and
// is counted apart; that includes a node that died and has come back without its flows. All flows of a slot
// that were opened between the same two changes have one owner and take one way, so that they are followed as
// one; real packets of a sample of them show that this is so.
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "l4/table_writer.h"
#include "l4/user_tables.h"
#include "tests/l4/consistency_site.h"
#include "tests/support/packet_builder.h"

namespace gatehouse::l4 {
namespace {

constexpr std::uint32_t kFlows = 1'000'000;
constexpr std::array<std::uint64_t, 4> kKey = {0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0,
                                   0x082efa98ec4e6c89};
const char* const kVip = "198.51.100.10";

IpAddress ip(const std::string& text) { return IpAddress::parse(text).value(); }

// A flow's client; all go to port 443 of the VIP.
Endpoint client_of(std::uint32_t flow) {
  const auto octet = [flow](int shift) { return static_cast<std::uint8_t>(1 + (flow >> shift) % 250); };
  return {IpAddress::from_v4({203, octet(16), octet(8), octet(0)}),
          static_cast<std::uint16_t>(1024 + flow * 7919ull % 60'000)};
}

class FrontDoor {
 public:
  FrontDoor() : plane_(Story::kSlots, 1), writer_(plane_) {
    writer_.set_identity({.source_v4 = ip("192.0.2.1"), .key = kKey});
    for (std::uint16_t id = 1; id <= Story::kNodes; ++id) writer_.set_node(id, address_of(id));
    EXPECT_TRUE(writer_.set_vips(std::vector<VipEntry>{{ip(kVip), 443, 6, 0, 0}}));
    write(Story());
  }
  static IpAddress address_of(std::uint16_t node) { return ip("10.0.0." + std::to_string(node)); }
  void write(const Story& story) { EXPECT_TRUE(writer_.set_ring(0, story.ring, 1)); }
  std::uint32_t slot_of(std::uint32_t flow) {
    Tables tables = plane_.tables();
    return explain_packet(tables, client_of(flow), {ip(kVip), 443}, 6)->slot;
  }
  gh_verdict forward(PacketBuffer& packet) {
    Tables tables = plane_.tables();
    return balance(tables, packet);
  }

 private:
  MemoryPlane plane_;
  TableWriter writer_;
};

// ---- A million flows, by slot ----

// Flows by slot, of each part of `parts`.
using Counts = std::vector<std::vector<std::uint32_t>>;

struct Outcome {
  std::uint64_t stories = 0;
  std::uint64_t followed = 0;
  std::uint64_t astray = 0;  // a packet ended at a node that never had the flow
  std::uint64_t died = 0;    // with the node that had them
  std::string first_astray;
};

// Flows of part i were opened after change i of the story; `owners[i]` are the slots' owners of then.
void follow_flows(const Story& story, const std::vector<std::vector<std::uint16_t>>& owners,
                  const Counts& counts, Outcome& outcome) {
  ++outcome.stories;
  for (std::size_t part = 0; part < owners.size(); ++part) {
    for (std::uint32_t slot = 0; slot < Story::kSlots; ++slot) {
      const std::uint32_t flows = counts[part][slot];
      const std::uint16_t owner = owners[part][slot];
      outcome.followed += flows;
      if (story.has_died(owner, part)) {
        outcome.died += flows;
      } else if (end_of(story.ring[slot], owner) != owner) {
        outcome.astray += flows;
        if (outcome.first_astray.empty()) outcome.first_astray = story.told + " slot " + std::to_string(slot);
      }
    }
  }
}

class Consistency : public testing::Test {
 protected:
  Consistency() {
    FrontDoor door;
    for (std::uint32_t flow = 0; flow < kFlows; ++flow) slots_.push_back(door.slot_of(flow));
    for (std::size_t parts = 1; parts <= 4; ++parts) {
      Counts counts(parts, std::vector<std::uint32_t>(Story::kSlots));
      for (std::uint32_t flow = 0; flow < kFlows; ++flow) ++counts[flow % parts][slots_[flow]];
      counts_.push_back(std::move(counts));
    }
  }

  // All stories that go on from `story`, up to `length` changes in all; outcomes by number of changes.
  void tell_all(const Story& story, std::vector<std::vector<std::uint16_t>>& owners, std::size_t length,
                std::vector<Outcome>& outcomes) {
    if (story.steps == length) return;
    std::vector<std::uint16_t>& now = owners.emplace_back(Story::kSlots);
    for (std::uint32_t slot = 0; slot < Story::kSlots; ++slot) now[slot] = story.owner_of(slot);
    for (const Change change : kChanges) {
      Story next = story;
      next.apply(change);
      if (change == Change::kFailover) {
        ASSERT_EQ(next.ring, story.ring) << "another host, the same log:" << next.told;
      }
      follow_flows(next, owners, counts_[owners.size() - 1], outcomes[next.steps]);
      tell_all(next, owners, length, outcomes);
    }
    owners.pop_back();
  }

  std::vector<std::uint32_t> slots_;  // by flow
  std::vector<Counts> counts_;        // by number of parts, less one
};

TEST_F(Consistency, NoFlowGoesAstrayInAnyThreeChanges) {
  std::vector<Outcome> outcomes(5);
  for (const std::uint16_t turn : {0, 5}) {
    std::vector<std::vector<std::uint16_t>> owners;
    tell_all(Story(turn), owners, turn == 0 ? 4 : 3, outcomes);
  }
  for (std::size_t changes = 1; changes <= 4; ++changes) {
    const Outcome& outcome = outcomes[changes];
    std::printf(
        "%zu changes: %4llu stories of %u flows: %llu astray (%.4f %%), %.2f %% ended with their node\n",
        changes, static_cast<unsigned long long>(outcome.stories), kFlows,
        static_cast<unsigned long long>(outcome.astray),
        100.0 * static_cast<double>(outcome.astray) / static_cast<double>(outcome.followed),
        100.0 * static_cast<double>(outcome.died) / static_cast<double>(outcome.followed));
    if (changes <= 3) {
      EXPECT_EQ(outcome.astray, 0u) << outcome.first_astray;
    }
    EXPECT_EQ(outcome.followed, outcome.stories * kFlows);
  }
  EXPECT_EQ(outcomes[1].stories + outcomes[2].stories + outcomes[3].stories, 2u * 155);
  EXPECT_EQ(outcomes[4].stories, 625u);
  EXPECT_GT(outcomes[3].died, 0u);
}

// ---- Real packets of some of them ----

// The nodes' side: their tables, and who has which flow.
class Fleet {
 public:
  Fleet() {
    std::vector<VipEntry> fleet = {{ip("192.0.2.1"), 0, 0}};
    for (std::uint16_t id = 1; id <= Story::kNodes; ++id) fleet.push_back({FrontDoor::address_of(id), 0, 0});
    for (std::uint16_t id = 0; id <= Story::kNodes; ++id) {
      TableWriter writer(*planes_.emplace_back(std::make_unique<MemoryPlane>(1, 1)));
      writer.set_identity({.source_v4 = FrontDoor::address_of(id), .key = kKey});
      EXPECT_TRUE(writer.set_vips(fleet));
      for (std::uint16_t other = 1; other <= Story::kNodes; ++other)
        writer.set_node(other, FrontDoor::address_of(other));
    }
    flows_.resize(Story::kNodes + 1);
  }
  // Takes a packet from the front door to the node that delivers it, which it returns. A SYN is a new flow of
  // that node's.
  std::uint16_t deliver(FrontDoor& door, std::uint32_t flow, std::uint8_t flags) {
    const Endpoint client = client_of(flow);
    const test::Bytes packet = test::PacketBuilder()
                                   .ethernet()
                                   .ipv4(to_string(client.address), kVip)
                                   .tcp(client.port, 443, flags)
                                   .build();
    std::array<std::uint8_t, 256> memory{};
    PacketBuffer buffer{memory, 128, packet.size()};
    std::copy(packet.begin(), packet.end(), memory.begin() + 128);
    EXPECT_EQ(door.forward(buffer), GH_FORWARDED);
    for (int hop = 0; hop < GH_HOPS; ++hop) {
      const std::uint16_t node = memory[buffer.start + 14 + 19];  // 10.0.0.NODE in the outer header
      buffer.is_flow_here = flows_[node].contains(flow);
      Tables tables = planes_[node]->tables();
      const gh_verdict verdict = decapsulate(tables, buffer);
      if (verdict == GH_NODE_SENT_ON) continue;
      EXPECT_TRUE(verdict == GH_NODE_OWNED || verdict == GH_NODE_DELIVERED) << verdict;
      EXPECT_TRUE(std::equal(packet.begin() + 14, packet.end(),
                             memory.begin() + static_cast<std::ptrdiff_t>(buffer.start) + 14));
      if (flags == test::kSyn) flows_[node].insert(flow);
      return node;
    }
    ADD_FAILURE() << "flow " << flow << " goes round";
    return 0;
  }
  void kill(std::uint16_t node) { flows_[node].clear(); }

 private:
  std::vector<std::unique_ptr<MemoryPlane>> planes_;
  std::vector<std::set<std::uint32_t>> flows_;
};

TEST_F(Consistency, PacketsGoTheWaysThatTheFlowsAreSaidToGo) {
  FrontDoor door;
  std::mt19937 random(7);
  std::size_t packets = 0, sent_far = 0;
  for (int round = 0; round < 12; ++round) {
    Story story(static_cast<std::uint16_t>(round));
    Fleet fleet;
    std::vector<std::vector<std::uint16_t>> owners;
    std::vector<std::pair<std::uint32_t, std::size_t>> opened;  // flow, and the step at which it was opened
    for (;;) {
      door.write(story);
      owners.emplace_back();
      for (std::uint32_t slot = 0; slot < Story::kSlots; ++slot)
        owners.back().push_back(story.owner_of(slot));
      for (const auto& [flow, step] : opened) {
        const std::uint16_t owner = owners[step][slots_[flow]];
        if (story.has_died(owner, step)) continue;
        const std::uint16_t end = fleet.deliver(door, flow, test::kAck);
        ASSERT_EQ(end, end_of(story.ring[slots_[flow]], owner)) << story.told;
        ASSERT_EQ(end, owner) << story.told;
        sent_far += end != story.owner_of(slots_[flow]) ? 1 : 0;
        ++packets;
      }
      for (int i = 0; i < 1'000; ++i) {
        const auto flow =
            static_cast<std::uint32_t>(opened.size() * 241 + static_cast<std::size_t>(round));  // each once
        ASSERT_EQ(fleet.deliver(door, flow, test::kSyn), owners.back()[slots_[flow]]);
        opened.emplace_back(flow, story.steps);
      }
      if (story.steps == 3) break;
      story.apply(kChanges[random() % std::size(kChanges)]);
      for (std::uint16_t node = 1; node <= Story::kNodes; ++node) {
        if (story.deaths[node] == story.steps) fleet.kill(node);
      }
    }
  }
  std::printf("%zu packets, %zu of them not for the newest owner of their slot\n", packets, sent_far);
  EXPECT_GT(packets, 50'000u);
  EXPECT_GT(sent_far, 1'000u);
}

}  // namespace
}  // namespace gatehouse::l4
