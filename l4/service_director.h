// Turns what is known of services into what is forwarded: config × checks × drains → rings of servers, and
// who is usable. The director of nodes owns one and asks it what a VIP's entry says.
//   in the ring   up, does not drain, has weight: gets new flows
//   usable        in the ring, or draining until its time is over: keeps the flows that the flow cache
//   remembers
// Positive evidence only: a server whose checks fail leaves when another's succeed all the while; when nobody
// is left the ring stays as it is. Drains are kept in a file, so that a restarted daemon goes on with them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "l4/server_check.h"
#include "l4/service_flows.h"
#include "l4/service_writer.h"
#include "l4/slot_owners.h"
#include "l4/table_writer.h"

namespace gatehouse::l4 {

class ServiceDirector {
 public:
  struct Options {
    config::L4Host host;
    std::string drain_file;
  };
  // `plane` and `tables` outlive it.
  ServiceDirector(EventLoop& loop, DataPlane& plane, TableWriter& tables, Options options);

  // Reads the drains of an earlier daemon.
  Status start();
  // What the entries of `config`'s VIPs, in its order, say of their services. VIPs of none are left as they are.
  void describe(const config::Config& config, std::span<VipEntry> vips) const;
  // Whether prepare() would take it.
  Status check(const config::Config& config, std::span<const VipEntry> vips) const;
  // The switch to another config has two steps, between which the director switches the VIP table. prepare() may fail, changing
  // nothing; `vips` are the config's, described and numbered.
  Status prepare(const config::Config& config, std::span<const VipEntry> vips);
  void finish();

  bool has_server(const std::string& name) const { return find(name) != nullptr; }
  // Fails when the drain cannot be kept; it is under way then all the same.
  Status drain(const std::string& name, bool is_on);

  enum class State { kActive, kDraining, kDrained, kDown };
  struct Server {
    config::Server config;
    std::unique_ptr<ServerCheck> check;
    std::unique_ptr<ServerCheck::Target> target;
    bool is_up = false;  // what the ring goes by: see judge()
    double share = 0;    // of the ring's slots
  };
  struct Service {
    config::Service config;
    std::uint16_t number = 0;
    std::map<std::uint16_t, Server> servers;
    std::vector<RingMember> ring;  // what was written last
  };
  const std::map<std::string, Service>& services() const { return services_; }
  State state_of(const Service& service, const Server& server) const;
  // Of a server, as of the last walk through the flow cache.
  std::uint64_t flows_of(std::uint16_t id) const { return sweep_.flows_of(id); }
  std::uint64_t flows() const { return sweep_.flows(); }

 private:
  const Server* find(const std::string& name) const;
  Result<ServiceSet> make_set(const config::Config& config, const std::map<std::string, std::uint16_t>& numbers,
                              std::span<const VipEntry> vips) const;
  Status check_room(const config::Config& config, const std::map<std::string, std::uint16_t>& numbers) const;
  std::map<std::string, std::uint16_t> choose_numbers(const config::Config& config) const;
  std::optional<std::uint16_t> number_in_tables(const config::Config& config,
                                                const config::Service& service) const;
  void take_over(const config::Config& config, const std::map<std::string, std::uint16_t>& numbers);
  Server make_server(const config::Config& config, Service& service, const config::Server& server,
                     Server* before);
  ServerCheck::Target target_of(const config::Config& config, const config::Service& service,
                                const config::Server& server) const;
  bool is_usable_in_tables(std::uint16_t id, std::uint16_t number) const;
  void judge();
  bool is_path_proven(std::uint16_t except) const;
  std::vector<RingMember> members_of(const Service& service) const;
  void write(Service& service);
  void write_usable(const Service& service);
  bool is_draining(const config::Server& server) const {
    return drains_.contains(server.name) || server.weight == 0;
  }
  bool is_drained(const Service& service, const config::Server& server) const;
  Status save_drains() const;

  EventLoop& loop_;
  DataPlane& plane_;
  TableWriter& tables_;
  ServiceWriter writer_;
  Options options_;
  std::map<std::string, Service> services_;
  // Servers and rings to be taken away when the VIPs have been switched.
  std::vector<std::uint16_t> gone_servers_;
  std::vector<std::uint16_t> gone_groups_;
  std::map<std::string, std::int64_t> drains_;  // by server: since when, seconds since 1970
  FlowSweep sweep_;
  Timer judge_;
};

std::string_view to_string(ServiceDirector::State state);

// The room that a plane should have. What it has it keeps: to grow beyond, a daemon begins anew.
std::uint32_t flow_lines_of(const config::Config& config);
std::uint32_t service_room_of(const config::Config& config);

}  // namespace gatehouse::l4
