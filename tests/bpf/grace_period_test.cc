// Waiting for the packets that are on their way, also on kernels that have no global memory barrier.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "common/bpf_object.h"
#include "common/fd.h"

namespace gatehouse::test {
namespace {

long global_barrier() { return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0); }

// From here on membarrier() answers this process as it does with nohz_full CPUs.
bool refuse_global_barriers() {
  sock_filter instructions[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {std::size(instructions), instructions};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 && global_barrier() != 0 &&
         errno == EINVAL;
}

TEST(GracePeriod, ComesToAnEnd) {
  if (geteuid() != 0 && global_barrier() != 0) GTEST_SKIP() << "Without the barrier it needs root.";
  wait_for_bpf_readers();
}

TEST(GracePeriod, NeedsNoGlobalBarrier) {
  const Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "gh_test", 4, 8, 1, nullptr));
  if (!map.is_open()) GTEST_SKIP() << "This machine does not let us make BPF maps.";
  EXPECT_EXIT(
      {
        if (!refuse_global_barriers()) _exit(1);
        for (int i = 0; i < 3; ++i) wait_for_bpf_readers();
        _exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace gatehouse::test
