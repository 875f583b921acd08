// The site's membership as this L4 host knows it: an ordered log of generations. Rings are a pure function of it
// (ring_compiler.h), so two hosts with equal logs forward alike. The log is kept in a file, so that a restarted daemon
// goes on where the pinned tables are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace gatehouse::l4 {

enum class MemberState : std::uint8_t {
  kActive,    // owns slots
  kDraining,  // owns none; keeps its place in the hop lists
  kDown,      // owns none, is never a hop: nobody is there to take a packet
};
std::string_view to_string(MemberState state);

struct Member {
  std::uint16_t id = 0;
  std::uint32_t weight = 0;
  MemberState state = MemberState::kActive;
  bool operator==(const Member&) const = default;
};

struct Generation {
  std::uint16_t epoch = 0;
  std::int64_t time = 0;        // seconds since 1970
  std::vector<Member> members;  // in order of id
  bool operator==(const Generation&) const = default;
};

class Membership {
 public:
  // More generations than this are forgotten: a slot keeps four owners at most anyway.
  static constexpr std::size_t kMost = 8;

  // Appends `members` unless they equal the newest generation's. Returns whether anything changed.
  bool append(std::vector<Member> members, std::int64_t now);
  // Forgets generations that were replaced more than `seconds` ago. Returns whether anything changed.
  bool forget_older_than(std::int64_t seconds, std::int64_t now);
  const std::vector<Generation>& generations() const { return generations_; }  // oldest first

  // Atomic (written beside, then renamed). load() of a missing file is empty, of a broken one an Error; of more generations
  // than kMost it keeps the newest.
  Status save(const std::string& file) const;
  static Result<Membership> load(const std::string& file);

 private:
  void forget_repeated();
  std::vector<Generation> generations_;
};

}  // namespace gatehouse::l4
