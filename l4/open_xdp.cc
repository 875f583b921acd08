// What gatehouse-l4 forwards with: XDP.
#include "l4/rosters.h"
#include "l4/service_director.h"
#include "l4/xdp_data_plane.h"

namespace gatehouse::l4 {
namespace {

XdpMode mode_of(const config::L4Host& host) {
  if (host.xdp_mode == "native") return XdpMode::kNative;
  return host.xdp_mode == "generic" ? XdpMode::kGeneric : XdpMode::kAuto;
}

}  // namespace

Result<std::unique_ptr<DataPlane>> open_data_plane(const config::L4Host& host, const config::Config& config,
                                                   const std::string& pin_folder) {
  auto plane = XdpDataPlane::open({.pin_folder = pin_folder,
                                   .interfaces = host.interfaces,
                                   .ring_slots = config.ring.slots,
                                   .mode = mode_of(host),
                                   .next_program = host.next_program,
                                   .ring_areas = ring_areas_for(config) + service_room_of(config),
                                   .flow_lines = flow_lines_of(config),
                                   .guard = {config.protection.prefixes, config.protection.sources}});
  if (!plane) return plane.error();
  return std::unique_ptr<DataPlane>(std::move(*plane));
}

void remove_data_plane(const config::L4Host& host, const std::string& pin_folder) {
  XdpDataPlane::detach({.pin_folder = pin_folder, .interfaces = host.interfaces});
}

}  // namespace gatehouse::l4
