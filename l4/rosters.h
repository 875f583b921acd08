// Which members the VIPs of a config have: the rosters of a generation.
#pragma once

#include <memory>
#include <string>

#include "common/config/model.h"
#include "l4/membership.h"

namespace gatehouse::l4 {

// "198.51.100.10:443/tcp": how the membership log names a VIP.
std::string vip_key(const config::Vip& vip);
std::string vip_key(const IpAddress& address, std::uint16_t port, std::uint8_t protocol);
std::uint8_t protocol_of(const config::Vip& vip);

// A VIP that names no nodes has all of them. Rosters that `known` has are the same objects here.
std::shared_ptr<const Rosters> rosters_of(const config::Config& config, const Rosters* known = nullptr);

// Rings that the tables get room for: VIPs whose nodes change have a ring of their own for as long as hop lists lead back.
std::uint32_t ring_areas_for(const config::Config& config);

}  // namespace gatehouse::l4
