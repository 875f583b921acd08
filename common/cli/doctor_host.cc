// The doctor's checks of the kernel and of what it grants.
#include <linux/bpf.h>
#include <linux/landlock.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "common/cli/doctor.h"
#include "common/cli/local_network.h"
#include "common/fd.h"

namespace gatehouse::cli {
namespace {

constexpr rlim_t kEnoughDescriptors = 65'536, kFewDescriptors = 4'096;

void check_kernel(const Patient&, Findings& findings) {
  utsname name{};
  uname(&name);
  int major = 0, minor = 0;
  std::sscanf(name.release, "%d.%d", &major, &minor);
  if (major > 6 || (major == 6 && minor >= 1)) return;
  findings.fault("Linux " + std::string(name.release) + " is older than 6.1",
                 "boot a kernel of Debian 12 or later");
}

// The smallest program there is: return XDP_PASS.
void check_bpf(const Patient& patient, Findings& findings) {
  if (patient.interfaces().empty()) return;
  const bpf_insn code[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS},
                           {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_XDP;
  attributes.insns = reinterpret_cast<std::uintptr_t>(code);
  attributes.insn_cnt = 2;
  attributes.license = reinterpret_cast<std::uintptr_t>("GPL");
  const Fd program(static_cast<int>(syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes)));
  if (program.is_open()) return;
  const bool is_forbidden = errno == EPERM;
  findings.fault("the kernel loads no XDP program: " + std::string(std::strerror(errno)),
                 is_forbidden
                     ? "run this as root; in a container, grant CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
                     : "boot a kernel with CONFIG_BPF_SYSCALL and CONFIG_XDP_SOCKETS, as Debian's have");
}

void check_jit(const Patient& patient, Findings& findings) {
  if (patient.interfaces().empty() || sysctl("net/core/bpf_jit_enable").value_or(1) != 0) return;
  findings.fault("the kernel interprets BPF programs, which costs several times their time",
                 "sysctl -w net.core.bpf_jit_enable=1");
}

void check_pin_system(const Patient& patient, Findings& findings) {
  if (patient.interfaces().empty()) return;
  std::filesystem::path place = patient.pin_folder;
  std::error_code error;
  while (place.has_relative_path() && !std::filesystem::exists(place, error)) place = place.parent_path();
  struct statfs system {};
  if (statfs(place.c_str(), &system) == 0 && system.f_type == BPF_FS_MAGIC) return;
  findings.fault(patient.pin_folder + " is on no BPF file system: nothing can be pinned there",
                 "mount -t bpf bpf /sys/fs/bpf");
}

void check_sandbox(const Patient& patient, Findings& findings) {
  if (!patient.has_workers()) return;
  if (syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1) return;
  findings.note("this kernel has no Landlock: workers keep what files their user may read",
                "boot with lsm=landlock,… among the others");
}

// Certificates and TLS tickets go by it.
void check_clock(const Patient&, Findings& findings) {
  timex now{};
  if (adjtimex(&now) != TIME_ERROR && !(now.status & STA_UNSYNC)) return;
  findings.fault(
      "the clock is not synchronized: certificates and tickets may seem to have expired",
      "systemctl enable --now systemd-timesyncd, or install chrony; timedatectl shows what came of it");
}

// The limit of the daemon that runs, else what one started from here would get.
rlim_t descriptors_of(const Patient& patient) {
  rlimit own{};
  getrlimit(RLIMIT_NOFILE, &own);
  if (patient.daemon == 0) return own.rlim_max;
  rlimit of_daemon{};
  return prlimit(patient.daemon, RLIMIT_NOFILE, nullptr, &of_daemon) == 0 ? of_daemon.rlim_max : own.rlim_max;
}

void check_descriptors(const Patient& patient, Findings& findings) {
  const rlim_t most = descriptors_of(patient);
  if (most >= kEnoughDescriptors) return;
  const std::string what = "at most " + std::to_string(most) + " open files in a process: about " +
                           std::to_string(most / 2) + " connections";
  const std::string cure = "LimitNOFILE= in the unit, ulimit -Hn in the shell that starts the daemon";
  most < kFewDescriptors ? findings.fault(what, cure) : findings.note(what, cure);
}

void check_huge_pages(const Patient& patient, Findings& findings) {
  if (!patient.l4_host || patient.l4_host->dpdk.empty()) return;
  const auto& arguments = patient.l4_host->dpdk;
  if (std::find(arguments.begin(), arguments.end(), "--no-huge") != arguments.end()) return;
  std::ifstream stream("/proc/meminfo");
  for (std::string word; stream >> word;) {
    long pages = 0;
    if (word == "HugePages_Total:" && stream >> pages && pages > 0) return;
  }
  findings.fault("no huge pages are set aside, which DPDK asks for",
                 "sysctl -w vm.nr_hugepages=512, or \"--no-huge\" among dpdk of the [[l4_host]]");
}

}  // namespace

std::vector<Check> host_checks() {
  return {{"kernel", check_kernel},
          {"bpf", check_bpf},
          {"bpf-jit", check_jit},
          {"bpf-fs", check_pin_system},
          {"sandbox", check_sandbox},
          {"clock", check_clock},
          {"open-files", check_descriptors},
          {"huge-pages", check_huge_pages}};
}

}  // namespace gatehouse::cli
