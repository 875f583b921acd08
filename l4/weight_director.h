// Who decides about the factors of the nodes' weights (load_feedback.h), and what they are. One L4 host
// decides, the first of the config: hosts that each decided for themselves would forward unlike. It tells the
// others by way of nodes, which have links to all; a host that is told nothing goes on with what it has, and
// so do all when the first one is away. A daemon that starts goes on with the factors of its membership log.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/control/messages.h"
#include "common/event_loop.h"
#include "l4/load_feedback.h"
#include "l4/membership.h"

namespace gatehouse::l4 {

class WeightDirector {
 public:
  struct Site {
    std::function<std::vector<std::uint16_t>()> owners;  // the nodes that own slots
    std::function<void()> on_change;                     // of factors
  };
  // `host`: the name of this one.
  WeightDirector(EventLoop& loop, std::string host, Site site)
      : loop_(loop), host_(std::move(host)), site_(std::move(site)) {}

  void set_config(const config::Config& config);
  void recall(const Generation& newest);
  // A node that is another machine now.
  void forget(std::uint16_t node) { factors_.erase(node); }
  void on_report(const control::NodeReport& report);
  // Said by the one that decides, once per step, whatever came of it.
  void on_say(std::function<void(const control::Weights&)> say) { say_ = std::move(say); }
  // Heard from a node. Returns whether it is news.
  bool hear(const control::Weights& weights);

  std::uint32_t factor_of(std::uint16_t node) const;
  bool decides() const { return is_on_ && decider_ == host_; }

 private:
  struct Sum {
    double use = 0;
    int reports = 0;
  };
  void step();
  void set(LoadFeedback::Factors factors);

  EventLoop& loop_;
  std::string host_;
  Site site_;
  std::function<void(const control::Weights&)> say_;
  bool is_on_ = false;
  std::string decider_;
  Duration interval_{0};
  LoadFeedback::Settings settings_;
  LoadFeedback feedback_;
  LoadFeedback::Factors factors_;
  std::map<std::uint16_t, Sum> sums_;  // since the last step
  std::uint64_t version_ = 0;          // heard last
  Timer step_;
};

}  // namespace gatehouse::l4
