// A node's decapsulate() beside what it cannot do without: writing the packet anew (the wrapper) and, when it has to ask who owns
// the flow, one socket lookup. The connection that is found is a real one, of this process with itself.
#pragma once

#include <memory>
#include <span>

#include "bpf/abi.h"
#include "common/fd.h"
#include "common/result.h"
#include "perf/packets/wrapper.h"

struct node_bpf;

namespace gatehouse::perf {

enum class NodeTarget {
  kWrapper,      // the wrapper alone
  kIpip,         // decapsulate IPIP
  kGue,          // decapsulate GUE, no hops left
  kLookUpHere,   // one socket lookup, the flow is here
  kLookUp,       // one socket lookup, it is not
  kOwned,        // decapsulate, hops left, the flow is here
  kSentOn,       // hops left, the flow is not here: to the next hop
};

class NodeBench {
 public:
  static Result<std::unique_ptr<NodeBench>> open(Wrapper& wrapper);
  ~NodeBench();

  Result<double> measure(NodeTarget target, std::uint64_t packets);

 private:
  explicit NodeBench(Wrapper& wrapper) : wrapper_(wrapper) {}
  Status connect();
  Status fill();
  std::vector<std::uint8_t> make_frame(NodeTarget target) const;
  std::uint64_t count(gh_verdict verdict) const;
  Result<double> run(NodeTarget target, std::uint64_t packets);

  Wrapper& wrapper_;
  node_bpf* node_ = nullptr;
  gh_state* state_ = nullptr;
  std::span<const gh_counts> counts_;
  Fd listener_, client_;
  std::uint16_t server_port_ = 0, client_port_ = 0;
};

}  // namespace gatehouse::perf
