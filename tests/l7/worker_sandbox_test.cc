// A child that has entered the sandbox tries what somebody would who had taken a worker over.
#include "l7/worker_sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "common/fd.h"

namespace gatehouse::l7 {
namespace {

// Runs `attempt` in a child inside the sandbox: "0" when it returned 0 or more, "errno N", or "signal N".
template <typename Attempt>
std::string in_sandbox(Attempt attempt) {
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!enter_sandbox()) _exit(250);
    errno = 0;
    _exit(attempt() >= 0 ? 0 : errno);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return "signal " + std::string(sigabbrev_np(WTERMSIG(status)));
  if (WEXITSTATUS(status) == 250) return "no sandbox";
  return WEXITSTATUS(status) == 0 ? "0" : "errno " + std::string(strerrorname_np(WEXITSTATUS(status)));
}

bool is_available() {
#ifdef __SANITIZE_ADDRESS__
  return false;
#else
  return syscall(SYS_landlock_create_ruleset, nullptr, 0, 1) >= 4;
#endif
}

#define NEEDS_SANDBOX() \
  if (!is_available())  \
  GTEST_SKIP() << "no Landlock of ABI 4 here, or sanitizers, with which workers have no sandbox"

TEST(WorkerSandbox, LeavesWhatAWorkerDoes) {
  NEEDS_SANDBOX();
  EXPECT_EQ(in_sandbox([] { return socket(AF_INET, SOCK_STREAM, 0); }), "0");
  EXPECT_EQ(in_sandbox([] { return socket(AF_UNIX, SOCK_STREAM, 0); }), "0");
  EXPECT_EQ(in_sandbox([] {
              int ends[2];
              return pipe2(ends, O_NONBLOCK);
            }),
            "0");
  EXPECT_EQ(in_sandbox([] {
              return mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                             MAP_FAILED
                         ? -1
                         : 0;
            }),
            "0");
  if (access("/etc/ssl/certs", R_OK) == 0) {
    EXPECT_EQ(in_sandbox([] { return open("/etc/ssl/certs", O_RDONLY); }), "0") << "the system's authorities";
  }
}

// A source address of the pool: any free port of it.
TEST(WorkerSandbox, LeavesTheChoiceOfAnAddressToComeFrom) {
  NEEDS_SANDBOX();
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    EXPECT_EQ(in_sandbox([type] {
                const Fd socket(::socket(AF_INET, type, 0));
                sockaddr_in address{};
                address.sin_family = AF_INET;
                address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                return bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
              }),
              "0")
        << type;
  }
}

TEST(WorkerSandbox, LeavesNoFile) {
  NEEDS_SANDBOX();
  for (const char* path : {"/etc/passwd", "/etc/ssl", "/", "/proc/self/environ", "/dev/null"}) {
    EXPECT_EQ(in_sandbox([path] { return open(path, O_RDONLY); }), "errno EACCES") << path;
  }
  EXPECT_EQ(in_sandbox([] { return open("/tmp/gatehouse-escape", O_WRONLY | O_CREAT, 0600); }),
            "errno EACCES");
  EXPECT_EQ(in_sandbox([] { return unlink("/tmp/gatehouse-escape"); }), "errno EPERM");
}

TEST(WorkerSandbox, BindsNothingSignalsNobodyMakesNoCode) {
  NEEDS_SANDBOX();
  EXPECT_EQ(in_sandbox([] {
              const Fd socket(::socket(AF_INET, SOCK_STREAM, 0));
              sockaddr_in address{};
              address.sin_family = AF_INET;
              address.sin_port = htons(18080);
              return bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
            }),
            "errno EACCES");
  EXPECT_EQ(in_sandbox([] { return kill(getppid(), SIGUSR1); }), "errno EPERM");
  EXPECT_EQ(in_sandbox([] { return static_cast<int>(syscall(SYS_tgkill, getppid(), getppid(), 0)); }),
            "errno EPERM");
  EXPECT_EQ(in_sandbox([] {
              return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                             MAP_FAILED
                         ? -1
                         : 0;
            }),
            "errno EPERM");
  for (const int family : {AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK}) {
    EXPECT_EQ(in_sandbox([family] { return socket(family, SOCK_RAW, 0); }), "errno EPERM") << family;
  }
}

TEST(WorkerSandbox, EndsWhoAsksForWhatNoWorkerDoes) {
  NEEDS_SANDBOX();
  for (const long call :
       {SYS_execve, SYS_bpf, SYS_ptrace, SYS_mount, SYS_setuid, SYS_unshare, SYS_io_uring_setup}) {
    EXPECT_EQ(in_sandbox([call] { return static_cast<int>(syscall(call, 0, 0, 0, 0, 0)); }), "signal SYS")
        << call;
  }
}

TEST(WorkerSandbox, ADefectStillEndsByItsOwnSignal) {
  NEEDS_SANDBOX();
  EXPECT_EQ(in_sandbox([]() -> int { abort(); }), "signal ABRT");
}

}  // namespace
}  // namespace gatehouse::l7
