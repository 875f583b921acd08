// The filter and the rules; each is a list.
#include "l7/worker_sandbox.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>

#include "common/fd.h"

namespace gatehouse::l7 {
namespace {

// Without conditions: the kernel looks these up in a bitmap, which costs next to nothing.
constexpr int kAllowed[] = {
    // The event loop, sockets and pipes.
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendfile),
    SCMP_SYS(splice),
    SCMP_SYS(socketpair),
    SCMP_SYS(pipe2),
    SCMP_SYS(dup),
    SCMP_SYS(dup3),
    SCMP_SYS(accept4),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(close),
    SCMP_SYS(fcntl),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    // Memory.
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    // Files: Landlock says which. sysinfo is qsort's.
    SCMP_SYS(openat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(lseek),
    SCMP_SYS(pread64),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(getdents64),
    SCMP_SYS(sysinfo),
    // Time, chance, itself.
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getrusage),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(uname),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

// What only somebody would ask for who is no worker.
constexpr int kDeadly[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(setuid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setresgid),
    SCMP_SYS(personality),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
};

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

int add_conditions(scmp_filter_ctx filter) {
  constexpr auto kExecutable = static_cast<scmp_datum_t>(PROT_EXEC);
  int failed = 0;
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, kExecutable, 0));
  }
  for (const int family : {AF_INET, AF_INET6, AF_UNIX}) {
    failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                               SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family)));
  }
  for (const std::uint64_t request :
       {std::uint64_t{TIOCOUTQ}, std::uint64_t{FIONREAD}}) {
    failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, request));
  }
  // abort() signals itself; limits are read, not set.
  failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                             SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid())));
  failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0));
  return failed;
}

Status filter_system_calls() {
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release);
  if (!filter) return Error{"seccomp: no memory"};
  // no_new_privs is set already; each refusal is for the audit log; a tree instead of a list of comparisons.
  int failed = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0);
  failed |= seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_LOG, 1);
  failed |= seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  for (const int call : kAllowed) failed |= seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
  for (const int call : kDeadly) failed |= seccomp_rule_add(filter.get(), SCMP_ACT_KILL_PROCESS, call, 0);
  failed |= add_conditions(filter.get());
  if (failed != 0) return Error{"seccomp: a rule was not understood"};
  if (const int error = seccomp_load(filter.get()); error != 0) {
    errno = -error;
    return system_error("seccomp");
  }
  return {};
}

// The kernel's struct as of ABI 6; <linux/landlock.h> of Debian 12 knows its first member.
struct LandlockRuleset {
  std::uint64_t files, network, scopes;
};
constexpr std::uint64_t kBindTcp = 1, kAbstractSockets = 1, kSignals = 2;

// Every right that this kernel can withhold: 13 of the first version, one more each of the next two, one of
// the fifth.
LandlockRuleset rights_of(long abi) {
  std::uint64_t files = (1ull << 13) - 1;
  if (abi >= 2) files |= 1ull << 13;
  if (abi >= 3) files |= 1ull << 14;
  if (abi >= 5) files |= 1ull << 15;
  return {files, abi >= 4 ? kBindTcp : 0, abi >= 6 ? kAbstractSockets | kSignals : 0};
}

void allow_reading(int ruleset, const char* path) {
  const Fd folder(open(path, O_PATH | O_CLOEXEC));
  if (!folder.is_open()) return;
  struct stat status {};
  if (fstat(folder.get(), &status) != 0) return;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
  if (S_ISDIR(status.st_mode)) rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
  rule.parent_fd = folder.get();
  syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

// Any port that is free: how a connection gets its source address. Who could listen there has no listen(2).
void allow_source_addresses(int ruleset) {
  constexpr int kNetPort = 2;  // LANDLOCK_RULE_NET_PORT
  const struct {
    std::uint64_t rights, port;
  } rule{kBindTcp, 0};
  syscall(SYS_landlock_add_rule, ruleset, kNetPort, &rule, 0);
}

Status leave_files() {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return system_error("Landlock");
  const LandlockRuleset rights = rights_of(abi);
  const std::size_t size = abi >= 6 ? sizeof rights : abi >= 4 ? 16 : 8;
  const Fd ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &rights, size, 0)));
  if (!ruleset.is_open()) return system_error("Landlock");
  // Pools that speak TLS and name no authority verify by the system's, which OpenSSL reads when it meets
  // them.
  const char* const readable[] = {X509_get_default_cert_dir(),
                                  X509_get_default_cert_file(),
                                  std::getenv(X509_get_default_cert_dir_env()),
                                  std::getenv(X509_get_default_cert_file_env()),
                                  "/etc/ssl/certs",
                                  "/usr/share/ca-certificates",
                                  "/usr/local/share/ca-certificates"};
  for (const char* path : readable) {
    if (path && *path) allow_reading(ruleset.get(), path);
  }
  if (abi >= 4) allow_source_addresses(ruleset.get());
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return system_error("Landlock");
  return {};
}

}  // namespace

Status enter_sandbox() {
#ifdef __SANITIZE_ADDRESS__
  return {};
#else
  // What is read once is read while it can be: the system's settings of TLS, the time zone.
  OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, nullptr);
  tzset();
  const Status files = leave_files();
  const Status calls = filter_system_calls();
  return !files ? files : calls;
#endif
}

}  // namespace gatehouse::l7
