// Says by addresses on interfaces what a BGP daemon of this host is to announce: config × health of nodes and
// servers × drain of the host → anchor devices. Works as long as the event loop turns: addresses are kept for
// `bgp.withdraw_after` at a time. A restarted daemon takes the interfaces over from the service manager, and
// nobody notices.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/config/announcement.h"
#include "common/event_loop.h"
#include "l4/anchor_device.h"
#include "l4/announce_policy.h"
#include "l4/director.h"

namespace gatehouse::l4 {

class Announcer {
 public:
  struct Options {
    std::string drain_file;               // is there while this host drains
    std::map<std::string, Fd> inherited;  // descriptors of an earlier daemon's interfaces, by name
  };
  // `director` outlives it, and has a config.
  Announcer(EventLoop& loop, Director& director, Options options);

  // After the director's; also what makes it begin. Nothing is announced without [bgp].
  void set_config(const config::Config& config);
  // Fails when the drain cannot be kept for the next daemon, or when there is no [bgp]; in the first case it
  // holds all the same.
  Status drain(bool is_on);
  // Of its interfaces, by name: for the next daemon's Options::inherited.
  std::vector<std::pair<std::string, int>> descriptors() const;
  // [{address, interface, vips, state, is_announced, healthy, members, reason}]
  nlohmann::json status() const;

 private:
  using Members = std::vector<std::uint16_t>;  // ids of nodes or servers with a weight
  struct Address {
    IpAddress address;
    std::vector<std::string> vips;
    std::vector<std::size_t> members;  // of its VIPs: places in members_
    AnnouncePolicy policy;
    Health health;
  };
  // One interface. `kept` is what it has, as far as we did it.
  struct Place {
    std::string name;
    std::optional<AnchorDevice> device;
    std::vector<IpAddress> kept;
    std::string failure;
  };
  struct Group {
    AnnounceRules rules;
    Place anchor;
    std::optional<Place> last_resort;
    std::vector<Address> addresses;
  };

  void on_tick();
  Group make_group(const config::Config& config, const Rosters& rosters, const config::Anchor& anchor,
                   std::vector<Group>& before);
  static Members members_of(const config::Config& config, const Rosters& rosters, const config::Vip& vip);
  static AnnouncePolicy policy_of(const IpAddress& address, const Group& group,
                                  const std::vector<Group>& before);
  Place take_place(const std::string& name, std::vector<Group>& before);
  std::size_t place_of(Members members);
  static void release(Place& place);
  void open(Place& place);
  std::vector<bool> who_answers() const;
  void judge(Group& group, const std::vector<bool>& answers, bool is_forwarding);
  static std::vector<IpAddress> wanted(const Group& group, Announcement state);
  void clear(Group& group);
  void fill(Group& group, bool is_refresh);
  void move(Place& from, Place& to, const std::vector<IpAddress>& wanted);
  void take_off(Place& place, const std::vector<IpAddress>& wanted);
  void keep(Place& place, const std::vector<IpAddress>& wanted, bool is_refresh);
  void fail(Place& place, const Error& error);

  EventLoop& loop_;
  Director& director_;
  Options options_;
  bool is_draining_ = false;
  Duration lifetime_{0};
  std::vector<Members> members_;  // VIPs of equal members share a place
  std::vector<Group> groups_;
  EventLoop::Clock::time_point refreshed_;
  Timer tick_;
};

}  // namespace gatehouse::l4
