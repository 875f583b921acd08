#include "l4/xdp_data_plane.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "bpf/capture.skel.h"
#include "bpf/probe.skel.h"
#include "bpf/xdp.skel.h"
#include "common/bpf_object.h"
#include "common/fd.h"
#include "common/log.h"
#include "l4/quic_cid.h"

namespace gatehouse::l4 {
namespace {

struct ProbeHook {
  explicit ProbeHook(const std::string& interface) {
    hook.ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    hook.attach_point = BPF_TC_EGRESS;
    // A place of our own: what others attached to this interface is not ours to replace.
    options.handle = 1;
    options.priority = 0x4748;
  }
  bpf_tc_hook hook = {.sz = sizeof(bpf_tc_hook)};
  bpf_tc_opts options = {.sz = sizeof(bpf_tc_opts)};
};

// Makes the size of `map` a multiple for each CPU.
void size_per_cpu(bpf_map* map) {
  const auto cpus = static_cast<__u32>(libbpf_num_possible_cpus());
  bpf_map__set_max_entries(map, bpf_map__max_entries(map) * cpus);
}

template <typename T>
Status map_table(const bpf_map* map, std::span<T>& table) {
  const auto memory = map_memory(map);
  if (!memory) return memory.error();
  table = {reinterpret_cast<T*>(memory->data()), memory->size() / sizeof(T)};
  return {};
}

}  // namespace

struct XdpDataPlane::Programs {
  xdp_bpf* xdp = nullptr;
  probe_bpf* probe = nullptr;
  capture_bpf* capture = nullptr;  // loaded when somebody captures
  ~Programs() {
    capture_bpf__destroy(capture);
    probe_bpf__destroy(probe);
    xdp_bpf__destroy(xdp);
  }
};

XdpDataPlane::XdpDataPlane(Options options) : options_(std::move(options)), programs_(std::make_unique<Programs>()) {}
XdpDataPlane::~XdpDataPlane() = default;

Result<std::unique_ptr<XdpDataPlane>> XdpDataPlane::open(const Options& options) {
  if (const Status prepared = prepare_pin_folder(options.pin_folder); !prepared) return prepared.error();
  std::unique_ptr<XdpDataPlane> plane(new XdpDataPlane(options));
  Programs& programs = *plane->programs_;
  programs.xdp = xdp_bpf__open();
  if (!programs.xdp) return system_error("cannot open the XDP program");
  auto& maps = programs.xdp->maps;
  bpf_map__set_max_entries(maps.slots, options.ring_slots * options.ring_areas);
  for (bpf_map* map : {maps.cpus, maps.service_counts, maps.sketch_lines}) size_per_cpu(map);
  bpf_map__set_max_entries(maps.flow_lines, options.flow_lines);
  bpf_map__set_max_entries(maps.prefix_lines, options.guard.prefix_lines());
  bpf_map__set_max_entries(maps.bucket_lines, options.guard.bucket_lines());
  auto pins = plan_pins(programs.xdp->obj, options.pin_folder);
  if (!pins) return pins.error();
  plane->pins_ = std::move(*pins);
  if (const int code = xdp_bpf__load(programs.xdp)) {
    return bpf_error("the kernel refuses the XDP program (CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed)", code);
  }
  if (const Status mapped = plane->map_tables(); !mapped) return mapped.error();
  plane->tables_.state->slots = options.ring_slots;
  return plane;
}

Status XdpDataPlane::map_tables() {
  const auto& maps = programs_->xdp->maps;
  std::span<gh_state> state;
  const Status results[] = {
      map_table(maps.state, state),
      map_table(maps.slots, tables_.slots),
      map_table(maps.cpus, tables_.cpus),
      map_table(maps.services, tables_.services.services),
      map_table(maps.servers, tables_.services.servers),
      map_table(maps.service_lines, tables_.services.lines),
      map_table(maps.vip_places, tables_.services.places),
      map_table(maps.quic_configs, tables_.services.quic),
      map_table(maps.aes, tables_.services.aes),
      map_table(maps.flow_lines, tables_.services.flow_lines),
      map_table(maps.service_counts, tables_.services.counts),
  };
  for (const Status& result : results) {
    if (!result) return result.error();
  }
  tables_.set_state(state.data());
  fill_aes_tables(tables_.services.aes);
  return map_guard();
}

Status XdpDataPlane::map_guard() {
  const auto& maps = programs_->xdp->maps;
  GuardTables& tables = tables_.guard;
  const Status results[] = {
      map_table(maps.prefix_lists, tables.lists),
      map_table(maps.prefix_lines, tables.prefix_lines),
      map_table(maps.v4_lengths, tables.v4_lengths),
      map_table(maps.bucket_lines, tables.bucket_lines),
      map_table(maps.sketch_lines, tables.sketch_lines),
  };
  for (const Status& result : results) {
    if (!result) return result.error();
  }
  tables.set_guard(&tables_.state->guard);
  prepare_guard(tables, tick_multiplier());
  return {};
}

// A name may have dots, a pin may not.
std::string XdpDataPlane::link_of(const std::string& interface) const {
  std::string name = interface;
  std::replace(name.begin(), name.end(), '.', ',');
  return options_.pin_folder + "/link_xdp_" + name;
}

Status XdpDataPlane::attach() {
  if (const Status filled = fill_next_program(); !filled) return filled;
  if (const Status attached = attach_everywhere(programs_->xdp->progs.balance); !attached) return attached;
  if (const Status settled = settle_pins(pins_); !settled) return settled;
  return load_probe();
}

Status XdpDataPlane::attach_probe_only() {
  for (const std::string& interface : options_.interfaces) unlink(link_of(interface).c_str());
  if (const Status settled = settle_pins(pins_); !settled) return settled;
  return load_probe();
}

Status XdpDataPlane::load_probe() {
  programs_->probe = probe_bpf__open();
  if (!programs_->probe) return system_error("cannot open the probe program");
  auto& maps = programs_->probe->maps;
  bpf_map__reuse_fd(maps.state, bpf_map__fd(programs_->xdp->maps.state));
  if (const int code = probe_bpf__load(programs_->probe)) return bpf_error("the kernel refuses the probe program", code);
  return attach_probe(options_.interfaces.front());
}

Status XdpDataPlane::attach_everywhere(bpf_program* program) {
  for (const std::string& interface : options_.interfaces) {
    if (const Status attached = attach_xdp(program, interface, link_of(interface), options_.mode); !attached) return attached;
  }
  return {};
}

Status XdpDataPlane::attach_probe(const std::string& interface) {
  ProbeHook probe(interface);
  const int hooked = bpf_tc_hook_create(&probe.hook);
  if (hooked != 0 && hooked != -EEXIST) return bpf_error("cannot add clsact to " + interface, hooked);
  probe.options.prog_fd = bpf_program__fd(programs_->probe->progs.probe);
  probe.options.flags = BPF_TC_F_REPLACE;
  if (const int code = bpf_tc_attach(&probe.hook, &probe.options)) {
    return bpf_error("cannot attach the probe program to " + interface, code);
  }
  return {};
}

Status XdpDataPlane::attach_again(const std::string& interface) {
  const auto& ours = options_.interfaces;
  if (std::find(ours.begin(), ours.end(), interface) == ours.end()) return {};
  if (!xdp_mode_of(interface, link_of(interface)).empty()) return {};
  if (const Status attached = attach_xdp(programs_->xdp->progs.balance, interface, link_of(interface), options_.mode); !attached) {
    return attached;
  }
  return interface == ours.front() ? attach_probe(interface) : Status();
}

std::vector<Port> XdpDataPlane::ports() const {
  std::vector<Port> ports;
  for (const std::string& interface : options_.interfaces) ports.push_back({interface, xdp_mode_of(interface, link_of(interface))});
  return ports;
}

Status XdpDataPlane::fill_next_program() {
  if (options_.next_program.empty()) return {};
  const Fd program(bpf_obj_get(options_.next_program.c_str()));
  if (!program.is_open()) return system_error("next_program " + options_.next_program);
  const __u32 place = 0;
  const __u32 value = static_cast<__u32>(program.get());
  if (bpf_map_update_elem(bpf_map__fd(programs_->xdp->maps.next_program), &place, &value, BPF_ANY) != 0) {
    return system_error("next_program " + options_.next_program + " cannot follow ours (an XDP program is needed)");
  }
  return {};
}

Status XdpDataPlane::load_capture() {
  if (programs_->capture) return {};
  capture_bpf* capture = capture_bpf__open();
  if (!capture) return system_error("cannot open the capture program");
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, capture->obj) {
    const bpf_map* shared = bpf_object__find_map_by_name(programs_->xdp->obj, bpf_map__name(map));
    if (shared && !bpf_map__is_internal(map)) bpf_map__reuse_fd(map, bpf_map__fd(shared));
  }
  if (const int code = capture_bpf__load(capture)) {
    capture_bpf__destroy(capture);
    return bpf_error("the kernel refuses the capture program", code);
  }
  programs_->capture = capture;
  return {};
}

