// The policies that pools may name. n: candidates.
#pragma once

#include <vector>

#include "l7/backend/balancer.h"
#include "l7/backend/hash_policy.h"

namespace gatehouse::l7 {

// Turns by weight, as evenly interleaved as they can be, and exact over any period: each candidate's turns
// are due at even distances on one line of time, the earliest is next (EDF). O(log n). One that cannot take
// its turn loses it.
class RoundRobin final : public Policy {
 public:
  explicit RoundRobin(const PolicyFacts& facts) : first_(facts.worker) {}
  void set(std::span<const Member> members, std::span<const Candidate> candidates) override;
  std::size_t choose(Occasion& occasion) override;

 private:
  struct Turn {
    double due = 0;
    std::size_t order = 0;  // among those that are due at once
    Candidate candidate;
    std::int64_t round = 0;  // turns that it has had in this period
    double phase = 0.5;      // of its turns
  };
  static bool is_later(const Turn& one, const Turn& other);
  static void set_due(Turn& turn);
  void advance(Turn& turn);
  void begin_period();
  std::vector<double> phases(std::size_t members) const;

  std::uint32_t first_;  // workers begin at different ones, so that their first requests do not meet
  std::vector<Turn> heap_;
  std::vector<Candidate> candidates_;
  double now_ = 0;  // when the last turn was due
  std::int64_t turns_ = 0, period_ = 0;
};

// The candidate that has least in flight for its weight, over all workers of the node. O(n), and no less will
// do: these counts are written by others all the time. With equal weights it is the minimum, exactly; those
// that share it take turns. With others, who without the request has already what the best one would have
// with it gets nothing, and the rest take turns by weight: so weights are honoured also while next to nothing
// is in flight.
class LeastRequest final : public Policy {
 public:
  explicit LeastRequest(const PolicyFacts& facts) : facts_(facts) {}
  void set(std::span<const Member> members, std::span<const Candidate> candidates) override;
  std::size_t choose(Occasion& occasion) override;

 private:
  struct Rival {
    Candidate candidate;
    const Backend* backend = nullptr;
    std::int64_t credit = 0;  // of smooth weighted turns
    std::uint64_t in_flight = 0;
    bool is_in = false;
  };
  PolicyFacts facts_;
  std::vector<Rival> rivals_;
};

// Draws by weight: O(log n).
class Lots {
 public:
  explicit Lots(std::uint64_t seed) : state_(seed) {}
  void set(std::span<const Candidate> candidates);
  // A place among the candidates; the second: any other than that. There must be one.
  std::size_t draw();
  std::size_t draw_beside(std::size_t place);
  std::size_t size() const { return sums_.size(); }

 private:
  std::uint64_t below(std::uint64_t limit);
  std::size_t place_of(std::uint64_t ticket) const;

  std::uint64_t state_;
  std::vector<std::uint64_t> sums_;
};

class WeightedRandom final : public Policy {
 public:
  explicit WeightedRandom(const PolicyFacts& facts) : lots_(facts.seed) {}
  void set(std::span<const Member> members, std::span<const Candidate> candidates) override;
  std::size_t choose(Occasion& occasion) override;

 private:
  Lots lots_;
  std::vector<Candidate> candidates_;
};

// Of two that are drawn by weight the one with the smaller load for its weight. O(log n).
class BestOfTwo : public Policy {
 public:
  explicit BestOfTwo(const PolicyFacts& facts) : facts_(facts), lots_(facts.seed) {}
  void set(std::span<const Member> members, std::span<const Candidate> candidates) final;
  std::size_t choose(Occasion& occasion) final;

 protected:
  virtual double load_of(const Backend& backend) const = 0;
  const PolicyFacts& facts() const { return facts_; }

 private:
  const PolicyFacts facts_;
  Lots lots_;
  std::vector<Candidate> candidates_;
  std::vector<const Backend*> backends_;
};

// By what they have in flight over all workers (Mitzenmacher, 2001).
class TwoChoices final : public BestOfTwo {
 public:
  using BestOfTwo::BestOfTwo;

 private:
  double load_of(const Backend& backend) const override;
};

// By that times how long the head of an answer takes lately: see peak_ewma.h.
class PeakEwma final : public BestOfTwo {
 public:
  using BestOfTwo::BestOfTwo;

 private:
  double load_of(const Backend& backend) const override;
};

// By the hash of the request (hash_policy.h); those without one take turns. O(1), of a ring O(log n), and
// O(n) more with a bound.
class Hashed final : public Policy {
 public:
  explicit Hashed(const PolicyFacts& facts);
  void set(std::span<const Member> members, std::span<const Candidate> candidates) override;
  std::size_t choose(Occasion& occasion) override;

 private:
  bool has_load_left(const Backend& backend, std::uint32_t share, std::uint64_t in_flight) const;

  PolicyFacts facts_;
  RoundRobin turns_;
  HashPolicy table_;
  std::vector<HashedMember> hashed_;  // that table_ was built of
  std::vector<const Backend*> backends_;
  std::vector<std::uint32_t> shares_;  // by member; 0: no candidate
  std::uint64_t sum_ = 0;              // of them
};

}  // namespace gatehouse::l7
