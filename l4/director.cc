#include "l4/director.h"

#include <netinet/in.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "common/log.h"
#include "l4/user_tables.h"

namespace gatehouse::l4 {
namespace {

constexpr std::uint16_t kGroup = 0;  // all VIPs share one set of nodes
// A site that starts: nodes come up one after the other, and each alone would make a generation.
constexpr Duration kFirstWait{3'000};
constexpr Duration kForgetInterval{1'000};
// Handshakes under way when a node began to drain are not in its report.
constexpr Duration kLastArrivals{3'000};

std::int64_t seconds_now() { return static_cast<std::int64_t>(std::time(nullptr)); }

std::string vip_key(const config::Vip& vip) { return to_string(Endpoint{vip.address, vip.port}) + "/" + vip.protocol; }
std::uint8_t protocol_of(const config::Vip& vip) { return vip.protocol == "udp" ? IPPROTO_UDP : IPPROTO_TCP; }

}  // namespace

Status read_flow_key(const std::string& secret_file, std::uint64_t (&key)[4]) {
  std::string secret = "gatehouse without a site secret";
  if (!secret_file.empty()) {
    std::ifstream stream(secret_file, std::ios::binary);
    if (!stream) return system_error("site.secret_file: cannot read " + secret_file);
    std::ostringstream content;  // an iterator would throw on a folder
    content << stream.rdbuf();
    secret = content.str();
    if (secret.size() < 16) return Error{"site.secret_file: " + secret_file + " has " + std::to_string(secret.size()) +
                                         " bytes; expected 16 or more"};
  }
  unsigned char hash[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), hash);
  static_assert(sizeof key == sizeof hash);
  std::memcpy(key, hash, sizeof hash);
  return {};
}

Director::Director(EventLoop& loop, DataPlane& plane, Options options)
    : loop_(loop), plane_(plane), writer_(plane), guard_(loop, plane), options_(std::move(options)) {}

Status Director::start(const config::Config& config) {
  auto membership = Membership::load(options_.membership_file);
  if (!membership) {
    const std::string aside = options_.membership_file + ".broken";
    log_warn("{}; it is kept as {}, and the site is learnt anew", membership.error().message, aside);
    std::rename(options_.membership_file.c_str(), aside.c_str());
  } else {
    membership_ = std::move(*membership);
  }
  compiler_ = std::make_unique<RingCompiler>(config.ring.slots);
  if (const Status read = read_flow_key(config.site.secret_file, flow_key_); !read) return read;
  if (const Status set = set_config(config); !set) return set;
  on_forget_time();
  // What an earlier daemon's log says goes on until there is other evidence.
  return membership_.generations().empty() ? Status() : write_ring();
}

Status Director::set_config(const config::Config& config) {
  // The steps that can fail come first.
  if (const Status good = check_flow_key(config); !good) return good;
  const auto guard = guard_.prepare(config);
  if (!guard) return guard.error();
  if (const Status written = write_vips(config, guard->vip_flags); !written) return written;
  guard_.commit(*guard, config_.file.empty());
  write_nodes(config);
  write_identity(config);
  const bool is_same_probe = config_.probe == config.probe;
  config_ = config;
  update_nodes(is_same_probe);
  judge();
  change_soon();
  return {};
}

// Another secret would move nearly every connection to another slot, without a hop that leads back.
Status Director::check_flow_key(const config::Config& config) const {
  std::uint64_t key[4];
  if (const Status read = read_flow_key(config.site.secret_file, key); !read) return read;
  if (std::equal(std::begin(key), std::end(key), flow_key_)) return {};
  return Error{config.file + ": site.secret_file has another content: that changes only with a restart, and breaks connections"};
}

void Director::write_identity(const config::Config& config) {
  for (const config::L4Host& host : config.l4_hosts) {
    if (host.name == options_.host.name) options_.host.address_v6 = host.address_v6;
  }
  const IpAddress& address = options_.host.address;
  const IpAddress v4 = address.is_v4() ? address : IpAddress();
  const IpAddress v6 = address.is_v4() ? options_.host.address_v6.value_or(IpAddress()) : address;
  writer_.set_identity(v4, v6, flow_key_, config.site.fabric_mtu);
}

void Director::write_nodes(const config::Config& config) {
  for (const config::Node& node : config.nodes) writer_.set_node(node.id, node.address);
}

std::uint16_t Director::vip_number(const config::Vip& vip) const {
  const auto known = vip_numbers_.find(vip_key(vip));
  return known == vip_numbers_.end() ? 0 : known->second;
}

// A VIP keeps its number, and with it its counters, for as long as it is in the table, whoever wrote it there.
Status Director::write_vips(const config::Config& config, const std::vector<std::uint16_t>& flags) {
  const Tables& tables = plane_.tables();
  std::map<std::string, std::uint16_t> numbers;
  std::set<std::uint16_t> taken;
  for (const config::Vip& vip : config.vips) {
    const auto explained = explain_packet(const_cast<Tables&>(tables), {vip.address, 0}, {vip.address, vip.port}, protocol_of(vip));
    if (explained && taken.insert(explained->vip).second) numbers[vip_key(vip)] = explained->vip;
  }
  std::vector<VipEntry> entries;
  std::uint16_t next = 0;
  for (const config::Vip& vip : config.vips) {
    const auto [number, is_new] = numbers.emplace(vip_key(vip), 0);
    if (is_new) {
      while (taken.contains(next)) ++next;
      taken.insert(number->second = next);
      for (std::size_t at = next; at < tables.vip_traffic.size(); at += GH_MAX_VIPS) tables.vip_traffic[at] = {};
    }
    entries.push_back({vip.address, vip.port, protocol_of(vip), number->second, kGroup, flags[entries.size()]});
  }
  if (const Status written = writer_.set_vips(entries); !written) return written;
  vip_numbers_ = std::move(numbers);
  return {};
}

std::unique_ptr<NodeProbe> Director::make_probe(std::uint16_t id, bool is_up) {
  return std::make_unique<NodeProbe>(loop_, config_.probe, id, options_.host.address, is_up, [this, id] {
    const Node* probed = find_node(id);
    if (!probed) return;
    log_info("probe of node {}: {}{}", probed->config.name, probed->probe->is_up() ? "up" : "down: ", probed->probe->reason());
    judge();
  });
}

void Director::update_nodes(bool is_same_probe) {
  std::map<std::uint16_t, Node> nodes;
  for (const config::Node& node : config_.nodes) {
    Node& entry = nodes[node.id];
    const auto known = nodes_.find(node.id);
    if (known != nodes_.end() && known->second.config.address == node.address) {
      entry = std::move(known->second);
      entry.config = node;
      if (!is_same_probe) entry.probe = make_probe(node.id, entry.probe->is_up());
      continue;
    }
    entry.config = node;
    // Without other evidence a node is what the log says it was.
    if (!membership_.generations().empty()) {
      for (const Member& member : membership_.generations().back().members) {
        if (member.id != node.id || known != nodes_.end()) continue;
        entry.has_joined = member.state != MemberState::kDown;
        entry.report.is_draining = member.state == MemberState::kDraining;
        entry.report.connections = 1;
      }
    }
    entry.probe = make_probe(node.id, entry.has_joined);
    entry.is_up = entry.has_joined;
  }
  nodes_ = std::move(nodes);
}

const Director::Node* Director::find_node(std::uint16_t id) const {
  const auto node = nodes_.find(id);
  return node == nodes_.end() ? nullptr : &node->second;
}

void Director::on_hello(std::uint16_t id) {
  nodes_.at(id).has_joined = true;
  change_soon();
}

void Director::on_report(const control::NodeReport& report) {
  Node& node = nodes_.at(report.node);
  const MemberState before = state_of(node);
  node.report = report;
  node.has_report = true;
  if (!report.is_draining || report.connections > 0) node.empty_since.reset();
  if (report.is_draining && report.connections == 0 && !node.empty_since) node.empty_since = loop_.now();
  if (state_of(node) != before || report.is_draining) change_soon();
}

// A node whose probes fail is down only when another's have been answered all the while: if all fail together it is this
// host that has lost its network, and it must not come back with rings of its own.
void Director::judge() {
  judge_.arm<&Director::judge>(loop_, config_.probe.interval, this);
  for (auto& [id, node] : nodes_) {
    const bool is_up = node.probe->is_up() || (node.is_up && !is_path_proven(id));
    if (is_up == node.is_up) continue;
    node.is_up = is_up;
    change_soon();
  }
}

bool Director::is_path_proven(std::uint16_t except) const {
  const config::Probe& probe = config_.probe;
  const auto long_enough = loop_.now() - probe.interval * (probe.rise + probe.fall);
  return std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& entry) {
    const auto clean_since = entry.second.probe->clean_since();
    return entry.first != except && clean_since && *clean_since < long_enough;
  });
}

MemberState Director::state_of(const Node& node) const {
  if (!node.has_joined || !node.is_up) return MemberState::kDown;
  return node.report.is_draining ? MemberState::kDraining : MemberState::kActive;
}

void Director::change_soon() {
  if (std::exchange(is_change_due_, true)) return;
  loop_.defer([this] {
    is_change_due_ = false;
    change();
  });
}

// nullopt: too early to say.
std::optional<std::vector<Member>> Director::members() {
  std::vector<Member> members;
  std::size_t up = 0;
  for (const auto& [id, node] : nodes_) {
    MemberState state = state_of(node);
    up += state != MemberState::kDown ? 1 : 0;
    // Nobody needs to ask a draining node that has nothing left, once what was on its way to it has arrived.
    const bool is_empty = node.empty_since && loop_.now() - *node.empty_since >= kLastArrivals;
    if (state == MemberState::kDraining && is_empty) state = MemberState::kDown;
    members.push_back({id, node.config.weight, state});
  }
  const bool is_first = membership_.generations().empty();
  if (is_first && up == 0) return std::nullopt;
  if (is_first && up < nodes_.size() && !is_first_wait_over_) {
    if (!first_wait_.is_armed()) first_wait_.arm<&Director::on_first_wait_over>(loop_, kFirstWait, this);
    return std::nullopt;
  }
  return members;
}

void Director::on_first_wait_over() {
  is_first_wait_over_ = true;
  change();
}

void Director::change() {
  auto next = members();
  if (!next) return;
  const bool has_takeable = std::any_of(next->begin(), next->end(), [](const Member& member) { return member.state != MemberState::kDown; });
  if (!has_takeable && !next->empty()) return log_warn("no node is up: the ring stays as it is");
  if (!membership_.append(std::move(*next), seconds_now())) return;
  if (const Status written = write_ring(); !written) return log_error("ring: {}", written.error().message);
  if (const Status saved = membership_.save(options_.membership_file); !saved) log_error("{}", saved.error().message);
}

Status Director::write_ring() {
  const Generation& newest = membership_.generations().back();
  const std::vector<std::uint64_t> ring = compiler_->compile(membership_.generations());
  digest_ = ring_digest(ring);
  std::map<std::uint16_t, std::uint64_t> owned;
  for (const std::uint64_t slot : ring) ++owned[gh_slot_hop(slot, 0)];
  std::string shares;
  for (auto& [id, node] : nodes_) {
    node.share = static_cast<double>(owned[id]) / static_cast<double>(ring.size());
    shares += fmt::format(" {}={} {:.1f}%", node.config.name, to_string(state_of(node)), 100 * node.share);
  }
  log_info("generation {}:{}", newest.epoch, shares);
  return writer_.set_ring(kGroup, ring, newest.epoch);
}

void Director::on_forget_time() {
  forget_.arm<&Director::on_forget_time>(loop_, kForgetInterval, this);
  const auto deadline = std::chrono::duration_cast<std::chrono::seconds>(config_.ring.hop_deadline).count();
  if (!membership_.forget_older_than(deadline, seconds_now())) return;
  if (const Status written = write_ring(); !written) log_error("ring: {}", written.error().message);
  if (const Status saved = membership_.save(options_.membership_file); !saved) log_error("{}", saved.error().message);
}

}  // namespace gatehouse::l4
