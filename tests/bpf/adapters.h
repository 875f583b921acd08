// The adapters of the packet core by one face: what they do with a packet, and what they count. Tests of rows of packets run over
// each; over DPDK's where it is installed.
#pragma once

#include "tests/bpf/builds.h"
#include "tests/bpf/dpdk_wire.h"

namespace gatehouse::test {

enum class Adapter { kUserSpace, kKernel, kDpdk };

inline std::string name_of_adapter(const testing::TestParamInfo<Adapter>& info) {
  if (info.param == Adapter::kDpdk) return "OverDpdk";
  return info.param == Adapter::kKernel ? "InTheKernel" : "InUserSpace";
}

// Of the two whose tables are this process's memory. In place; the action.
inline int run_in_memory(Adapter adapter, l4::Tables& tables, Bytes& packet) {
#ifdef GATEHOUSE_DPDK
  if (adapter == Adapter::kDpdk) return run_over_dpdk(tables, packet);
#endif
  static_cast<void>(adapter);
  return xdp_action_of(run_here(l4::balance, tables, packet));
}

#ifdef GATEHOUSE_DPDK
#define GATEHOUSE_ADAPTERS testing::Values(Adapter::kUserSpace, Adapter::kKernel, Adapter::kDpdk)
#else
#define GATEHOUSE_ADAPTERS testing::Values(Adapter::kUserSpace, Adapter::kKernel)
#endif
// Where it is the builds that matter and not how a packet comes.
#define GATEHOUSE_BOTH_BUILDS(suite) \
  INSTANTIATE_TEST_SUITE_P(, suite, testing::Values(Adapter::kUserSpace, Adapter::kKernel), name_of_adapter)
#define GATEHOUSE_ALL_ADAPTERS(suite) INSTANTIATE_TEST_SUITE_P(, suite, GATEHOUSE_ADAPTERS, name_of_adapter)

}  // namespace gatehouse::test
