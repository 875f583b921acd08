// Where the further backends of one pool come from, and what is known of them. What a source says is
// published when it differs from before; while it says nothing, or nothing that can be used, the last
// backends stay.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/config/model_http.h"
#include "common/event_loop.h"
#include "common/result.h"

namespace gatehouse::l7 {

using Backends = std::vector<config::Backend>;

class BackendSource {
 public:
  using Changed = std::function<void()>;

  // `name`: "dns api.internal:8080", for messages. Keeps its `options`, which are always of the same source.
  BackendSource(EventLoop& loop, std::string pool, std::string name, const config::Discovery& options,
                Changed changed);
  virtual ~BackendSource() = default;
  BackendSource(const BackendSource&) = delete;

  virtual void set_options(const config::Discovery& options) { options_ = options; }
  // Whether it has said anything yet: backends, that there are none, or that it cannot say.
  bool has_spoken() const { return has_spoken_; }
  const Backends& backends() const { return backends_; }
  // As "status" shows it.
  nlohmann::json report() const;

  // What a later supervisor begins with: {backends, said_at, ask_at}, in milliseconds of the calendar; null:
  // nothing yet.
  nlohmann::json memory() const;
  // Of the same source. What is not as memory() writes it is ignored.
  void remember(const nlohmann::json& memory);

 protected:
  // `until_next`: time to ask again; below 0: it has been for so long.
  virtual void on_remembered(Duration until_next) { static_cast<void>(until_next); }
  // It has said what its backends are; `trouble`: what it could not say. Also when they are what they were.
  void publish(Backends backends, const std::string& trouble = {});
  // It has not.
  void fail(const std::string& trouble);
  void expect_next(Duration wait) { next_ = EventLoop::Clock::now() + wait; }

  EventLoop& loop_;
  const std::string pool_;
  const std::string name_;
  config::Discovery options_;
  std::uint64_t returned_ = 0;  // backends that left and soon were there again

 private:
  void log_change(const Backends& earlier) const;
  void note_trouble(const std::string& trouble, const std::string& consequence);

  Changed changed_;
  Backends backends_;
  bool has_spoken_ = false;
  bool has_said_ = false;  // something that could be used
  EventLoop::Clock::time_point said_{};
  EventLoop::Clock::time_point next_{};
  std::string trouble_;  // empty: all is well
  std::uint64_t answers_ = 0, failures_ = 0, changes_ = 0;
};

}  // namespace gatehouse::l7
