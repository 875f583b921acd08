// Health of all backends of a config: one HealthCheck per backend and pool, once per node, its verdict on the board. A
// reload keeps the checks, and with them the verdicts, of backends that stay.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/control/messages.h"
#include "l7/board.h"
#include "l7/health/health_check.h"

namespace gatehouse::l7 {

class Prober {
 public:
  Prober(EventLoop& loop, Board& board, std::function<void()> on_change);
  void set_config(const config::Config& config, const TlsFiles& files);
  // Discovery has changed the backends of a pool of `config`, which is otherwise the one in use.
  void set_backends(const config::Config& config, const config::Pool& pool, const TlsFiles& files);
  std::vector<control::BackendReport> report() const;

 private:
  struct Checked {
    // A check of one does for the other: nothing starts anew.
    bool is_of_one_kind_with(const Checked& other) const {
      return plan->fingerprint == other.plan->fingerprint && is_disabled == other.is_disabled;
    }

    SharedHealthPlan plan;  // of its pool
    Endpoint address;
    bool is_disabled = false;
    std::uint32_t weight = 1;
    bool is_backup = false;
    std::string zone;
    BackendCell* cell = nullptr;
    std::unique_ptr<HealthCheck> check;  // nullptr: not checked
  };
  void check_pool(const config::Pool& pool, const TlsFiles& files, std::map<std::uint64_t, Checked>& kept);
  void make_room(const config::Config& config);
  void start(Checked& checked, Duration offset);
  void publish(std::uint64_t key);
  void note_pass(std::uint64_t key);
  std::string reason_of_ejection(const BackendCell& cell, bool is_checked) const;

  EventLoop& loop_;
  Board& board_;
  std::function<void()> on_change_;
  BufferPool buffers_;
  PrivateKeyReader keys_;
  std::map<std::uint64_t, Checked> checked_;
  std::vector<std::uint64_t> order_;  // of the config
  std::int64_t starts_ = 0;           // of checks: they are spread
};

}  // namespace gatehouse::l7
