// Looks ten times a second; says something to the kernel when something has changed, or when it is time to
// say it again.
#include "l4/announcer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "bpf/abi.h"
#include "common/events.h"
#include "common/log.h"
#include "common/notify.h"
#include "l4/rosters.h"

namespace gatehouse::l4 {
namespace {

constexpr Duration kTick{100};
// A daemon that dies has said it at most this part of `withdraw_after` ago: the rest is for its restart.
constexpr int kRefreshes = 8;

bool has(const std::vector<IpAddress>& list, const IpAddress& address) {
  return std::find(list.begin(), list.end(), address) != list.end();
}

}  // namespace

Announcer::Announcer(EventLoop& loop, Director& director, Options options)
    : loop_(loop), director_(director), options_(std::move(options)) {
  is_draining_ = access(options_.drain_file.c_str(), F_OK) == 0;
}

void Announcer::set_config(const config::Config& config) {
  std::vector<Group> before = std::exchange(groups_, {});
  members_.clear();
  if (config.bgp) {
    lifetime_ = config.bgp->withdraw_after;
    const auto rosters = rosters_of(config);
    for (const config::Anchor& anchor : config::anchors_of(config)) {
      groups_.push_back(make_group(config, *rosters, anchor, before));
    }
  }
  for (Group& group : before) {
    release(group.anchor);
    if (group.last_resort) release(*group.last_resort);
  }
  // Those that nobody asked for.
  for (auto& [name, fd] : std::exchange(options_.inherited, {})) {
    Place place{name};
    if (auto device = AnchorDevice::adopt(std::move(fd), name)) place.device = std::move(*device);
    release(place);
  }
  tick_.cancel();
  if (!groups_.empty()) on_tick();
}

Announcer::Group Announcer::make_group(const config::Config& config, const Rosters& rosters,
                                       const config::Anchor& anchor, std::vector<Group>& before) {
  const bool is_last_resort = config::is_last_resort(*config.bgp);
  Group group;
  group.rules = {anchor.min_healthy, config.bgp->announce_after, is_last_resort};
  group.anchor = take_place(anchor.interface, before);
  if (is_last_resort) group.last_resort = take_place(anchor.drain_interface(), before);
  for (const config::AnnouncedAddress& each : anchor.addresses) {
    Address& entry = group.addresses.emplace_back();
    entry.address = each.address;
    for (const config::Vip* vip : each.vips) {
      entry.vips.push_back(vip->name);
      entry.members.push_back(place_of(members_of(config, rosters, *vip)));
    }
    entry.policy = policy_of(each.address, group, before);
  }
  return group;
}

// What stands stands, also when it came from an earlier daemon, or goes to another interface.
AnnouncePolicy Announcer::policy_of(const IpAddress& address, const Group& group,
                                    const std::vector<Group>& before) {
  for (const Group& each : before) {
    for (const Address& entry : each.addresses) {
      if (entry.address == address) return entry.policy;
    }
  }
  if (has(group.anchor.kept, address)) return AnnouncePolicy(Announcement::kAnnounced);
  const bool is_last_resort = group.last_resort && has(group.last_resort->kept, address);
  return AnnouncePolicy(is_last_resort ? Announcement::kLastResort : Announcement::kWithdrawn);
}

// From the config of before, or from the daemon before, or not there yet.
Announcer::Place Announcer::take_place(const std::string& name, std::vector<Group>& before) {
  for (Group& group : before) {
    if (group.anchor.name == name && group.anchor.device) return std::exchange(group.anchor, {});
    if (group.last_resort && group.last_resort->name == name) return std::exchange(*group.last_resort, {});
  }
  Place place{name};
  auto inherited = options_.inherited.extract(name);
  if (inherited.empty()) return place;
  auto device = AnchorDevice::adopt(std::move(inherited.mapped()), name);
  if (!device) {
    log_warn("{}", device.error().message);
    return place;
  }
  if (auto addresses = device->addresses()) place.kept = std::move(*addresses);
  log_info("interface {} is taken over, with {} addresses", name, place.kept.size());
  place.device = std::move(*device);
  return place;
}

Announcer::Members Announcer::members_of(const config::Config& config, const Rosters& rosters, const config::Vip& vip) {
  Members members;
  bool is_of_service = false;
  for (const config::Service& service : config.services) {
    if (std::find(service.vips.begin(), service.vips.end(), vip.name) == service.vips.end()) continue;
    is_of_service = true;
    for (const config::Server& server : service.servers) {
      if (server.weight > 0) members.push_back(server.id);
    }
  }
  if (is_of_service) return members;
  for (const Roster::Entry& entry : rosters.at(vip_key(vip))->entries) {
    const auto node = std::find_if(config.nodes.begin(), config.nodes.end(),
                                   [&](const config::Node& each) { return each.id == entry.id; });
    const bool has_own = entry.weight != Roster::kOwnWeight;
    if ((has_own ? entry.weight : node->weight) > 0) members.push_back(entry.id);
  }
  return members;
}

std::size_t Announcer::place_of(Members members) {
  const auto known = std::find(members_.begin(), members_.end(), members);
  if (known != members_.end()) return static_cast<std::size_t>(known - members_.begin());
  members_.push_back(std::move(members));
  return members_.size() - 1;
}

// The interface goes with its last descriptor.
void Announcer::release(Place& place) {
  if (!place.device) return;
  notify("FDSTOREREMOVE=1\nFDNAME=" + place.name);
  place.device.reset();
  log_info("interface {} is gone, and what it announced", place.name);
}

Status Announcer::drain(bool is_on) {
  if (groups_.empty()) return Error{"this L4 host announces nothing: there is no [bgp] in its config"};
  is_draining_ = is_on;
  log_info("this host {}", is_on ? "drains: routers send new packets to others" : "is drained no more");
  on_tick();
  if (!is_on) {
    if (unlink(options_.drain_file.c_str()) == 0 || errno == ENOENT) return {};
    return system_error("the next daemon will find the drain: cannot remove " + options_.drain_file);
  }
  const Fd file(::open(options_.drain_file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (file.is_open()) return {};
  return system_error("the next daemon will not find the drain: cannot write " + options_.drain_file);
}

void Announcer::on_tick() {
  tick_.arm<&Announcer::on_tick>(loop_, kTick, this);
  const auto now = EventLoop::Clock::now();
  const bool is_refresh = now - refreshed_ >= lifetime_ / kRefreshes;
  if (is_refresh) refreshed_ = now;
  const std::vector<Port> ports = director_.plane().ports();
  const auto takes_packets = [](const Port& port) { return !port.mode.empty(); };
  const bool is_forwarding = ports.empty() || std::any_of(ports.begin(), ports.end(), takes_packets);
  const std::vector<bool> answers = who_answers();
  for (Group& group : groups_) {
    open(group.anchor);
    if (group.last_resort) open(*group.last_resort);
    judge(group, answers, is_forwarding);
  }
  // An address that goes to another group must have left the one that it was in.
  for (Group& group : groups_) clear(group);
  for (Group& group : groups_) fill(group, is_refresh);
}

void Announcer::open(Place& place) {
  if (place.device) return;
  auto device = AnchorDevice::create(place.name);
  if (!device) return fail(place, device.error());
  place.device = std::move(*device);
  place.failure.clear();
  place.kept.clear();
  // Where forwarding ends with this process, so must the announcement.
  if (director_.plane().outlives_process()) notify("FDSTORE=1\nFDNAME=" + place.name, {place.device->fd()});
  log_info("interface {} is there", place.name);
}

// By id. What the rings do when nobody answers, to stay as they are, would be wrong here: other hosts may
// reach the nodes.
std::vector<bool> Announcer::who_answers() const {
  std::vector<bool> answers(GH_MAX_NODES);
  if (!director_.membership().generations().empty()) {
    for (const auto& [id, node] : director_.nodes()) answers[id] = node.has_joined && node.probe->is_up();
  }
  for (const auto& [name, service] : director_.services().services()) {
    for (const auto& [id, server] : service.servers) answers[id] = server.check->is_up();
  }
  return answers;
}

void Announcer::judge(Group& group, const std::vector<bool>& answers, bool is_forwarding) {
  for (Address& entry : group.addresses) {
    entry.health = {};
    for (const std::size_t place : entry.members) {
      const Members& members = members_[place];
      const auto healthy =
          std::count_if(members.begin(), members.end(), [&](std::uint16_t id) { return answers[id]; });
      const Health health{members.size(), static_cast<std::size_t>(healthy)};
      if (entry.health.members == 0 || entry.health.is_below(health)) entry.health = health;
    }
    const Announcement before = entry.policy.current();
    const Announcement now =
        entry.policy.judge(group.rules, {entry.health, is_forwarding, is_draining_}, EventLoop::Clock::now());
    if (now == before) continue;
    const std::string& reason = entry.policy.reason();
    log_info("{} is {}{}{}", gatehouse::to_string(entry.address), to_string(now), reason.empty() ? "" : ": ",
             reason);
    report_event("announcement", gatehouse::to_string(entry.address), "is " + std::string(to_string(now)), reason);
  }
}

std::vector<IpAddress> Announcer::wanted(const Group& group, Announcement state) {
  std::vector<IpAddress> addresses;
  for (const Address& entry : group.addresses) {
    if (entry.policy.current() == state) addresses.push_back(entry.address);
  }
  return addresses;
}

void Announcer::clear(Group& group) {
  const auto announced = wanted(group, Announcement::kAnnounced);
  if (group.last_resort) {
    const auto last_resort = wanted(group, Announcement::kLastResort);
    move(group.anchor, *group.last_resort, last_resort);
    move(*group.last_resort, group.anchor, announced);
    take_off(*group.last_resort, last_resort);
  }
  take_off(group.anchor, announced);
}

void Announcer::fill(Group& group, bool is_refresh) {
  keep(group.anchor, wanted(group, Announcement::kAnnounced), is_refresh);
  if (group.last_resort) keep(*group.last_resort, wanted(group, Announcement::kLastResort), is_refresh);
}

void Announcer::move(Place& from, Place& to, const std::vector<IpAddress>& wanted) {
  std::vector<IpAddress> moving;
  for (const IpAddress& each : from.kept) {
    if (has(wanted, each)) moving.push_back(each);
  }
  if (moving.empty() || !from.device || !to.device) return;
  if (const Status moved = from.device->move(moving, *to.device, lifetime_); !moved)
    return fail(to, moved.error());
  refreshed_ = {};
  std::erase_if(from.kept, [&](const IpAddress& each) { return has(moving, each); });
  to.kept.insert(to.kept.end(), moving.begin(), moving.end());
}

void Announcer::take_off(Place& place, const std::vector<IpAddress>& wanted) {
  std::vector<IpAddress> gone;
  for (const IpAddress& each : place.kept) {
    if (!has(wanted, each)) gone.push_back(each);
  }
  if (gone.empty() || !place.device) return;
  if (const Status removed = place.device->remove(gone); !removed) return fail(place, removed.error());
  std::erase_if(place.kept, [&](const IpAddress& each) { return has(gone, each); });
}

void Announcer::keep(Place& place, const std::vector<IpAddress>& wanted, bool is_refresh) {
  if (!place.device) return;
  std::vector<IpAddress> due;
  for (const IpAddress& each : wanted) {
    if (is_refresh || !has(place.kept, each)) due.push_back(each);
  }
  if (due.empty()) return;
  if (const Status kept = place.device->keep(due, lifetime_); !kept) return fail(place, kept.error());
  if (!is_refresh) refreshed_ = {};
  for (const IpAddress& each : due) {
    if (!has(place.kept, each)) place.kept.push_back(each);
  }
}

// It is made anew with the next look: somebody may have removed it.
void Announcer::fail(Place& place, const Error& error) {
  if (place.failure != error.message) log_error("{}", error.message);
  place.failure = error.message;
  place.kept.clear();
  place.device.reset();
}

std::vector<std::pair<std::string, int>> Announcer::descriptors() const {
  std::vector<std::pair<std::string, int>> descriptors;
  const auto add = [&descriptors](const Place& place) {
    if (place.device) descriptors.emplace_back(place.name, place.device->fd());
  };
  for (const Group& group : groups_) {
    add(group.anchor);
    if (group.last_resort) add(*group.last_resort);
  }
  return descriptors;
}

nlohmann::json Announcer::status() const {
  auto list = nlohmann::json::array();
  for (const Group& group : groups_) {
    for (const Address& entry : group.addresses) {
      const Announcement current = entry.policy.current();
      const bool is_last_resort = current == Announcement::kLastResort && group.last_resort;
      const Place& place = is_last_resort ? *group.last_resort : group.anchor;
      const bool is_lost = current != Announcement::kWithdrawn && !has(place.kept, entry.address);
      list.push_back({{"address", gatehouse::to_string(entry.address)},
                      {"interface", place.name},
                      {"vips", entry.vips},
                      {"state", is_lost ? "failed" : to_string(current)},
                      {"is_announced", current != Announcement::kWithdrawn && !is_lost},
                      {"healthy", entry.health.healthy},
                      {"members", entry.health.members},
                      {"reason", is_lost ? place.failure : entry.policy.reason()}});
    }
  }
  return list;
}

}  // namespace gatehouse::l4
