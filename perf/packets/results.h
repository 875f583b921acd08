// The figures of all rounds, and what is made of them: net costs, the printed tables, the JSON measurements.
//   net of what leaves the packet as long as it was = raw - wrapper
//   net of what makes it longer                     = raw - wrapper - one move of the start (the wrapper's
//   own) one move of the start                           = (two moves - wrapper) / 2
// Differences are taken within a round, of cases with the same family and number of flows; only then is the
// median taken.
#pragma once

#include <map>
#include <utility>

#include "perf/measurement.h"
#include "perf/packets/user_bench.h"
#include "perf/packets/xdp_bench.h"

namespace gatehouse::perf {

class Results {
 public:
  using Column = std::pair<Family, std::uint32_t>;  // the number of flows

  void add(Target target, Column column, double nanoseconds) {
    xdp_[{target, column}].push_back(nanoseconds);
  }
  void add(UserBench::Target target, Column column, double nanoseconds) {
    user_[{target, column}].push_back(nanoseconds);
  }

  void print() const;
  std::vector<Measurement> measurements() const;

 private:
  struct Row {
    std::string name;
    std::vector<double> (Results::*values)(Target, Column) const;
    Target target;
  };
  static const std::vector<Row>& rows();
  std::vector<double> raw(Target target, Column column) const { return xdp_.at({target, column}); }
  std::vector<double> one_move(Target, Column column) const;
  std::vector<double> net(Target target, Column column) const;
  std::vector<double> user_raw(Target target, Column column) const;
  std::vector<double> user_net(Target, Column column) const;

  std::map<std::pair<Target, Column>, std::vector<double>> xdp_;
  std::map<std::pair<UserBench::Target, Column>, std::vector<double>> user_;
};

}  // namespace gatehouse::perf
