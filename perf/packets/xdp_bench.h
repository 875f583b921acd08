// ns per packet of the XDP program and of the floors, in the kernel's own test loop (BPF_PROG_TEST_RUN). The
// kernel keeps the packet between repeats, so that a plain repeat would measure packets that are encapsulated
// already: a wrapper (harness.bpf.c) restores the packet, draws a flow and tail-calls the program. Every run
// is checked: each packet had the verdict that the case is about, the nodes shared them, and the last one is
// what it should be. Needs root.
#pragma once

#include <memory>
#include <string>

#include "common/result.h"
#include "perf/packets/site.h"

struct harness_bpf;

namespace gatehouse::l4 {
class XdpDataPlane;
}

namespace gatehouse::perf {

enum class Target {
  kLoop,         // the test loop, no wrapper
  kTransmit,     // the wrapper and a program that only says XDP_TX
  kParse,        // parse, then XDP_TX
  kRoom,         // two moves of the packet's start: the program's and the wrapper's
  kEncapsulate,  // parse and a constant outer header: nothing is looked up
  kNotVip,       // balance(), packet not to a VIP
  kBalance,      // balance()
};
inline constexpr Target kTargets[] = {Target::kLoop,        Target::kTransmit, Target::kParse,  Target::kRoom,
                                      Target::kEncapsulate, Target::kNotVip,   Target::kBalance};

class XdpBench {
 public:
  // Makes a data plane of its own: pins on a private BPF file system at `folder`, attached to nothing.
  static Result<std::unique_ptr<XdpBench>> open(const std::string& folder);
  ~XdpBench();

  // ns per packet over `packets` packets, after a tenth as many to warm up.
  Result<double> measure(Target target, Family family, std::uint32_t flows, std::uint64_t packets);

 private:
  struct Case {
    Target target;
    Family family;
    std::uint32_t flows;
    std::uint64_t packets;
  };
  struct Counts;

  XdpBench();
  Status prepare(const Case& one);
  Result<double> run(const Case& one);
  Status check(const Case& one, const Counts& before, std::uint32_t action,
               std::span<const std::uint8_t> frame);
  int target_fd(const Case& one) const;

  std::unique_ptr<l4::XdpDataPlane> plane_;
  harness_bpf* harness_ = nullptr;
};

}  // namespace gatehouse::perf
