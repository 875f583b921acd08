// Balancing policies: which of a pool's candidates answers next. Who may be chosen at all (health, ejection,
// zone) is decided before, and seldom anew: a policy is told the candidates when they change and keeps what
// makes its choices cheap. Who has failed this very request or has no room for it is asked of the Occasion
// while it chooses.
//
// A new policy is a class in a file of its own, a line in the table of balancer.cc and its name in kPolicies
// (common/config/model_affinity.h); a test compares the two lists.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "common/config/model_http.h"
#include "l7/backend/backend.h"

namespace gatehouse::l7 {

inline constexpr std::uint32_t kWarm = 256;
inline constexpr std::size_t kNobody = static_cast<std::size_t>(-1);

struct Member {
  BackendPin backend;
  std::uint64_t key = 0;   // what affinity and hashes know it by
  std::uint32_t base = 1;  // weight of the config
  bool is_backup = false;
  bool is_near = true;           // of our own zone, or zones do not matter
  std::uint32_t weight = 1;      // that holds now; 0: it gets nothing
  std::uint32_t warmth = kWarm;  // of kWarm: the part of its weight that one in slow start has reached
  std::uint8_t rank = 0;         // as of the last look
  bool is_down = false;          // as was last seen by Pool::end_stays()

  std::uint32_t share() const { return weight * warmth; }
};

struct Candidate {
  std::size_t index = 0;    // among the members
  std::uint32_t share = 0;  // of requests, relative to the others; never 0
  bool operator==(const Candidate&) const = default;
};

// What a request says about who should answer it.
struct Wish {
  std::span<Backend* const> tried;  // these have failed it
  Backend* bound = nullptr;         // its client's, by affinity
  std::optional<std::uint64_t> hash;
};

// One choice.
class Occasion {
 public:
  Occasion(std::span<const Member> members, const Wish& wish, const config::Limits& limits)
      : members_(members), wish_(wish), limits_(limits) {}

  const Wish& wish() const { return wish_; }
  // Whether the member may get this request: it has not failed it and has room. That one had none is
  // remembered.
  bool takes(std::size_t index);
  bool was_full() const { return was_full_; }

 private:
  std::span<const Member> members_;
  const Wish& wish_;
  const config::Limits& limits_;
  bool was_full_ = false;
};

class Policy {
 public:
  virtual ~Policy() = default;
  // From now on, and in place of those before. Members stay where they are for as long as the policy lives.
  virtual void set(std::span<const Member> members, std::span<const Candidate> candidates) = 0;
  // The index of a candidate that takes it; kNobody when none is found, which may only mean that it gave up
  // early.
  virtual std::size_t choose(Occasion& occasion) = 0;
};

// What policies know beside their candidates.
struct PolicyFacts {
  const config::Pool& config;
  const PoolCell& cell;  // of the board
  const Board& board;
  const EventLoop& loop;
  std::uint32_t worker = 0;
  std::uint64_t seed = 0;  // of what is random
};

std::unique_ptr<Policy> make_policy(const PolicyFacts& facts);
bool has_policy(std::string_view name);

}  // namespace gatehouse::l7
