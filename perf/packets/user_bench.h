// ns per packet of the packet core's user-space build (l4::balance over plain memory), beside the same loop
// around a function that does nothing. Flows are drawn as the wrapper of harness.bpf.c does. Every run is
// checked.
#pragma once

#include "common/result.h"
#include "l4/user_tables.h"
#include "perf/packets/site.h"

namespace gatehouse::perf {

class UserBench {
 public:
  enum class Target { kLoop, kBalance };

  static Result<std::unique_ptr<UserBench>> open();
  Result<double> measure(Target target, Family family, std::uint32_t flows, std::uint64_t packets);

 private:
  UserBench();
  Result<double> run(Target target, Family family, std::uint32_t flows, std::uint64_t packets);
  Status check(Family family, std::uint32_t flows, std::span<const std::uint64_t> before,
               const l4::PacketBuffer& last);

  l4::MemoryPlane plane_;
  l4::Tables tables_;
  std::uint64_t random_state_ = 20261121;
};

}  // namespace gatehouse::perf