Result<int> XdpDataPlane::start_capture(const gh_capture_filter& filter) {
  if (const Status loaded = load_capture(); !loaded) return loaded.error();
  const auto& maps = programs_->capture->maps;
  const __u32 zero = 0;
  if (bpf_map_update_elem(bpf_map__fd(maps.capture_filter), &zero, &filter, BPF_ANY) != 0) return system_error("capture filter");
  if (const Status attached = attach_everywhere(programs_->capture->progs.balance_and_capture); !attached) return attached.error();
  return bpf_map__fd(maps.captures);
}

void XdpDataPlane::stop_capture() {
  const Status attached = attach_everywhere(programs_->xdp->progs.balance);
  if (!attached) log_error("the capture cannot be ended, packets are forwarded on: {}", attached.error().message);
}

void XdpDataPlane::detach(const Options& options) {
  remove_pins(options.pin_folder);
  ProbeHook probe(options.interfaces.front());
  bpf_tc_detach(&probe.hook, &probe.options);
}

void XdpDataPlane::wait_for_readers() { wait_for_bpf_readers(); }

std::uint64_t XdpDataPlane::ticks() {
  std::uint64_t clock = 0;
  LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &clock, .ctx_size_in = sizeof clock);
  GH_CHECK(bpf_prog_test_run_opts(bpf_program__fd(programs_->xdp->progs.read_clock), &run) == 0);
  return clock;
}

// A tick is a jiffy: what the coarse clocks advance by.
std::uint32_t XdpDataPlane::tick_multiplier() const {
  timespec jiffy{};
  clock_getres(CLOCK_MONOTONIC_COARSE, &jiffy);
  return static_cast<std::uint32_t>((static_cast<std::uint64_t>(jiffy.tv_nsec) << 32) / 1'000'000'000);
}

int XdpDataPlane::program_fd() const { return bpf_program__fd(programs_->xdp->progs.balance); }

Result<int> XdpDataPlane::test_run(std::vector<std::uint8_t>& packet) {
  std::vector<std::uint8_t> output(packet.size() + 256);
  LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet.data(), .data_out = output.data(),
              .data_size_in = static_cast<__u32>(packet.size()), .data_size_out = static_cast<__u32>(output.size()));
  if (const int code = bpf_prog_test_run_opts(program_fd(), &run)) return bpf_error("test run", code);
  output.resize(run.data_size_out);
  packet = std::move(output);
  return static_cast<int>(run.retval);
}

}  // namespace gatehouse::l4
