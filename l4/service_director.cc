#include "l4/service_director.h"

#include <algorithm>
#include <bit>
#include <ctime>
#include <nlohmann/json.hpp>
#include <set>

#include "common/files.h"
#include "common/hex.h"
#include "common/json_fields.h"
#include "common/log.h"
#include "l4/rosters.h"
#include "l4/user_tables.h"

namespace gatehouse::l4 {
namespace {

using Json = nlohmann::json;

std::int64_t seconds_now() { return static_cast<std::int64_t>(std::time(nullptr)); }
std::uint16_t seconds_of(Duration time) { return static_cast<std::uint16_t>((time.count() + 999) / 1000); }

std::uint8_t encapsulation_of(const config::Service& service) {
  if (service.encapsulation == "nat") return GH_ENCAPSULATE_NAT;
  return service.encapsulation == "gue" ? GH_ENCAPSULATE_GUE : GH_ENCAPSULATE_IPIP;
}

std::uint8_t hash_fields_of(const config::Service& service) {
  if (service.hash == "source") return GH_HASH_SOURCE;
  return service.hash == "addresses" ? GH_HASH_ADDRESSES : GH_HASH_FLOW;
}

std::uint16_t group_of(std::uint32_t service) {
  return static_cast<std::uint16_t>(GH_SERVICE_GROUPS + service);
}

const config::Vip* find_vip(const config::Config& config, const std::string& name) {
  const auto vip = std::find_if(config.vips.begin(), config.vips.end(),
                                [&](const auto& each) { return each.name == name; });
  return vip == config.vips.end() ? nullptr : &*vip;
}

Result<std::vector<QuicLb>> quic_of(const config::Service& service) {
  std::vector<QuicLb> configs;
  for (const config::QuicConfig& quic : service.quic) {
    QuicLb config{quic.config_id,
                  static_cast<std::uint8_t>(service.servers.front().quic_id.size() / 2),
                  quic.nonce_length,
                  {}};
    if (!quic.key_file.empty()) {
      const auto key = read_quic_key(quic.key_file);
      if (!key) return key.error();
      config.key = *key;
    }
    configs.push_back(config);
  }
  return configs;
}

}  // namespace

std::string_view to_string(ServiceDirector::State state) {
  constexpr std::string_view kNames[] = {"active", "draining", "drained", "down"};
  return kNames[static_cast<std::size_t>(state)];
}

ServiceDirector::ServiceDirector(EventLoop& loop, DataPlane& plane, TableWriter& tables, Options options)
    : loop_(loop),
      plane_(plane),
      tables_(tables),
      writer_(plane),
      options_(std::move(options)),
      sweep_(loop, plane) {}

Status ServiceDirector::start() {
  sweep_.start();
  const auto text = read_file_if_any(options_.drain_file);
  if (!text) return text.error();
  if (!*text) return {};
  const Json drains = parse_json(**text);
  if (!drains.is_object()) return Error{options_.drain_file + " is not what it should be: no drain is known"};
  for (const auto& [name, since] : drains.items()) {
    if (since.is_number_integer()) drains_[name] = since.get<std::int64_t>();
  }
  return {};
}

Status ServiceDirector::save_drains() const {
  return replace_file(options_.drain_file, Json(drains_).dump() + "\n", Sync::kLater);
}

std::uint32_t flow_lines_of(const config::Config& config) {
  return std::bit_ceil((config.flow_cache.flows + GH_FLOW_WAYS - 1) / GH_FLOW_WAYS);
}

// In steps, so that a reload may add some.
std::uint32_t service_room_of(const config::Config& config) {
  constexpr std::size_t kStep = 8;
  return static_cast<std::uint32_t>((config.services.size() + 2 * kStep - 1) / kStep * kStep);
}

// ---- Config ----

Status ServiceDirector::prepare(const config::Config& config, std::span<const VipEntry> vips) {
  const auto numbers = choose_numbers(config);
  const auto set = make_set(config, numbers, vips);
  if (!set) return set.error();
  if (const Status fits = check_room(config, numbers); !fits) return fits;
  if (!services_.empty() || !config.services.empty()) {
    if (const Status written = writer_.set(*set); !written) return written;
  }
  for (const config::L4Host& host : config.l4_hosts) {
    if (host.name == options_.host.name) options_.host.address_v6 = host.address_v6;
  }
  take_over(config, numbers);
  judge();
  return {};
}

Status ServiceDirector::check(const config::Config& config, std::span<const VipEntry> vips) const {
  const auto numbers = choose_numbers(config);
  const auto set = make_set(config, numbers, vips);
  return set ? check_room(config, numbers) : Status(set.error());
}

void ServiceDirector::finish() {
  for (const std::uint16_t id : gone_servers_) tables_.remove_node(id);
  for (const std::uint16_t group : gone_groups_) tables_.remove_ring(group);
  gone_servers_.clear();
  gone_groups_.clear();
}

Status ServiceDirector::check_room(const config::Config& config,
                                   const std::map<std::string, std::uint16_t>& numbers) const {
  const auto groups = const_cast<DataPlane&>(plane_).tables().groups;
  const auto has_ring = [](const gh_group& group) { return gh_ring_is_set(group.ring); };
  auto rings = static_cast<std::size_t>(std::count_if(groups.begin(), groups.end(), has_ring));
  for (const auto& [name, number] : numbers) rings += has_ring(groups[group_of(number)]) ? 0 : 1;
  if (rings <= tables_.ring_areas()) return {};
  return Error{"there is no room for the rings of " + std::to_string(config.services.size()) +
               " services: it is made at the start of gatehouse-l4"};
}

// Of the service that one of its VIPs has in the tables: an adopted plane goes on under the same numbers.
std::optional<std::uint16_t> ServiceDirector::number_in_tables(const config::Config& config,
                                                               const config::Service& service) const {
  for (const std::string& name : service.vips) {
    const config::Vip* vip = find_vip(config, name);
    if (!vip) continue;
    const auto entry = find_exact_vip(plane_.tables(), {vip->address, vip->port}, protocol_of(*vip));
    if (entry && (entry->flags & GH_VIP_SERVICE)) return static_cast<std::uint16_t>(entry->service);
  }
  return std::nullopt;
}

std::map<std::string, std::uint16_t> ServiceDirector::choose_numbers(const config::Config& config) const {
  std::map<std::string, std::uint16_t> numbers;
  std::set<std::uint16_t> taken;
  for (const config::Service& service : config.services) {
    const auto known = services_.find(service.name);
    const auto number =
        known != services_.end() ? std::optional(known->second.number) : number_in_tables(config, service);
    if (number && *number && taken.insert(*number).second) numbers[service.name] = *number;
  }
  // A number that a service of before still has is not given to another one with the same reload, if there is
  // any other.
  std::set<std::uint16_t> used = taken;
  for (const auto& [name, service] : services_) used.insert(service.number);
  if (used.size() + config.services.size() > GH_MAX_SERVICES) used = taken;
  std::uint16_t next = 1;
  for (const config::Service& service : config.services) {
    if (numbers.contains(service.name)) continue;
    while (used.contains(next)) ++next;
    used.insert(next);
    numbers[service.name] = next;
  }
  return numbers;
}

Result<ServiceSet> ServiceDirector::make_set(const config::Config& config,
                                             const std::map<std::string, std::uint16_t>& numbers,
                                             std::span<const VipEntry> vips) const {
  ServiceSet set;
  for (const config::Service& service : config.services) {
    const std::uint16_t number = numbers.at(service.name);
    auto quic = quic_of(service);
    if (!quic) return quic.error();
    set.services.push_back({number, service.flow_cache, seconds_of(service.tcp_idle),
                            seconds_of(service.udp_idle), std::move(*quic)});
    for (const config::Server& server : service.servers) {
      if (!service.quic.empty())
        set.quic_servers.push_back({parse_hex(server.quic_id).value(), server.id, number});
      for (const VipEntry& vip : vips) {
        if (vip.service != number || vip.encapsulation != GH_ENCAPSULATE_NAT) continue;
        set.backs.push_back({server.address, server.port ? server.port : vip.port, vip.protocol, vip.vip,
                             number, vip.address, vip.port});
      }
    }
  }
  for (const config::L4Host& host : config.l4_hosts) {
    set.hosts.push_back(host.address);
    if (host.address_v6) set.hosts.push_back(*host.address_v6);
  }
  return set;
}

void ServiceDirector::describe(const config::Config& config, std::span<VipEntry> vips) const {
  const auto numbers = choose_numbers(config);
  std::map<std::string, const config::Service*> service_of_vip;
  for (const config::Service& service : config.services) {
    for (const std::string& vip : service.vips) service_of_vip[vip] = &service;
  }
  for (std::size_t i = 0; i < vips.size(); ++i) {
    const auto found = service_of_vip.find(config.vips[i].name);
    if (found == service_of_vip.end()) continue;
    const config::Service& service = *found->second;
    VipEntry& entry = vips[i];
    entry.service = numbers.at(service.name);
    entry.group = group_of(entry.service);
    entry.flags =
        static_cast<std::uint16_t>(entry.flags | GH_VIP_SERVICE | (service.quic.empty() ? 0 : GH_VIP_QUIC));
    entry.encapsulation = encapsulation_of(service);
    entry.hash_fields = hash_fields_of(service);
  }
}

void ServiceDirector::take_over(const config::Config& config,
                                const std::map<std::string, std::uint16_t>& numbers) {
  std::map<std::uint16_t, Server*> before;
  std::set<std::uint16_t> ids;
  for (auto& [name, service] : services_) {
    for (auto& [id, server] : service.servers) before[id] = &server;
  }
  std::map<std::string, Service> services;
  for (const config::Service& each : config.services) {
    Service& service = services[each.name];
    service.config = each;
    service.number = numbers.at(each.name);
    if (const auto old = services_.find(each.name); old != services_.end()) service.ring = old->second.ring;
    for (const config::Server& server : each.servers) {
      const auto known = before.find(server.id);
      tables_.set_node(server.id, server.address);
      service.servers.emplace(
          server.id, make_server(config, service, server, known == before.end() ? nullptr : known->second));
      ids.insert(server.id);
    }
  }
  for (const auto& [id, server] : before) {
    if (ids.contains(id)) continue;
    writer_.set_server(id, 0, 0, 0, false);
    gone_servers_.push_back(id);
  }
  for (const auto& [name, service] : services_) {
    const bool is_gone = std::none_of(numbers.begin(), numbers.end(),
                                      [&](const auto& each) { return each.second == service.number; });
    if (is_gone) gone_groups_.push_back(group_of(service.number));
  }
  services_ = std::move(services);
}

ServiceDirector::Server ServiceDirector::make_server(const config::Config& config, Service& service,
                                                     const config::Server& server, Server* before) {
  Server entry;
  entry.config = server;
  entry.is_up = before ? before->is_up : is_usable_in_tables(server.id, service.number);
  entry.target = std::make_unique<ServerCheck::Target>(target_of(config, service.config, server));
  const auto old = before ? services_.find(service.config.name) : services_.end();
  const bool is_same_check = old != services_.end() && old->second.config.check == service.config.check &&
                             before->target && *before->target == *entry.target;
  if (is_same_check) {
    entry.check = std::move(before->check);
    return entry;
  }
  entry.check = std::make_unique<ServerCheck>(
      loop_, service.config.check, *entry.target, entry.is_up, [this, id = server.id] {
        for (const auto& [name, each] : services_) {
          const auto checked = each.servers.find(id);
          if (checked == each.servers.end()) continue;
          const Server& found = checked->second;
          log_info("check of server {}: {}{}", found.config.name,
                   found.check->is_up() ? "up" : "down: ", found.check->reason());
        }
        judge();
      });
  return entry;
}

ServerCheck::Target ServiceDirector::target_of(const config::Config& config, const config::Service& service,
                                               const config::Server& server) const {
  const config::ServerCheck& check = service.check;
  const bool is_nat = service.encapsulation == "nat";
  const auto source_for = [this](const IpAddress& target) {
    const IpAddress& own = options_.host.address;
    return own.is_v4() == target.is_v4() ? own : options_.host.address_v6.value_or(IpAddress());
  };
  const config::Vip* first = find_vip(config, service.vips.front());
  const std::uint16_t vip_port = first ? first->port : std::uint16_t{0};
  if (check.way == "direct" || (check.way.empty() && is_nat)) {
    const std::uint16_t port = check.port ? check.port : server.port ? server.port : vip_port;
    return {{server.address, port}, source_for(server.address), 0};
  }
  for (const std::string& name : service.vips) {
    const config::Vip* vip = find_vip(config, name);
    if (!vip || source_for(vip->address).is_unspecified()) continue;
    return {{vip->address, check.port ? check.port : vip->port},
            source_for(vip->address),
            static_cast<std::uint32_t>(GH_PROBE_MARK | server.id)};
  }
  return {{server.address, check.port ? check.port : vip_port}, source_for(server.address), 0};
}

bool ServiceDirector::is_usable_in_tables(std::uint16_t id, std::uint16_t number) const {
  const gh_server& server = const_cast<DataPlane&>(plane_).tables().services.servers[id];
  return server.service == number && (server.flags & GH_SERVER_USABLE);
}

// ---- Evidence ----

const ServiceDirector::Server* ServiceDirector::find(const std::string& name) const {
  for (const auto& [service_name, service] : services_) {
    for (const auto& [id, server] : service.servers) {
      if (server.config.name == name) return &server;
    }
  }
  return nullptr;
}

Status ServiceDirector::drain(const std::string& name, bool is_on) {
  if (is_on) {
    drains_.emplace(name, seconds_now());
  } else {
    drains_.erase(name);
  }
  log_info("server {} {}", name, is_on ? "drains" : "takes new flows");
  judge();
  return save_drains();
}

bool ServiceDirector::is_drained(const Service& service, const config::Server& server) const {
  const auto since = drains_.find(server.name);
  const auto longest = std::chrono::duration_cast<std::chrono::seconds>(service.config.drain_timeout).count();
  return since != drains_.end() && seconds_now() - since->second >= longest;
}

ServiceDirector::State ServiceDirector::state_of(const Service& service, const Server& server) const {
  if (!server.is_up) return State::kDown;
  if (is_drained(service, server.config)) return State::kDrained;
  return is_draining(server.config) ? State::kDraining : State::kActive;
}

bool ServiceDirector::is_path_proven(std::uint16_t except) const {
  for (const auto& [name, service] : services_) {
    const config::ServerCheck& check = service.config.check;
    const auto long_enough = loop_.now() - check.interval * (check.rise + check.fall);
    for (const auto& [id, server] : service.servers) {
      const auto clean_since = server.check->clean_since();
      if (id != except && clean_since && *clean_since < long_enough) return true;
    }
  }
  return false;
}

// When all checks fail together it is this host that has lost its network: nothing changes then.
void ServiceDirector::judge() {
  Duration interval{1'000};
  for (auto& [name, service] : services_) {
    interval = std::min(interval, service.config.check.interval);
    for (auto& [id, server] : service.servers) {
      server.is_up = server.check->is_up() || (server.is_up && !is_path_proven(id));
    }
    write(service);
  }
  judge_.arm<&ServiceDirector::judge>(loop_, interval, this);
}

// Every server has its place in the base, so that the death of one moves hardly more than its own slots.
// Draining ones serve on when they are all that is there.
std::vector<RingMember> ServiceDirector::members_of(const Service& service) const {
  std::vector<RingMember> members;
  bool has_claim = false;
  for (const auto& [id, server] : service.servers) {
    const bool is_active = state_of(service, server) == State::kActive;
    members.push_back({id, std::max(server.config.weight, 1u), is_active ? server.config.weight : 0});
    has_claim = has_claim || members.back().claim > 0;
  }
  for (RingMember& member : members) {
    if (!has_claim && service.servers.at(member.id).is_up) member.claim = member.weight;
  }
  return members;
}

void ServiceDirector::write(Service& service) {
  // The first ring waits for the first result of each check: flows that it is asked for would stay with
  // whoever was first.
  const bool is_early = service.ring.empty() &&
                        std::any_of(service.servers.begin(), service.servers.end(), [](const auto& each) {
                          return !each.second.is_up && !each.second.check->has_result();
                        });
  std::vector<RingMember> members = members_of(service);
  const bool is_anybody_up =
      std::any_of(members.begin(), members.end(), [](const RingMember& member) { return member.claim > 0; });
  if (is_early || !is_anybody_up) return;  // with nobody up the ring, and who is usable, stay as they are
  write_usable(service);
  if (members == service.ring) return;
  const std::uint32_t slots = plane_.tables().state->slots;
  std::vector<std::uint16_t> owners(slots);
  assign_owners(build_base(members, slots), members, owners);
  std::vector<std::uint64_t> ring;
  std::map<std::uint16_t, std::uint32_t> owned;
  for (const std::uint16_t owner : owners) {
    ring.push_back(gh_slot(owner, 0, 0, 0));
    ++owned[owner];
  }
  if (const Status written = tables_.set_ring(group_of(service.number), ring, 1); !written) {
    return log_error("ring of service {}: {}", service.config.name, written.error().message);
  }
  service.ring = std::move(members);
  std::string shares;
  for (auto& [id, server] : service.servers) {
    server.share = static_cast<double>(owned[id]) / slots;
    shares += fmt::format(" {}={} {:.1f}%", server.config.name, to_string(state_of(service, server)),
                          100 * server.share);
  }
  log_info("service {}:{}", service.config.name, shares);
}

void ServiceDirector::write_usable(const Service& service) {
  for (const auto& [id, server] : service.servers) {
    const State state = state_of(service, server);
    const bool is_usable = state == State::kActive || state == State::kDraining;
    writer_.set_server(id, service.number, server.config.port, encapsulation_of(service.config), is_usable);
  }
}

}  // namespace gatehouse::l4
