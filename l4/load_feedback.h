// Weights that follow load: each step moves the factors of the nodes' weights a little towards even use of
// their CPUs. A weight only says where new connections go, and those that are there stay: use follows slowly.
// So a step is bounded, takes into account which way use is going anyway, and leaves alone what is even
// enough; a node is left alone, too, while it says nothing of itself and until it has been there for a while.
// Pure: time is the caller's, one step per interval.
#pragma once

#include <cstdint>
#include <map>
#include <span>

namespace gatehouse::l4 {

class LoadFeedback {
 public:
  struct Settings {
    double step = 0.1;   // of a factor, at most, in one step
    double range = 4.0;  // a factor stays between 1 / range and range
  };
  // Of a node that owns slots and has reported since the last step.
  struct Load {
    std::uint16_t id = 0;
    double utilization = 0;  // of its CPUs by its workers, 0 to 1
  };
  using Factors =
      std::map<std::uint16_t, std::uint32_t>;  // in thousandths; a node that is not there has 1000

  // `factors` after one more step. `active`: how many nodes own slots, with those that have not reported.
  Factors step(Factors factors, std::span<const Load> loads, std::size_t active, const Settings& settings);

 private:
  struct Node {
    double use = 0;  // smoothed
    double deviation = 0;
    int steps = 0;  // in a row that it has reported
  };
  std::map<std::uint16_t, Node> nodes_;
  bool is_first_ = true;
  bool is_moving_ = false;
};

}  // namespace gatehouse::l4
