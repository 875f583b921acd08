// What gatehouse-l4 forwards with: XDP.
#include "l4/xdp_data_plane.h"

namespace gatehouse::l4 {
namespace {

XdpDataPlane::Options options_of(const config::L4Host& host, const std::string& pin_folder) {
  XdpDataPlane::Options options{.pin_folder = pin_folder, .interfaces = host.interfaces, .next_program = host.next_program};
  if (host.xdp_mode == "native") options.mode = XdpMode::kNative;
  if (host.xdp_mode == "generic") options.mode = XdpMode::kGeneric;
  return options;
}

}  // namespace

Result<std::unique_ptr<DataPlane>> open_data_plane(const config::L4Host& host, const config::Config& config,
                                                   const std::string& pin_folder) {
  auto options = options_of(host, pin_folder);
  options.ring_slots = config.ring.slots;
  auto plane = XdpDataPlane::open(options);
  if (!plane) return plane.error();
  return std::unique_ptr<DataPlane>(std::move(*plane));
}

void remove_data_plane(const config::L4Host& host, const std::string& pin_folder) {
  XdpDataPlane::detach(options_of(host, pin_folder));
}

}  // namespace gatehouse::l4
