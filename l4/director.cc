#include "l4/director.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <sstream>

#include "common/digest.h"
#include "common/events.h"
#include "common/log.h"
#include "l4/rosters.h"

namespace gatehouse::l4 {
namespace {

// A site that starts: nodes come up one after the other, and each alone would make a generation.
constexpr Duration kFirstWait{3'000};
constexpr Duration kForgetInterval{1'000};
// Handshakes under way when a node began to drain are not in its report.
constexpr Duration kLastArrivals{3'000};

std::int64_t seconds_now() { return static_cast<std::int64_t>(std::time(nullptr)); }

std::uint8_t encapsulation_of(const config::Vip& vip) {
  if (vip.encapsulation == "ipip") return GH_ENCAPSULATE_IPIP;
  return vip.encapsulation == "gue" ? GH_ENCAPSULATE_GUE_HOPS : GH_ENCAPSULATE_GUE;
}

std::uint8_t hash_fields_of(const config::Vip& vip) {
  if (vip.hash == "source") return GH_HASH_SOURCE;
  return vip.hash == "addresses" ? GH_HASH_ADDRESSES : GH_HASH_FLOW;
}

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
  static_assert(sizeof key == kDigestBytes);
  std::memcpy(key, sha256(secret).data(), sizeof key);
  return {};
}

Director::Director(EventLoop& loop, DataPlane& plane, Options options)
    : loop_(loop),
      plane_(plane),
      writer_(plane),
      guard_(loop, plane),
      options_(std::move(options)),
      services_(loop, plane, writer_, {options_.host, options_.drain_file}),
      rings_(plane),
      weights_(loop, options_.host.name, {[this] { return owners(); }, [this] { change_soon(); }}) {}

Status Director::start(const config::Config& config) {
  auto membership = Membership::load(options_.membership_file);
  if (!membership) {
    const std::string aside = options_.membership_file + ".broken";
    log_warn("{}; it is kept as {}, and the site is learnt anew", membership.error().message, aside);
    std::rename(options_.membership_file.c_str(), aside.c_str());
  } else {
    membership_ = std::move(*membership);
    if (!membership_.generations().empty()) weights_.recall(membership_.generations().back());
  }
  if (const Status read = services_.start(); !read) log_warn("{}", read.error().message);
  if (const Status read = read_flow_key(config.site.secret_file, flow_key_); !read) return read;
  if (const Status set = set_config(config); !set) return set;
  on_forget_time();
  return {};
}

std::shared_ptr<const Rosters> Director::next_rosters(const config::Config& config) const {
  const auto& generations = membership_.generations();
  return rosters_of(config, generations.empty() ? nullptr : generations.back().rosters.get());
}

Result<std::vector<VipEntry>> Director::numbered_vips(const config::Config& config, const Rosters& rosters) {
  if (const Status good = check_flow_key(config); !good) return good.error();
  if (const Status good = rings_.check(membership_, rosters, vips_of(config)); !good) return good.error();
  std::vector<VipEntry> vips = vips_of(config);
  const auto numbers = rings_.number_vips(vips);
  if (!numbers) return numbers.error();
  for (VipEntry& vip : vips) vip.vip = numbers->at(vip_key(vip.address, vip.port, vip.protocol));
  return vips;
}

Status Director::check(const config::Config& config) {
  const auto vips = numbered_vips(config, *next_rosters(config));
  if (!vips) return vips.error();
  // What it writes stands where no packet looks, until the next one writes there.
  if (const auto vip_flags = guard_.prepare(config, false); !vip_flags) return vip_flags.error();
  return services_.check(config, *vips);
}

Status Director::set_config(const config::Config& config) {
  // The steps that can fail come first.
  const auto rosters = next_rosters(config);
  const auto vips = numbered_vips(config, *rosters);
  if (!vips) return vips.error();
  auto vip_flags = guard_.prepare(config, config_.file.empty());
  if (!vip_flags) return vip_flags.error();
  if (const Status prepared = services_.prepare(config, *vips); !prepared) return prepared;
  guard_.commit(std::move(*vip_flags));
  write_nodes(config);
  write_identity(config);
  const bool is_same_probe = config_.probe == config.probe;
  config_ = config;
  rosters_ = rosters;
  update_nodes(is_same_probe);
  weights_.set_config(config);
  judge();
  change_.cancel();
  change();
  services_.finish();
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
  Identity identity;
  (address.is_v4() ? identity.source_v4 : identity.source_v6) = address;
  if (address.is_v4() && options_.host.address_v6) identity.source_v6 = *options_.host.address_v6;
  identity.key = std::to_array(flow_key_);
  identity.mtu = config.site.fabric_mtu;
  identity.ipip_v4 = config.site.ipip_source_v4;
  identity.ipip_v6 = config.site.ipip_source_v6;
  identity.icmp_answers = config.site.icmp_answers;
  writer_.set_identity(identity);
}

void Director::write_nodes(const config::Config& config) {
  for (const config::Node& node : config.nodes) writer_.set_node(node.id, node.address);
}

std::uint16_t Director::vip_number(const config::Vip& vip) const { return rings_.vip_number(vip_key(vip)); }

std::vector<VipEntry> Director::vips_of(const config::Config& config) const {
  std::vector<VipEntry> entries;
  for (const config::Vip& vip : config.vips) {
    VipEntry& entry = entries.emplace_back(VipEntry{vip.address, vip.port, protocol_of(vip)});
    entry.encapsulation = encapsulation_of(vip);
    entry.hash_fields = hash_fields_of(vip);
    if (vip.fragments == "addresses") entry.flags |= GH_VIP_FRAGMENTS;
  }
  services_.describe(config, entries);
  return entries;
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
    if (known == nodes_.end()) {
      recall(entry);
    } else {
      weights_.forget(node.id);
    }
    entry.probe = make_probe(node.id, entry.has_joined);
    entry.is_up = entry.has_joined;
  }
  nodes_ = std::move(nodes);
}

// Without other evidence a node is what the log says it was; one that has another address since is another machine.
void Director::recall(Node& node) const {
  if (membership_.generations().empty()) return;
  for (const Member& member : membership_.generations().back().members) {
    const bool is_same = member.address.is_unspecified() || member.address == node.config.address;
    if (member.id != node.config.id || !is_same) continue;
    node.has_joined = member.state != MemberState::kDown;
    node.report.is_draining = member.state == MemberState::kDraining;
    node.report.connections = 1;
  }
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
  weights_.on_report(report);
  if (!report.is_draining || report.connections > 0) node.empty_since.reset();
  if (report.is_draining && report.connections == 0 && !node.empty_since) node.empty_since = loop_.now();
  if (state_of(node) != before || report.is_draining) change_soon();
}

// A node whose probes fail is down only when another's have been answered all the while: if all fail together it is this
// host that has lost its network, and it must not come back with rings of its own.
void Director::judge() {
  judge_.arm<&Director::judge>(loop_, config_.probe.interval, this);
  const std::vector<std::uint16_t> proven = proofs();
  for (auto& [id, node] : nodes_) {
    const bool is_path_proven = std::any_of(proven.begin(), proven.end(), [id = id](std::uint16_t other) { return other != id; });
    const bool is_up = node.probe->is_up() || (node.is_up && !is_path_proven);
    if (is_up == node.is_up) continue;
    node.is_up = is_up;
    change_soon();
  }
}

// Nodes whose probes have been answered for long enough: two at most, one of which is not the node in question.
std::vector<std::uint16_t> Director::proofs() const {
  const config::Probe& probe = config_.probe;
  const auto long_enough = loop_.now() - probe.interval * (probe.rise + probe.fall);
  std::vector<std::uint16_t> proven;
  for (const auto& [id, node] : nodes_) {
    const auto clean_since = node.probe->clean_since();
    if (clean_since && *clean_since < long_enough) proven.push_back(id);
    if (proven.size() == 2) break;
  }
  return proven;
}

std::vector<std::uint16_t> Director::owners() const {
  std::vector<std::uint16_t> ids;
  for (const auto& [id, node] : nodes_) {
    if (state_of(node) == MemberState::kActive && node.config.weight > 0) ids.push_back(id);
  }
  return ids;
}

MemberState Director::state_of(const Node& node) const {
  if (!node.has_joined || !node.is_up) return MemberState::kDown;
  return node.report.is_draining ? MemberState::kDraining : MemberState::kActive;
}

void Director::change_soon() {
  if (!change_due_since_) change_due_since_ = std::chrono::steady_clock::now();
  change_.arm<&Director::change>(loop_, this);
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
    members.push_back({id, node.config.weight, state, weights_.factor_of(id), node.config.address});
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

// The log is written before the tables: whoever finds them later knows who owned what. A disk may take its time: that it has
// the log, for the host's next life, nobody waits for.
void Director::change() {
  const auto begin = change_due_since_.value_or(std::chrono::steady_clock::now());
  change_due_since_.reset();
  const bool is_new = decide();
  if (const Status brought = bring_tables(); !brought) log_error("rings: {}", brought.error().message);
  if (!is_new) return;
  last_change_ = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
  say_change();
  if (const Status synced = Membership::sync(options_.membership_file); !synced) log_error("{}", synced.error().message);
}

// Whether there is a new generation.
bool Director::decide() {
  auto next = members();
  if (!next) return false;
  const bool has_takeable = std::any_of(next->begin(), next->end(), [](const Member& member) { return member.state != MemberState::kDown; });
  if (!has_takeable && !next->empty()) {
    log_warn("no node is up: the rings stay as they are");
    return false;
  }
  if (!membership_.append(std::move(*next), seconds_now(), rosters_)) return false;
  if (const Status saved = membership_.save(options_.membership_file); !saved) log_error("{}", saved.error().message);
  return true;
}

Status Director::bring_tables() {
  std::vector<VipEntry> vips = vips_of(config_);
  for (std::size_t i = 0; i < vips.size(); ++i) vips[i].flags |= guard_.vip_flags(i);
  const Status followed = rings_.follow(membership_, *rosters_, std::move(vips));
  if (followed) guard_.finish();
  return followed;
}

namespace {

// In the words of what was last heard of it.
std::string why_of(const Director::Node& node) {
  if (!node.is_up) return "its probes fail";
  return node.has_report && node.report.is_draining ? "it says that it drains" : "";
}

}  // namespace

void Director::say_change() {
  constexpr int kMostNamed = 20;
  std::string states;
  int named = 0;
  for (const auto& [id, node] : nodes_) {
    const std::string state(to_string(state_of(node)));
    const bool is_news = std::exchange(said_[id], state) != state;
    if (is_news) report_event("node", node.config.name, "is " + state, why_of(node));
    if (is_news && ++named <= kMostNamed) states += " " + node.config.name + " " + state;
  }
  if (named > kMostNamed) states += " and " + std::to_string(named - kMostNamed) + " more";
  log_info("generation {}:{}; {} slots of {} rings written in {} us", membership_.generations().back().epoch,
           states.empty() ? " weights or VIPs" : states, rings_.changed_slots(), rings_.ring_count(), last_change_.count());
}

void Director::on_forget_time() {
  forget_.arm<&Director::on_forget_time>(loop_, kForgetInterval, this);
  const auto deadline = std::chrono::duration_cast<std::chrono::seconds>(config_.ring.hop_deadline).count();
  if (!membership_.forget_older_than(deadline, seconds_now())) return;
  if (const Status saved = membership_.save(options_.membership_file); !saved) log_error("{}", saved.error().message);
  if (const Status brought = bring_tables(); !brought) log_error("rings: {}", brought.error().message);
}

}  // namespace gatehouse::l4
