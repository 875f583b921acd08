// The two adapters of the packet core by one face: what they do with a packet, and what they count. Tests of
// rows of packets run over each.
#pragma once

#include "tests/bpf/builds.h"

namespace gatehouse::test {

enum class Adapter { kUserSpace, kKernel };

inline std::string name_of_adapter(const testing::TestParamInfo<Adapter>& info) {
  return info.param == Adapter::kKernel ? "InTheKernel" : "InUserSpace";
}

#define GATEHOUSE_BOTH_ADAPTERS(suite) \
  INSTANTIATE_TEST_SUITE_P(, suite, testing::Values(Adapter::kUserSpace, Adapter::kKernel), name_of_adapter)

}  // namespace gatehouse::test
