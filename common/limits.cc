// setrlimit, and what to say when it does not help.
#include "common/limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace gatehouse {
namespace {

// What the soft limit of `resource` is after all that may be done.
rlim_t raise(__rlimit_resource resource, rlim_t wanted) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return 0;
  if (limit.rlim_max < wanted) {
    const rlimit wider{wanted, wanted};
    if (setrlimit(resource, &wider) == 0) return wanted;
  }
  limit.rlim_cur = limit.rlim_max;
  setrlimit(resource, &limit);
  return limit.rlim_cur;
}

}  // namespace

std::string raise_descriptor_limit(std::uint64_t wanted, const std::string& what) {
  const rlim_t granted = raise(RLIMIT_NOFILE, wanted);
  if (granted >= wanted) return {};
  return "open files: the host grants " + std::to_string(granted) + " to a process, " + what + " may need " +
         std::to_string(wanted) + ": LimitNOFILE=" + std::to_string(wanted) +
         " in the unit, or ulimit -Hn where the daemon is started";
}

std::string raise_memory_lock(std::uint64_t wanted, const std::string& what) {
  const rlim_t granted = raise(RLIMIT_MEMLOCK, wanted);
  if (granted >= wanted) return {};
  return "memory lock: the host grants " + std::to_string(granted >> 10) + " KiB to a process, " + what +
         " may need " + std::to_string(wanted >> 10) +
         ": LimitMEMLOCK=infinity in the unit, or ulimit -Hl where the daemon is started";
}

std::uint64_t free_huge_pages(const std::string& folder) {
  std::uint64_t sum = 0;
  std::error_code error;
  for (const auto& size : std::filesystem::directory_iterator(folder, error)) {
    std::uint64_t pages = 0;
    if (std::ifstream(size.path() / "free_hugepages") >> pages) sum += pages;
  }
  return sum;
}

std::vector<std::string> within_huge_pages(std::vector<std::string> arguments, std::uint64_t free_pages,
                                           std::string& warning) {
  const auto has = [&arguments](const char* word) {
    return std::find(arguments.begin(), arguments.end(), word) != arguments.end();
  };
  // --in-memory asks for huge pages itself.
  if (free_pages > 0 || has("--no-huge") || has("--in-memory")) return arguments;
  warning =
      "huge pages: none is free, DPDK goes on without (--no-huge), slower and only with devices that bear "
      "it: sysctl -w vm.nr_hugepages=512";
  arguments.insert(arguments.begin(), "--no-huge");
  return arguments;
}

}  // namespace gatehouse
