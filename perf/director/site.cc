#include "perf/director/site.h"

#include <malloc.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "common/bpf_object.h"
#include "l4/rosters.h"

namespace gatehouse::perf {
namespace {

constexpr const char* kPins = "/sys/fs/bpf/gatehouse-perf-director";

IpAddress address_of(std::uint16_t number, std::uint8_t first) {
  return IpAddress::from_v4(
      {first, 0, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number & 0xff)});
}

config::Config make_config(std::uint16_t rosters, std::uint16_t probe_port) {
  config::Config config;
  config.l4_hosts = {{"l4a", *IpAddress::parse("127.0.0.1"), std::nullopt, {"lo"}}};
  config.ring.slots = kSlots;
  config.probe = {*IpAddress::parse("127.0.0.1"), probe_port, Duration(1'000), Duration(500), 1, 2};
  for (std::uint16_t id = 1; id <= kNodes; ++id)
    config.nodes.push_back({id, "n" + std::to_string(id), address_of(id, 10), "eth0", 100});
  std::mt19937 random(1);
  std::vector<std::vector<config::VipNode>> sets(rosters);
  for (auto& nodes : sets) {
    for (const config::Node& node : config.nodes) {
      if (rosters > 1 && random() % 10 != 0) nodes.push_back({node.name});
    }
  }
  for (std::uint16_t number = 0; number < kVips; ++number) {
    config.vips.push_back({"v" + std::to_string(number), address_of(number, 198), 443, "tcp"});
    config.vips.back().nodes = sets[number % rosters];
  }
  return config;
}

std::uint64_t status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return 1024 * std::stoull(line.substr(key.size() + 1));
  }
  return 0;
}

void reset_peak_memory() {
  malloc_trim(0);  // what earlier rounds gave back
  std::ofstream("/proc/self/clear_refs") << "5";
}

std::uint64_t bytes_of(const l4::Tables& tables) {
  return tables.slots.size_bytes() + tables.vip_lines.size_bytes() + tables.nodes.size_bytes() +
         tables.groups.size_bytes() + tables.cpus.size_bytes();
}

// At its highest, without what is mapped of files and tables.
std::uint64_t own_memory() {
  return status_bytes("VmHWM") - status_bytes("RssFile") - status_bytes("RssShmem");
}

}  // namespace

Site::Site(std::string folder, std::uint16_t rosters)
    : folder_(std::move(folder)), target_(loop_, 4 * kNodes) {
  config_ = make_config(rosters, target_.port);
  for (const config::Node& node : config_.nodes) target_.answering.insert(node.id);
}

Site::~Site() {
  director_.reset();
  plane_.reset();
  remove_pins(kPins);
}

Result<Site::Rebuild> Site::rebuild() {
  director_.reset();
  plane_.reset();
  reset_peak_memory();
  remove_pins(kPins);
  auto plane = l4::XdpDataPlane::open({.pin_folder = kPins,
                                       .interfaces = {"lo"},
                                       .ring_slots = kSlots,
                                       .ring_areas = l4::ring_areas_for(config_)});
  if (!plane) return plane.error();
  plane_ = std::move(*plane);
  l4::Membership log;
  std::vector<l4::Member> members;
  for (const config::Node& node : config_.nodes) {
    members.push_back({node.id, node.weight, l4::MemberState::kActive, l4::Member::kNeutral, node.address});
  }
  log.append(members, 1'700'000'000, l4::rosters_of(config_));
  if (const Status saved = log.save(folder_ + "/membership.json"); !saved) return saved.error();
  director_ = std::make_unique<l4::Director>(
      loop_, *plane_, l4::Director::Options{config_.l4_hosts[0], folder_ + "/membership.json"});
  const auto begin = std::chrono::steady_clock::now();
  const Status started = director_->start(config_);
  if (!started) return started.error();
  const Seconds time = std::chrono::steady_clock::now() - begin;
  return Rebuild{time, own_memory() + bytes_of(plane_->tables())};
}

Result<std::vector<Seconds>> Site::kill(int deaths) {
  const auto turn_for = [this](Duration time, auto&& after_turn) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
      loop_.turn(Duration(10));
      after_turn();
    }
  };
  turn_for(Duration(5'000), [] {});  // until the path is proven
  std::vector<Seconds> times;
  std::set<std::uint16_t> dead;
  for (int death = 0; death < deaths; ++death) {
    dead.insert(static_cast<std::uint16_t>(7 + death * 97 % kNodes));
    target_.answering.erase(*dead.rbegin());
  }
  for (const std::uint16_t id : dead) target_.answering.erase(id);
  std::uint16_t epoch = director_->membership().generations().back().epoch;
  turn_for(Duration(5'000), [&] {
    const std::uint16_t now = director_->membership().generations().back().epoch;
    if (std::exchange(epoch, now) != now) times.push_back(director_->last_change());
  });
  for (const auto& [id, node] : director_->nodes()) {
    const bool is_right = dead.contains(id) == (director_->state_of(node) == l4::MemberState::kDown);
    if (!is_right)
      return Error{"node " + std::to_string(id) + " is " + std::string(to_string(director_->state_of(node))) +
                   ": " + node.probe->reason()};
  }
  return times;
}

}  // namespace gatehouse::perf
