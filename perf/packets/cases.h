// What is measured: every case with its place in the tables of results.h.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "perf/packets/front_door_bench.h"
#include "perf/packets/node_bench.h"
#include "perf/packets/results.h"
#include "perf/packets/user_bench.h"

namespace gatehouse::perf {

struct Case {
  std::string section, row, column;
  std::function<Result<double>(std::uint64_t packets)> measure;
};

// Owns the benches that the cases call.
class Cases {
 public:
  // `folder` is on a BPF file system.
  static Result<std::unique_ptr<Cases>> make(const std::string& folder, Results& results);
  std::vector<Case>& all() { return cases_; }

 private:
  explicit Cases(Results& results) : results_(results) {}
  Status open(const std::string& folder);
  void add_row(const RowSpec& row, const std::string& column, std::function<Result<double>(std::uint64_t)> measure);
  void add_front_door();
  Status add_guard(const std::string& folder);
  Status add_scale(const std::string& folder);
  void add_node();
  void add_user();

  Results& results_;
  std::unique_ptr<Wrapper> wrapper_;
  std::unique_ptr<FrontDoorBench> usual_;
  std::unique_ptr<FrontDoorBench> guarded_;
  std::vector<std::unique_ptr<FrontDoorBench>> scaled_;
  std::unique_ptr<NodeBench> node_;
  std::unique_ptr<UserBench> user_;
  std::vector<Case> cases_;
  std::vector<std::string> declared_;
};

}  // namespace gatehouse::perf
