// Turns what is known of the site into what is forwarded: config × membership → tables. Membership is positive evidence
// only: a node joins by hello and probes, leaves by failed probes, a drain or the config; the loss of its control
// connection changes nothing. Every change makes a generation; rings follow from the generations (ring_compiler.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/control/messages.h"
#include "common/event_loop.h"
#include "l4/data_plane.h"
#include "l4/guard_control.h"
#include "l4/membership.h"
#include "l4/node_probe.h"
#include "l4/ring_keeper.h"
#include "l4/service_director.h"
#include "l4/table_writer.h"
#include "l4/weight_director.h"

namespace gatehouse::l4 {

class Director {
 public:
  struct Options {
    config::L4Host host;
    std::string membership_file;
    std::string drain_file;  // of services' servers
  };
  // `plane` outlives the director.
  Director(EventLoop& loop, DataPlane& plane, Options options);

  // Reads the membership log, fills the tables, starts to probe.
  Status start(const config::Config& config);
  // Whether set_config() would take it, now: nothing that forwards changes.
  Status check(const config::Config& config);
  // Switches to another config; an Error changes nothing.
  Status set_config(const config::Config& config);

  // A node has said hello, or what it is; `id` must be known (find_node).
  void on_hello(std::uint16_t id);
  void on_report(const control::NodeReport& report);

  struct Node {
    config::Node config;
    bool has_joined = false;      // by hello, or by a membership log of before
    std::unique_ptr<NodeProbe> probe;
    bool is_up = false;           // what the ring goes by: see Director::judge
    control::NodeReport report;   // the last one; is_draining stays when the link is lost
    bool has_report = false;
    // Since when it drains and reports no connection.
    std::optional<EventLoop::Clock::time_point> empty_since;
  };
  const Node* find_node(std::uint16_t id) const;
  const std::map<std::uint16_t, Node>& nodes() const { return nodes_; }
  MemberState state_of(const Node& node) const;
  const config::Config& config() const { return config_; }
  const Membership& membership() const { return membership_; }
  RingKeeper& rings() { return rings_; }
  std::uint16_t vip_number(const config::Vip& vip) const;
  // From the last evidence that changed anything to the last slot that was written for it.
  std::chrono::microseconds last_change() const { return last_change_; }
  DataPlane& plane() { return plane_; }
  ServiceDirector& services() { return services_; }
  GuardControl& guard() { return guard_; }
  WeightDirector& weights() { return weights_; }

 private:
  Status check_flow_key(const config::Config& config) const;
  Result<std::vector<VipEntry>> numbered_vips(const config::Config& config, const Rosters& rosters);
  std::shared_ptr<const Rosters> next_rosters(const config::Config& config) const;
  void write_identity(const config::Config& config);
  void write_nodes(const config::Config& config);
  std::vector<VipEntry> vips_of(const config::Config& config) const;
  void update_nodes(bool is_same_probe);
  void recall(Node& node) const;
  std::unique_ptr<NodeProbe> make_probe(std::uint16_t id, bool is_up);
  void judge();
  std::vector<std::uint16_t> proofs() const;
  std::vector<std::uint16_t> owners() const;
  void change_soon();
  void change();
  bool decide();
  std::optional<std::vector<Member>> members();
  Status bring_tables();
  void say_change();
  void on_first_wait_over();
  void on_forget_time();

  EventLoop& loop_;
  DataPlane& plane_;
  TableWriter writer_;
  GuardControl guard_;
  Options options_;
  ServiceDirector services_;
  config::Config config_;
  Membership membership_;
  RingKeeper rings_;
  WeightDirector weights_;
  std::shared_ptr<const Rosters> rosters_;
  std::map<std::uint16_t, Node> nodes_;
  std::uint64_t flow_key_[4] = {};
  std::optional<std::chrono::steady_clock::time_point> change_due_since_;
  std::chrono::microseconds last_change_{0};
  Deferred change_;
  std::map<std::uint16_t, std::string> said_;  // states, in the log
  bool is_first_wait_over_ = false;
  Timer judge_;
  Timer first_wait_;
  Timer forget_;
};

// The flow hash's key: from the content of the site's secret file; a fixed one without.
Status read_flow_key(const std::string& secret_file, std::uint64_t (&key)[4]);

}  // namespace gatehouse::l4
