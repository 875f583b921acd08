// The table of what is measured: per case the launches that stand beside each other, which figure of a window
// counts, and what is demanded of the first entry. Selected by `--case REGEX` over the names.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "perf/http/bench.h"

namespace gatehouse::perf {

struct Figure {
  // What `must` and `goal` are about: ours ÷ the best peer's, ours, ours − the best peer's.
  enum class Demand { kNone, kRatio, kValue, kDifference };

  std::string name;  // "CPU"
  std::string unit;  // "us/request"
  double Window::*member;
  Demand demand = Demand::kNone;
  double must = 0;
  double goal = 0;  // 0: none
};

struct Entry {
  enum class Role {
    kOurs,
    kPeer,
    kControl,  // the first peer once more: how far two equals differ
    kFloor,    // what no proxy in user space can undercut
    kOther,
  };
  std::string name;
  Role role;
  Proxy proxy;
  Load load;
};

struct Case {
  std::string name;
  std::string title;
  Task task = Task::kTime;
  std::vector<Figure> figures;
  std::vector<Entry> entries;
  bool is_saturated = true;  // the proxy's core must be busy
  int rounds = 7;
  bool may_lack_ours = false;  // gatehouse-l7 that cannot do this yet is skipped with its message
};

std::vector<Case> all_cases();

}  // namespace gatehouse::perf
