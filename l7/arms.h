// The pools of a route that has several, with their shares (the Gateway API's weighted backendRefs). A place
// in [0, 1), as a 64-bit fraction, falls into the share of one of them; shares lie side by side in the order
// of the config, so that another weight moves only the places between neighbours, and no more of them than it
// must.
//
// Weights that were set at run time are on the board, where all workers see them at once. One holds as long
// as the config's own weight is the one that it was set over.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/config/model_routes.h"
#include "l7/board.h"

namespace gatehouse::l7 {

class Pool;

std::uint64_t arm_key(std::string_view route, std::string_view pool);
// A weight set over `base`, as ArmCell::adjusted keeps it; 0: none was.
std::uint64_t pack_adjusted(std::uint32_t weight, std::uint32_t base);
// What holds now of a config's weight.
std::uint32_t weight_now(std::uint64_t adjusted, std::uint32_t base);

class Arms {
 public:
  struct Arm {
    Pool* pool = nullptr;
    std::uint32_t base = 1;
    ArmCell* cell = nullptr;  // nullptr: the board is full
  };
  // `random` is where its first places lie.
  Arms(std::vector<Arm> arms, Board& board, std::uint64_t random);

  // Whose share `place` is in; counted. nullptr: every weight is 0.
  Pool* choose(std::uint64_t place);
  // For a request that brings no place. One after the other they are spread as evenly as can be (additive
  // recurrence of the golden ratio), so that shares are true after few requests, not only on average.
  std::uint64_t next_place() { return place_ += 0x9e3779b97f4a7c15; }

 private:
  struct Share {
    std::uint64_t last;  // place in it
    std::size_t arm;
  };
  void compile();

  Board& board_;
  std::vector<Arm> arms_;
  std::vector<Share> shares_;  // of those that have one, in order
  std::uint64_t version_ = 0;
  std::uint64_t place_;
};

}  // namespace gatehouse::l7
