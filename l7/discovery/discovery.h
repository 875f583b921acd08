// The sources of all pools that have some, and what they found. The supervisor's alone: workers are told.
// What was found is kept in a file, so that the next supervisor goes on with it before anybody has answered.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "l7/discovery/source.h"

namespace gatehouse::l7 {

class Discovery {
 public:
  // `file`: in the state folder; empty: nothing is kept. `on_change`: the backends of a pool in use are
  // others.
  Discovery(EventLoop& loop, std::string file, std::function<void(const std::string& pool)> on_change);
  ~Discovery();

  // Before the first config is used: what the file says, and, where it says nothing, what sources answer
  // within `limit`. Returns by then.
  void begin(const config::Config& config, Duration limit);
  // Calls `on_ready` from the loop when each source of `config` has said something, or `limit` is over.
  // Sources that are new begin; those in use go on. Another call takes the place of the one before, whose
  // on_ready is not called.
  void prepare(const config::Config& config, Duration limit, std::function<void()> on_ready);
  // `config` may soon be in use: sources that are new begin. Those of one that is refused end with the next use().
  void look_ahead(const config::Config& config);
  // `config` is about to be in use: adds to its pools what was found. Other sources end.
  void use(config::Config& config);
  // Ends sources that prepare() began for a config that is not in use.
  void forget_others();
  // All backends of a pool in use: those that its config lists, then those that were found elsewhere.
  Backends backends_of(const std::string& pool) const;
  // {source, is_ok, backends, answers, failures, changes, returned, reason, age_ms, next_ms}; null: it has no
  // source.
  nlohmann::json report(const std::string& pool) const;

 private:
  struct Entry {
    std::string key;
    std::unique_ptr<BackendSource> source;
    Backends listed;
  };
  using Entries = std::map<std::string, Entry>;  // by key
  static std::string key_of(const config::Pool& pool);
  Entry& entry_of(const config::Pool& pool);
  void want(const config::Config& config);
  bool has_all_spoken() const;
  void on_source(const std::string& key);
  void check_ready();
  void on_ready_limit();
  nlohmann::json memory() const;
  void remember(const nlohmann::json& memory);
  void load();
  void save();

  EventLoop& loop_;
  std::string file_;
  std::function<void(const std::string&)> on_change_;
  Entries entries_;
  std::map<std::string, std::string> used_;  // keys by pool
  std::vector<std::string> wanted_;          // keys that on_ready_ waits for
  std::function<void()> on_ready_;
  Timer limit_;
  Deferred ready_;
  Deferred save_;
};

}  // namespace gatehouse::l7
