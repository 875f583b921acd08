// balance() and its floors. Every run is checked: each packet had the verdict that the case is about, the nodes shared them, and
// the last one is what it should be.
#pragma once

#include <memory>
#include <string>

#include "common/result.h"
#include "perf/packets/site.h"
#include "perf/packets/wrapper.h"

namespace gatehouse::l4 {
class XdpDataPlane;
}

namespace gatehouse::perf {

enum class Target {
  kLoop,      // the test loop, no wrapper
  kTransmit,  // floor A: the wrapper and a program that only says XDP_TX
  kPrepend,   // floor B: the plainest look at the headers, and twenty constant bytes before them
  kNotVip,    // balance(), packet not to a VIP
  kBalance,   // balance()
};

struct FrontDoorCase {
  Target target = Target::kBalance;
  Family family = Family::kIpv4;
  Tunnel tunnel = Tunnel::kGueHops;
  std::uint32_t flows = 1;
  bool is_syn = false;
  Guard guard = Guard::kNone;
  bool is_scattered = false;  // sources all over the address space
};

class FrontDoorBench {
 public:
  // Makes a data plane of its own, pinned in `folder` on a BPF file system, attached to nothing.
  static Result<std::unique_ptr<FrontDoorBench>> open(Wrapper& wrapper, const std::string& folder, const Shape& shape,
                                                     bool has_guard = false);
  ~FrontDoorBench();

  // ns per packet over `packets` packets, after a tenth as many to warm up.
  Result<double> measure(const FrontDoorCase& one, std::uint64_t packets);

 private:
  FrontDoorBench(Wrapper& wrapper, const Shape& shape);
  Run make_run(const FrontDoorCase& one) const;
  Result<double> run(const FrontDoorCase& one, std::uint64_t packets);
  Status check(const FrontDoorCase& one, const Outcome& outcome, std::size_t nodes_used) const;

  Wrapper& wrapper_;
  Shape shape_;
  std::unique_ptr<l4::XdpDataPlane> plane_;
};

}  // namespace gatehouse::perf
