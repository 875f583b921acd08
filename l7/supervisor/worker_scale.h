// How many workers a node should run: what an operator set at run time, else what the config says: a number,
// one per core, or as many as the load needs, between bounds. What was decided is in a file, so that a
// restart neither adds nor ends workers.
//
// By load: one more when the workers used 70 % of the CPU time that they could have used for 3 s on end; one
// fewer when without it they would have used less than 50 % for 30 s on end.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/config/model.h"
#include "common/result.h"

namespace gatehouse::l7 {

class WorkerScale {
 public:
  static constexpr std::uint32_t kBusy = 700, kIdle = 500;  // thousandths
  static constexpr int kBusySeconds = 3, kIdleSeconds = 30;

  // `cores`: that this process may use.
  WorkerScale(std::string file, std::uint32_t cores);
  static std::uint32_t cores_here();

  void set_config(const config::Workers& workers);
  // From 1 to kMaxWorkers; "auto": as though the config said so; "config": what it says.
  Status set(const std::string& wanted);
  // Once a second; thousandths. Whether count() is another now.
  bool measure(std::optional<std::uint32_t> use);

  std::uint32_t count() const { return count_; }
  std::string configured() const;  // "2", "auto", "auto, 2 to 8"
  std::string why() const;         // who decided count()

 private:
  struct Bounds {
    std::uint32_t least, most;
  };
  bool is_by_load() const;
  Bounds bounds() const;
  void decide();
  void save() const;

  std::string file_;
  std::uint32_t cores_;
  config::Workers config_;
  std::string set_;            // by an operator; empty: nothing
  std::uint32_t by_load_ = 0;  // the last decision; 0: none yet
  std::uint32_t count_ = 1;
  int busy_ = 0, idle_ = 0;  // seconds on end
};

}  // namespace gatehouse::l7
