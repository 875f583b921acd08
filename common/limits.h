// Limits of the host that a daemon would like to be wider. It raises what it may, says at start by name what
// is not granted and what to set, and goes on within what there is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gatehouse {

// As many descriptors as the hard limit allows; beyond it, up to `wanted`, where that may be raised. The
// warning, when there are fewer than `wanted` then, "for what"; empty: there are enough.
std::string raise_descriptor_limit(std::uint64_t wanted, const std::string& what);

// The same of bytes of memory that may be locked.
std::string raise_memory_lock(std::uint64_t wanted, const std::string& what);

// Huge pages that nobody has, of any size. `folder`: /sys/kernel/mm/hugepages.
std::uint64_t free_huge_pages(const std::string& folder = "/sys/kernel/mm/hugepages");

// The arguments of DPDK's environment with what lets it start without huge pages, where there are none;
// `warning` says so.
std::vector<std::string> within_huge_pages(std::vector<std::string> arguments, std::uint64_t free_pages,
                                           std::string& warning);

}  // namespace gatehouse
