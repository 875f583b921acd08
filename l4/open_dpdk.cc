// What gatehouse-l4-dpdk forwards with: DPDK.
#include "common/limits.h"
#include "common/log.h"
#include "l4/dpdk_data_plane.h"
#include "l4/rosters.h"
#include "l4/service_director.h"

namespace gatehouse::l4 {

Result<std::unique_ptr<DataPlane>> open_data_plane(const config::L4Host& host, const config::Config& config,
                                                   const std::string& pin_folder) {
  if (host.dpdk.empty()) {
    return Error{config.file + ": [[l4_host]] \"" + host.name + "\" needs dpdk, the arguments of DPDK's environment"};
  }
  const XdpDataPlane::Options tables{.pin_folder = pin_folder,
                                     .interfaces = host.interfaces,
                                     .ring_slots = config.ring.slots,
                                     .ring_areas = ring_areas_for(config) + service_room_of(config),
                                     .flow_lines = flow_lines_of(config),
                                     .guard = {config.protection.prefixes, config.protection.sources}};
  // What devices of the machine ask for, beside what DPDK has in huge pages.
  constexpr std::uint64_t kLocked = 512ull << 20;
  std::string no_pages;
  const auto arguments = within_huge_pages(host.dpdk, free_huge_pages(), no_pages);
  for (const std::string& warning : {no_pages, raise_memory_lock(kLocked, "DPDK")}) {
    if (!warning.empty()) log_warn("{}", warning);
  }
  auto plane = DpdkDataPlane::open({tables, arguments});
  if (!plane) return plane.error();
  return std::unique_ptr<DataPlane>(std::move(*plane));
}

void remove_data_plane(const config::L4Host& host, const std::string& pin_folder) {
  XdpDataPlane::detach({.pin_folder = pin_folder, .interfaces = host.interfaces});
}

}  // namespace gatehouse::l4
