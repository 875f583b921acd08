// The windows of all launches, and what is made of them: per load a table of the proxies, ours against each
// peer by the ratio of medians and of minima, and the control, a peer against itself.
#pragma once

#include <map>

#include "perf/http/bench.h"
#include "perf/measurement.h"

namespace gatehouse::perf {

class Results {
 public:
  // `is_conclusive`: others left the machine alone during the window.
  void add(const Load& load, Proxy proxy, const Window& window, bool is_conclusive);
  void print() const;
  std::vector<Measurement> measurements() const;

 private:
  struct Series {
    std::vector<Window> windows;
    int inconclusive = 0;
    Summary of(double Window::*figure) const;
  };
  using Group = std::map<Proxy, Series>;

  static void print_group(const std::string& title, const Group& group);
  static void print_ratios(const Group& group);

  std::vector<std::pair<std::string, Group>> groups_;  // by load, in the order of measuring
};

}  // namespace gatehouse::perf
