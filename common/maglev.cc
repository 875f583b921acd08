#include "common/maglev.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/check.h"
#include "common/scramble.h"

namespace gatehouse {
namespace {

// x with number * x == 1 modulo `prime`; 0 < number < prime. By Euclid.
std::uint32_t inverse(std::uint32_t number, std::uint32_t prime) {
  std::int64_t left = prime, right = number, left_factor = 0, right_factor = 1;
  while (right != 0) {
    const std::int64_t quotient = left / right;
    left = std::exchange(right, left - quotient * right);
    left_factor = std::exchange(right_factor, left_factor - quotient * right_factor);
  }
  return static_cast<std::uint32_t>(left_factor < 0 ? left_factor + prime : left_factor);
}

// A member's walk over the slots: position + k * step modulo a prime visits each once.
struct Walk {
  std::uint32_t position;
  std::uint32_t step;
  std::uint32_t inverse_step;  // 0: not asked for yet
  std::uint32_t member;
};

struct Turns {
  std::uint64_t weight;
  std::uint64_t credit;
};

class Builder {
 public:
  Builder(std::span<const MaglevMember> members, std::uint32_t slots)
      : slots_(slots), ring_(slots, kNoMember), is_taken_((slots + 63) / 64) {
    std::vector<std::uint32_t> order(members.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&members](std::uint32_t left, std::uint32_t right) {
      return members[left].seed < members[right].seed;
    });
    for (const std::uint32_t index : order) {
      if (members[index].weight != 0) add(members[index], index);
    }
    while (4 * few_ * few_ < slots) few_ *= 2;  // measured: the cheapest place to change over
  }

  std::vector<std::uint32_t> run() {
    if (walks_.empty()) return std::move(ring_);
    std::uint64_t heaviest = 0;
    for (const Turns& turns : turns_) heaviest = std::max(heaviest, turns.weight);
    for (std::uint32_t left = slots_;;) {
      for (std::size_t i = 0; i < walks_.size(); ++i) {
        // In every round a member earns its weight and pays the heaviest's for a slot.
        turns_[i].credit += turns_[i].weight;
        if (turns_[i].credit < heaviest) continue;
        turns_[i].credit -= heaviest;
        left > few_ ? walk(walks_[i]) : jump(walks_[i]);
        if (--left == 0) return std::move(ring_);
      }
    }
  }

 private:
  void add(const MaglevMember& member, std::uint32_t index) {
    const std::uint64_t offset = scramble(member.seed);
    const std::uint64_t skip = scramble(offset);
    walks_.push_back({static_cast<std::uint32_t>(offset % slots_),
                      static_cast<std::uint32_t>(skip % (slots_ - 1) + 1), 0, index});
    turns_.push_back({member.weight, 0});
  }

  void take(Walk& walk, std::uint32_t slot) {
    is_taken_[slot / 64] |= 1ull << slot % 64;
    ring_[slot] = walk.member;
    walk.position = slot;
  }

  unsigned is_free(std::uint32_t slot) const { return ~(is_taken_[slot / 64] >> slot % 64) & 1; }
  // Of two numbers below slots_, modulo slots_; below 2^32 in between, since slots_ is checked to be at most
  // 2^31.
  std::uint32_t sum(std::uint32_t left, std::uint32_t right) const {
    return std::min(left + right, left + right - slots_);
  }

  // To the next free slot, step by step: four at a time, so that a CPU guesses wrong less often where the
  // walk ends.
  void walk(Walk& walk) {
    const std::uint32_t one = walk.step, two = sum(one, one), three = sum(two, one), four = sum(two, two);
    for (std::uint32_t position = walk.position;; position = sum(position, four)) {
      const std::uint32_t places[] = {position, sum(position, one), sum(position, two), sum(position, three)};
      const unsigned free =
          is_free(places[0]) | is_free(places[1]) << 1 | is_free(places[2]) << 2 | is_free(places[3]) << 3;
      if (free) return take(walk, places[__builtin_ctz(free)]);
    }
  }

  // The same when few slots are free, and most steps would lead to a taken one: which of them comes first in
  // the walk? The one at position + k * step is (slot - position) / step steps away.
  void jump(Walk& walk) {
    if (free_.empty()) {
      for (std::uint32_t slot = 0; slot < slots_; ++slot) {
        if (ring_[slot] == kNoMember) free_.push_back(slot);
      }
    }
    if (walk.inverse_step == 0) walk.inverse_step = inverse(walk.step, slots_);
    // Division by a constant of this call, as multiplication (Shoup): exact up to one subtraction for factors
    // below 2^32.
    const std::uint64_t factor = walk.inverse_step, quotient = (factor << 32) / slots_;
    std::uint64_t nearest = ~0ull;  // steps, then place among the free ones
    for (std::size_t i = 0; i < free_.size(); ++i) {
      const std::uint32_t distance = std::min(free_[i] - walk.position, free_[i] - walk.position + slots_);
      const auto product =
          static_cast<std::uint32_t>(factor * distance - (quotient * distance >> 32) * slots_);
      nearest = std::min(nearest, std::uint64_t{std::min(product, product - slots_)} << 32 | i);
    }
    const auto found = static_cast<std::uint32_t>(nearest);
    take(walk, free_[found]);
    free_[found] = free_.back();
    free_.pop_back();
  }

  std::uint32_t slots_;
  std::uint32_t few_ = 1;
  std::vector<std::uint32_t> ring_;
  std::vector<std::uint64_t> is_taken_;
  std::vector<Walk> walks_;
  std::vector<Turns> turns_;
  std::vector<std::uint32_t> free_;
};

}  // namespace

std::vector<std::uint32_t> build_maglev(std::span<const MaglevMember> members, std::uint32_t slots) {
  GH_CHECK(is_prime(slots));
  return Builder(members, slots).run();
}

bool is_prime(std::uint32_t number) {
  if (number < 2 || number > 1u << 31) return false;
  for (std::uint64_t divisor = 2; divisor * divisor <= number; ++divisor) {
    if (number % divisor == 0) return false;
  }
  return true;
}

}  // namespace gatehouse
