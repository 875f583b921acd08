// The wrapper method; see the header.
#include "perf/packets/wrapper.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cstring>

#include "common/bpf_object.h"
#include "perf/packets/harness.skel.h"

namespace gatehouse::perf {

Wrapper::~Wrapper() { harness_bpf__destroy(harness_); }

Result<std::unique_ptr<Wrapper>> Wrapper::open() {
  std::unique_ptr<Wrapper> wrapper(new Wrapper);
  wrapper->harness_ = harness_bpf__open();
  if (!wrapper->harness_) return system_error("cannot open the wrapper");
  if (const int code = harness_bpf__load(wrapper->harness_)) return bpf_error("cannot load the wrapper", code);
  wrapper->harness_->bss->random_state = 20261121;
  return wrapper;
}

Wrapper::Floors Wrapper::floors() const {
  const auto& programs = harness_->progs;
  return {bpf_program__fd(programs.loop), bpf_program__fd(programs.transmit), bpf_program__fd(programs.prepend_ipv4),
          bpf_program__fd(programs.prepend_ipv6), bpf_program__fd(programs.look_up)};
}

// What the kernel is to call: the wrapper, whose target is the program.
int Wrapper::prepare(const Run& run) {
  auto& shared = *harness_->bss;
  shared.done = shared.failed = shared.started = shared.ended = 0;
  shared.last = run.packets - 1;
  shared.flow_mask = run.flows - 1;
  shared.vip_mask = run.vips - 1;
  shared.first_vip = run.first_vip;
  shared.tcp_flags = run.tcp_flags;
  shared.plain_bytes = static_cast<__u32>(run.frame.size());
  std::memcpy(shared.head, run.frame.data(), std::min(run.frame.size(), sizeof shared.head));
  const __u32 zero = 0;
  const auto& programs = harness_->progs;
  if (run.around == Run::Around::kNothing) return run.program;
  if (bpf_map_update_elem(bpf_map__fd(harness_->maps.target), &zero, &run.program, BPF_ANY) != 0) return -1;
  switch (run.around) {
    case Run::Around::kIpv4: return bpf_program__fd(programs.wrap_ipv4);
    case Run::Around::kIpv6: return bpf_program__fd(programs.wrap_ipv6);
    case Run::Around::kScatteredIpv4: return bpf_program__fd(programs.wrap_scattered_ipv4);
    case Run::Around::kScatteredIpv6: return bpf_program__fd(programs.wrap_scattered_ipv6);
    default: return bpf_program__fd(programs.wrap_tunnel);
  }
}

Result<Outcome> Wrapper::run(const Run& run) {
  const int program = prepare(run);
  if (program < 0) return system_error("cannot set the tail call's target");
  Outcome outcome;
  outcome.frame.resize(run.frame.size() + 256);
  std::vector<std::uint8_t> input = run.frame;
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = input.data(), .data_out = outcome.frame.data(),
              .data_size_in = static_cast<__u32>(input.size()), .data_size_out = static_cast<__u32>(outcome.frame.size()),
              .repeat = static_cast<int>(run.packets));
  if (const int code = bpf_prog_test_run_opts(program, &options)) return bpf_error("test run", code);
  outcome.frame.resize(options.data_size_out);
  outcome.action = options.retval;
  const auto& shared = *harness_->bss;
  if (shared.done != run.packets || shared.failed != 0) {
    return Error{std::to_string(shared.done) + " packets were run and " + std::to_string(shared.failed) +
                 " of them failed, expected were " + std::to_string(run.packets) + " and 0"};
  }
  outcome.nanoseconds = static_cast<double>(shared.ended - shared.started) / static_cast<double>(run.packets - 1);
  return outcome;
}

}  // namespace gatehouse::perf
