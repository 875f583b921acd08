// The bars are those of the front door's issue, as multiples of raw figures.
#include "perf/packets/cases.h"

#include <algorithm>

namespace gatehouse::perf {
namespace {

std::string flows_text(std::uint32_t flows) {
  const std::string number = flows >= 1u << 20 ? std::to_string(flows >> 20) + " M"
                             : flows >= 1u << 10 ? std::to_string(flows >> 10) + " k" : std::to_string(flows);
  return number + (flows == 1 ? " flow" : " flows");
}

constexpr const char* kFloorA = "floor A: XDP_TX";
constexpr const char* kFloorB = "floor B: look, prepend 20 bytes";

struct FrontDoorRow {
  const char* name;
  const char* floor;
  double most;
  FrontDoorCase one;
};

const FrontDoorRow kFrontDoorRows[] = {
    {"the kernel's test loop alone", nullptr, 0, {Target::kLoop}},
    {kFloorA, nullptr, 0, {Target::kTransmit}},
    {kFloorB, nullptr, 0, {Target::kPrepend}},
    {"balance(), not a VIP's", kFloorA, 1.25, {Target::kNotVip}},
    {"balance(), IPIP", kFloorB, 1.3, {Target::kBalance, {}, Tunnel::kIpip}},
    {"balance(), IPIP, every packet a SYN", kFloorB, 1.3, {Target::kBalance, {}, Tunnel::kIpip, 1, true}},
    {"balance(), GUE", kFloorB, 1.5, {Target::kBalance, {}, Tunnel::kGue}},
    {"balance(), GUE, hop list empty", kFloorB, 1.6, {Target::kBalance, {}, Tunnel::kGueHops}},
    {"balance(), GUE, hop list full", kFloorB, 1.6, {Target::kBalance, {}, Tunnel::kGueTransition}},
    {"balance(), service, flows remembered", kFloorB, 3.3, {Target::kBalance, {}, Tunnel::kService}},
    {"balance(), service, every packet a new flow", kFloorB, 3.3, {Target::kBalance, {}, Tunnel::kService, 1, true}},
};

}  // namespace

Result<std::unique_ptr<Cases>> Cases::make(const std::string& folder, Results& results) {
  std::unique_ptr<Cases> cases(new Cases(results));
  if (const Status opened = cases->open(folder); !opened) return opened.error();
  return cases;
}

Status Cases::open(const std::string& folder) {
  auto wrapper = Wrapper::open();
  if (!wrapper) return wrapper.error();
  wrapper_ = std::move(*wrapper);
  auto usual = FrontDoorBench::open(*wrapper_, folder + "/usual", kUsualShape);
  if (!usual) return usual.error();
  usual_ = std::move(*usual);
  add_front_door();
  if (const Status scaled = add_scale(folder); !scaled) return scaled;
  auto node = NodeBench::open(*wrapper_);
  if (!node) return node.error();
  node_ = std::move(*node);
  add_node();
  auto user = UserBench::open();
  if (!user) return user.error();
  user_ = std::move(*user);
  add_user();
  return {};
}

void Cases::add_row(const RowSpec& row, const std::string& column, std::function<Result<double>(std::uint64_t)> measure) {
  const std::string place = row.section + "/" + row.name;
  if (std::find(declared_.begin(), declared_.end(), place) == declared_.end()) {
    declared_.push_back(place);
    results_.declare(row);
  }
  cases_.push_back({row.section, row.name, column, std::move(measure)});
}

void Cases::add_front_door() {
  for (const Family family : kFamilies) {
    const std::string section = "Front door, " + std::string(to_string(family)) + " TCP over " + std::string(to_string(family));
    for (const FrontDoorRow& row : kFrontDoorRows) {
      RowSpec spec{section, row.name, {}, row.most};
      if (row.floor) spec.floors = {row.floor};
      for (const std::uint32_t flows : kFlows) {
        FrontDoorCase one = row.one;
        one.family = family;
        one.flows = flows;
        add_row(spec, flows_text(flows), [this, one](std::uint64_t packets) { return usual_->measure(one, packets); });
      }
    }
  }
}

Status Cases::add_scale(const std::string& folder) {
  const std::string section = "Front door, VIPs and nodes: IPv4 TCP, GUE, hop list empty, a million flows";
  for (const auto& [vips, nodes] : {std::pair{1u, 1u}, {1u, 1000u}, {512u, 1u}, {512u, 1000u}}) {
    const std::string column = std::to_string(vips) + (vips == 1 ? " VIP, " : " VIPs, ") + std::to_string(nodes) + (nodes == 1 ? " node" : " nodes");
    auto opened = FrontDoorBench::open(*wrapper_, folder + "/vips" + std::to_string(vips) + "nodes" + std::to_string(nodes),
                                       {vips, static_cast<std::uint16_t>(nodes), false});
    if (!opened) return opened.error();
    FrontDoorBench* bench = scaled_.emplace_back(std::move(*opened)).get();
    for (const FrontDoorRow& row : kFrontDoorRows) {
      const bool is_wanted = row.name == kFloorB || row.one.tunnel == Tunnel::kGueHops;
      if (!is_wanted || (row.one.target != Target::kBalance && row.name != kFloorB)) continue;
      FrontDoorCase one = row.one;
      one.flows = 1u << 20;
      RowSpec spec{section, row.name, {}, 0};
      if (row.floor) spec.floors = {row.floor};
      add_row(spec, column, [bench, one](std::uint64_t packets) { return bench->measure(one, packets); });
    }
  }
  return {};
}

void Cases::add_node() {
  const std::string section = "Node, IPv4 over IPv4";
  constexpr const char* kWrapper = "wrapper alone";
  constexpr const char* kAlone = "decapsulate(), GUE, no hops left";
  constexpr const char* kHere = "a socket lookup beyond the wrapper, flow known";
  constexpr const char* kUnknown = "a socket lookup beyond the wrapper, unknown";
  const auto add = [&](const char* name, std::vector<std::string> floors, double most, NodeTarget target) {
    add_row({section, name, std::move(floors), most}, "", [this, target](std::uint64_t packets) { return node_->measure(target, packets); });
  };
  const auto add_difference = [&](const char* name, NodeTarget target) {
    add_row({section, name, {}, 0}, "", [this, target](std::uint64_t packets) -> Result<double> {
      const auto without = node_->measure(NodeTarget::kWrapper, packets);
      if (!without) return without;
      const auto with = node_->measure(target, packets);
      return with ? Result<double>(*with - *without) : with;
    });
  };
  add(kWrapper, {}, 0, NodeTarget::kWrapper);
  add("decapsulate(), IPIP", {kWrapper}, 0, NodeTarget::kIpip);
  add(kAlone, {kWrapper}, 0, NodeTarget::kGue);
  add_difference(kHere, NodeTarget::kLookUpHere);
  add_difference(kUnknown, NodeTarget::kLookUp);
  add("decapsulate(), hops left, flow is here", {kAlone, kHere}, 1.6, NodeTarget::kOwned);
  add("decapsulate(), to the next hop", {kAlone, kUnknown}, 2.2, NodeTarget::kSentOn);
}

void Cases::add_user() {
  for (const Family family : kFamilies) {
    const std::string section = "The same source in user space, " + std::string(to_string(family)) + ", GUE, hop list empty";
    for (const std::uint32_t flows : kFlows) {
      for (const auto target : {UserBench::Target::kLoop, UserBench::Target::kBalance}) {
        const bool is_loop = target == UserBench::Target::kLoop;
        RowSpec spec{section, is_loop ? "loop alone" : "balance()", {}, 0};
        if (!is_loop) spec.floors = {"loop alone"};
        add_row(spec, flows_text(flows), [this, target, family, flows](std::uint64_t packets) {
          return user_->measure(target, family, flows, packets);
        });
      }
    }
  }
}

}  // namespace gatehouse::perf
