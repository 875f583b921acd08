// A site whose membership changes, for the consistency test: the real log and ring compiler, and beside them
// who really owns which flows. A story goes on from a copy of another, so that all of them can be told as a
// tree.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "common/check.h"
#include "l4/membership.h"
#include "l4/ring_compiler.h"

namespace gatehouse::l4 {

enum class Change { kDrain, kDeath, kReturn, kWeight, kFailover };
inline constexpr Change kChanges[] = {Change::kDrain, Change::kDeath, Change::kReturn, Change::kWeight,
                                      Change::kFailover};
inline const char* to_string(Change change) {
  constexpr const char* kNames[] = {"drain", "death", "return", "weight", "failover"};
  return kNames[static_cast<int>(change)];
}

struct Story {
  static constexpr std::uint32_t kSlots = 65537;
  static constexpr std::uint16_t kNodes = 14;
  static constexpr std::uint16_t kActive = 10;  // at first; the others are down

  // `turn` decides which nodes the changes are about.
  explicit Story(std::uint16_t turn = 0) : turn(turn) {
    for (std::uint16_t id = 1; id <= kNodes; ++id) {
      members.push_back({id, 100, id <= kActive ? MemberState::kActive : MemberState::kDown});
    }
    for (std::uint16_t id = kActive + 1; id <= kNodes; ++id) away.push_back(id);
    deaths.assign(kNodes + 1, 0);
    proceed();
  }

  void apply(Change change) {
    ++steps;
    switch (change) {
      case Change::kDrain:
        leave(MemberState::kDraining);
        break;
      case Change::kDeath:
        leave(MemberState::kDown);
        break;
      case Change::kReturn:
        come_back();
        break;
      case Change::kWeight:
        weigh();
        break;
      case Change::kFailover:
        fail_over();
        break;
    }
    proceed();
  }

  std::uint16_t owner_of(std::uint32_t slot) const { return gh_slot_hop(ring[slot], 0); }
  // Since step `since` the process that owned the flows of then has ended.
  bool has_died(std::uint16_t node, std::size_t since) const { return deaths[node] > since; }

  std::uint16_t turn;
  std::size_t steps = 0;
  std::vector<Member> members;
  std::vector<std::uint16_t> away;  // the one that left last is last
  std::vector<std::size_t> deaths;  // by node: the step of its last death; 0: none
  Membership log;
  RingCompiler compiler{kSlots};
  std::vector<std::uint64_t> ring = std::vector<std::uint64_t>(kSlots);
  // What the change was about.
  std::string told;

 private:
  // One that is active, another in every step.
  Member& choose() {
    for (std::size_t i = 0;; ++i) {
      Member& member = members[(turn + 3 * steps + i) % members.size()];
      if (member.state == MemberState::kActive) return member;
    }
  }
  void leave(MemberState state) {
    Member& leaving = choose();
    leaving.state = state;
    away.push_back(leaving.id);
    if (state == MemberState::kDown) deaths[leaving.id] = steps;
    tell(state == MemberState::kDown ? "death of " : "drain of ", leaving.id);
  }
  void come_back() {
    const std::uint16_t id = away.back();
    away.pop_back();
    members[id - 1u].state = MemberState::kActive;
    tell("return of ", id);
  }
  void weigh() {
    Member& member = choose();
    member.weight += 60;
    tell("more weight of ", member.id);
  }
  // Another process goes on, which has the log and nothing else.
  void fail_over() {
    std::string file = "/tmp/gatehouse-consistency-XXXXXX";
    const int descriptor = mkstemp(file.data());
    GH_CHECK(descriptor >= 0 && log.save(file));
    auto loaded = Membership::load(file);
    GH_CHECK(loaded && loaded->generations() == log.generations());
    log = std::move(*loaded);
    close(descriptor);
    std::filesystem::remove(file);
    compiler = RingCompiler(kSlots);
    ring.assign(kSlots, 0);
    told += " failover;";
  }
  void tell(const char* what, std::uint16_t node) {
    told += " " + std::string(what) + std::to_string(node) + ";";
  }

  void proceed() {
    log.append(members, static_cast<std::int64_t>(steps));
    std::vector<RingCompiler::Step> steps_of_log;
    for (const Generation& generation : log.generations()) steps_of_log.push_back({&generation, nullptr});
    for (const SlotWord& word : compiler.follow(steps_of_log)) ring[word.slot] = word.word;
  }
};

// Where a packet of a flow that `owner` has ends: by the rules of a node (bpf/decap.h), which the first with
// the flow or the last hop delivers.
inline std::uint16_t end_of(std::uint64_t hops, std::uint16_t owner) {
  std::uint16_t last = 0;
  for (int place = 0; place < GH_HOPS; ++place) {
    const std::uint16_t hop = gh_slot_hop(hops, place);
    if (hop == 0) break;
    last = hop;
    if (hop == owner) break;
  }
  return last;
}

}  // namespace gatehouse::l4
