// The wrapper method; see the header.
#include "perf/packets/xdp_bench.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/mount.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "common/bpf_object.h"
#include "l4/xdp_data_plane.h"
#include "perf/packets/harness.skel.h"

namespace gatehouse::perf {
namespace {

// A BPF file system that nobody else sees and that goes away with this process, whatever its end.
Status mount_private(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Error{"cannot create " + folder + ": " + error.message()};
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return system_error("a private mount namespace (root is needed)");
  }
  return mount("bpf", folder.c_str(), "bpf", 0, "mode=0700") == 0 ? Status()
                                                                  : Status(system_error("mount of bpffs"));
}

bool grows_packet(Target target) {
  return target == Target::kRoom || target == Target::kEncapsulate || target == Target::kBalance;
}

std::uint64_t count_verdict(const l4::Tables& tables, std::size_t verdict) {
  std::uint64_t count = 0;
  for (std::size_t i = verdict; i < tables.verdicts.size(); i += GH_VERDICT_STRIDE)
    count += tables.verdicts[i];
  return count;
}

}  // namespace

struct XdpBench::Counts {
  Counts(const l4::Tables& tables, Family family) : nodes(node_packets(tables, family)) {
    for (std::size_t verdict = 0; verdict < GH_VERDICT_COUNT; ++verdict) {
      verdicts.push_back(count_verdict(tables, verdict));
    }
  }
  std::vector<std::uint64_t> verdicts;
  std::vector<std::uint64_t> nodes;
};

XdpBench::XdpBench() = default;
XdpBench::~XdpBench() { harness_bpf__destroy(harness_); }

Result<std::unique_ptr<XdpBench>> XdpBench::open(const std::string& folder) {
  if (const Status mounted = mount_private(folder); !mounted) return mounted.error();
  std::unique_ptr<XdpBench> bench(new XdpBench);
  auto plane =
      l4::XdpDataPlane::open({.pin_folder = folder + "/perf", .interfaces = {}, .ring_slots = kRingSlots});
  if (!plane) return plane.error();
  bench->plane_ = std::move(*plane);
  if (const Status filled = fill_tables(*bench->plane_); !filled) return filled.error();
  bench->harness_ = harness_bpf__open();
  if (!bench->harness_) return system_error("cannot open the wrapper");
  if (const int code = harness_bpf__load(bench->harness_)) return bpf_error("cannot load the wrapper", code);
  bench->harness_->bss->random_state = 20261121;
  return bench;
}

int XdpBench::target_fd(const Case& one) const {
  const auto& programs = harness_->progs;
  const bool is_v4 = one.family == Family::kIpv4;
  switch (one.target) {
    case Target::kLoop:
      return bpf_program__fd(programs.loop);
    case Target::kTransmit:
      return bpf_program__fd(programs.transmit);
    case Target::kParse:
      return bpf_program__fd(programs.parse);
    case Target::kRoom:
      return bpf_program__fd(is_v4 ? programs.room_ipv4 : programs.room_ipv6);
    case Target::kEncapsulate:
      return bpf_program__fd(is_v4 ? programs.encapsulate_ipv4 : programs.encapsulate_ipv6);
    case Target::kNotVip:
    case Target::kBalance:
      break;
  }
  return plane_->program_fd();
}

Status XdpBench::prepare(const Case& one) {
  const __u32 zero = 0;
  const int program = target_fd(one);
  const int table = bpf_map__fd(harness_->maps.target);
  if (bpf_map_update_elem(table, &zero, &program, BPF_ANY) != 0)
    return system_error("cannot set the tail call's target");
  return {};
}

Result<double> XdpBench::run(const Case& one) {
  std::vector<std::uint8_t> frame = make_frame(one.family, one.target != Target::kNotVip);
  std::vector<std::uint8_t> output(frame.size() + 256);
  auto& shared = *harness_->bss;
  shared.done = shared.failed = shared.started = shared.ended = 0;
  shared.last = one.packets - 1;
  shared.flow_mask = one.flows - 1;
  shared.plain_bytes = static_cast<__u32>(frame.size());
  const auto& programs = harness_->progs;
  const auto* wrapper = one.family == Family::kIpv4 ? programs.wrap_ipv4 : programs.wrap_ipv6;
  const int fd = bpf_program__fd(one.target == Target::kLoop ? programs.loop : wrapper);

  const Counts before(plane_->tables(), one.family);
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = output.data(),
              .data_size_in = static_cast<__u32>(frame.size()),
              .data_size_out = static_cast<__u32>(output.size()), .repeat = static_cast<int>(one.packets));
  if (const int code = bpf_prog_test_run_opts(fd, &options)) return bpf_error("test run", code);
  output.resize(options.data_size_out);
  if (const Status checked = check(one, before, options.retval, output); !checked) return checked.error();
  return static_cast<double>(shared.ended - shared.started) / static_cast<double>(one.packets - 1);
}

Status XdpBench::check(const Case& one, const Counts& before, std::uint32_t action,
                       std::span<const std::uint8_t> frame) {
  const auto& shared = *harness_->bss;
  if (shared.done != one.packets || shared.failed != 0) {
    return Error{std::to_string(shared.done) + " packets were run and " + std::to_string(shared.failed) +
                 " of them failed, expected were " + std::to_string(one.packets) + " and 0"};
  }
  if (action != (one.target == Target::kNotVip ? XDP_PASS : XDP_TX)) {
    return Error{"the XDP action was " + std::to_string(action)};
  }
  const std::size_t plain_bytes = make_frame(one.family, true).size();
  if ((frame.size() > plain_bytes) != grows_packet(one.target))
    return Error{"the packet has the wrong length"};

  const Counts after(plane_->tables(), one.family);
  for (std::size_t verdict = 0; verdict < GH_VERDICT_COUNT; ++verdict) {
    const bool is_expected = (one.target == Target::kBalance && verdict == GH_FORWARDED) ||
                             (one.target == Target::kNotVip && verdict == GH_NOT_VIP);
    const std::uint64_t count = after.verdicts[verdict] - before.verdicts[verdict];
    if (count != (is_expected ? one.packets : 0)) {
      return Error{"verdict " + std::to_string(verdict) + " was counted " + std::to_string(count) + " times"};
    }
  }
  if (one.target != Target::kBalance) return {};
  const auto used = std::inner_product(after.nodes.begin(), after.nodes.end(), before.nodes.begin(),
                                       std::size_t{0}, std::plus<>(), std::not_equal_to<>());
  if (one.flows == 1 ? used != 1 : used != kNodes) return Error{std::to_string(used) + " nodes got packets"};
  l4::Tables tables = plane_->tables();
  return check_forwarded(tables, one.family, frame);
}

Result<double> XdpBench::measure(Target target, Family family, std::uint32_t flows, std::uint64_t packets) {
  const Case one{target, family, flows, packets};
  if (const Status prepared = prepare(one); !prepared) return prepared.error();
  const auto warmed = run({target, family, flows, std::max<std::uint64_t>(packets / 10, 20'000)});
  if (!warmed) return warmed;
  return run(one);
}

}  // namespace gatehouse::perf
