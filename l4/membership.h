// The site's membership as this L4 host knows it: an ordered log of generations. Rings are a pure function of
// it (ring_compiler.h), so two hosts with equal logs forward alike. The log is kept in a file, so that a
// restarted daemon goes on where the pinned tables are.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/result.h"

namespace gatehouse::l4 {

enum class MemberState : std::uint8_t {
  kActive,    // owns slots
  kDraining,  // owns none; keeps its place in the hop lists
  kDown,      // owns none, is never a hop: nobody is there to take a packet
};
std::string_view to_string(MemberState state);

struct Member {
  static constexpr std::uint32_t kNeutral = 1'000;

  std::uint16_t id = 0;
  std::uint32_t weight = 0;
  MemberState state = MemberState::kActive;
  std::uint32_t factor = kNeutral;  // of the weight, in thousandths: what load feedback made of it
  IpAddress address;                // unspecified: not known
  bool operator==(const Member&) const = default;
};

// The members that a VIP's ring is made of, in order of id.
struct Roster {
  static constexpr std::uint32_t kOwnWeight = 0xffffffff;  // the member's

  struct Entry {
    std::uint16_t id = 0;
    std::uint32_t weight = kOwnWeight;
    auto operator<=>(const Entry&) const = default;
  };
  std::string name;  // VIPs whose rosters differ by name only do not share a ring
  std::vector<Entry> entries;
  auto operator<=>(const Roster&) const = default;
};
// By VIP ("198.51.100.10:443/tcp"); VIPs of equal rosters have the same one.
using Rosters = std::map<std::string, std::shared_ptr<const Roster>>;

// "1-3,7=50": ids, and the weight where it is not the member's own.
std::string to_string(const std::vector<Roster::Entry>& entries);
Result<std::vector<Roster::Entry>> parse_entries(std::string_view text);

struct Generation {
  std::uint16_t epoch = 0;
  std::int64_t time = 0;                             // seconds since 1970
  std::vector<Member> members;                       // in order of id
  std::shared_ptr<const Rosters> rosters = nullptr;  // nullptr: every VIP's is all members
  bool operator==(const Generation& other) const;
};

class Membership {
 public:
  // More generations than this are forgotten. A slot keeps four owners at most, but not every generation
  // moves every slot.
  static constexpr std::size_t kMost = 64;

  // Appends a generation unless it says what the newest one says. Returns whether anything changed.
  bool append(std::vector<Member> members, std::int64_t now,
              std::shared_ptr<const Rosters> rosters = nullptr);
  // Forgets generations that were replaced more than `seconds` ago. Returns whether anything changed.
  bool forget_older_than(std::int64_t seconds, std::int64_t now);
  const std::vector<Generation>& generations() const { return generations_; }  // oldest first

  // Atomic (written beside, then renamed): from then on a process that starts finds it. What the host's end
  // must not take is also synced. load() of a missing file is empty, of a broken one an Error; of more
  // generations than kMost it keeps the newest.
  Status save(const std::string& file) const;
  static Status sync(const std::string& file);
  static Result<Membership> load(const std::string& file);

 private:
  void forget_repeated();
  std::vector<Generation> generations_;
};

}  // namespace gatehouse::l4
