// See the header.
#include "perf/packets/front_door_bench.h"

#include <linux/bpf.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "l4/counters.h"
#include "l4/xdp_data_plane.h"

namespace gatehouse::perf {

FrontDoorBench::FrontDoorBench(Wrapper& wrapper, const Shape& shape) : wrapper_(wrapper), shape_(shape) {}
FrontDoorBench::~FrontDoorBench() = default;

Result<std::unique_ptr<FrontDoorBench>> FrontDoorBench::open(Wrapper& wrapper, const std::string& folder, const Shape& shape) {
  std::unique_ptr<FrontDoorBench> bench(new FrontDoorBench(wrapper, shape));
  auto plane = l4::XdpDataPlane::open({.pin_folder = folder, .interfaces = {}, .ring_slots = kRingSlots,
                                        .flow_lines = shape.has_all_tunnels ? kFlowLines : 1});
  if (!plane) return plane.error();
  bench->plane_ = std::move(*plane);
  if (const Status filled = fill_tables(*bench->plane_, shape); !filled) return filled.error();
  return bench;
}

Run FrontDoorBench::make_run(const FrontDoorCase& one) const {
  const Wrapper::Floors floors = wrapper_.floors();
  const bool is_v4 = one.family == Family::kIpv4;
  Run run;
  run.around = is_v4 ? Run::Around::kIpv4 : Run::Around::kIpv6;
  run.program = plane_->program_fd();
  run.frame = make_frame(one.family, one.tunnel);
  run.first_vip = first_vip(one.tunnel);
  run.vips = shape_.vips;
  run.flows = one.flows;
  run.tcp_flags = one.is_syn ? 0x02 : 0x10;
  switch (one.target) {
    case Target::kLoop:
      run.around = Run::Around::kNothing;
      run.program = floors.loop;
      break;
    case Target::kTransmit:
      run.program = floors.transmit;
      break;
    case Target::kPrepend:
      run.program = is_v4 ? floors.prepend_ipv4 : floors.prepend_ipv6;
      break;
    case Target::kNotVip:
      run.frame = make_other_frame(one.family);
      run.first_vip = 99;
      run.vips = 1;
      break;
    case Target::kBalance:
      break;
  }
  return run;
}

Result<double> FrontDoorBench::run(const FrontDoorCase& one, std::uint64_t packets) {
  Run run = make_run(one);
  run.packets = packets;
  const l4::VerdictCounts verdicts = l4::verdict_counts(plane_->tables());
  const auto before = node_packets(plane_->tables(), one.family, shape_);
  const auto outcome = wrapper_.run(run);
  if (!outcome) return outcome.error();
  const l4::VerdictCounts after = l4::verdict_counts(plane_->tables());
  for (std::size_t verdict = 0; verdict < GH_VERDICT_COUNT; ++verdict) {
    const bool is_expected = (one.target == Target::kBalance && verdict == GH_FORWARDED) ||
                             (one.target == Target::kNotVip && verdict == GH_NOT_VIP);
    const std::uint64_t count = after[verdict] - verdicts[verdict];
    if (count == (is_expected ? packets : 0)) continue;
    return Error{"verdict " + std::to_string(verdict) + " was counted " + std::to_string(count) + " times"};
  }
  const auto used = node_packets(plane_->tables(), one.family, shape_);
  const auto nodes = std::inner_product(used.begin(), used.end(), before.begin(), std::size_t{0}, std::plus<>(), std::not_equal_to<>());
  const Status checked = check(one, *outcome, nodes);
  return checked ? Result<double>(outcome->nanoseconds) : checked.error();
}

Status FrontDoorBench::check(const FrontDoorCase& one, const Outcome& outcome, std::size_t nodes_used) const {
  if (outcome.action != (one.target == Target::kNotVip ? XDP_PASS : XDP_TX)) {
    return Error{"the XDP action was " + std::to_string(outcome.action)};
  }
  if (one.target != Target::kBalance) return {};
  const bool is_spread = one.flows > 1 || shape_.vips > 1;
  if (nodes_used != (is_spread ? shape_.nodes : 1u)) return Error{std::to_string(nodes_used) + " nodes got packets"};
  return check_forwarded(plane_->tables(), one.family, one.tunnel, outcome.frame);
}

Result<double> FrontDoorBench::measure(const FrontDoorCase& one, std::uint64_t packets) {
  const auto warmed = run(one, std::max<std::uint64_t>(packets / 10, 20'000));
  return warmed ? run(one, packets) : warmed;
}

}  // namespace gatehouse::perf
