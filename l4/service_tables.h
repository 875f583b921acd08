// The tables of services (bpf/abi_service.h), wherever they live: a part of l4::Tables. Counters have one
// region per CPU.
#pragma once

#include <cstdint>
#include <span>

#include "bpf/abi_service.h"

namespace gatehouse::l4 {

struct ServiceTables {
  std::span<gh_service> services;       // two halves of GH_MAX_SERVICES
  std::span<gh_server> servers;         // by id, GH_MAX_NODES
  std::span<gh_vip_line> lines;         // two halves of GH_VIP_LINES
  std::span<gh_vip_place> places;       // two halves of GH_MAX_VIPS
  std::span<gh_quic> quic;              // two halves of GH_MAX_SERVICES * GH_QUIC_CONFIGS
  std::span<gh_aes> aes;                // GH_AES_DIRECTIONS
  std::span<gh_flow_line> flow_lines;   // a power of two
  std::span<gh_service_counts> counts;  // cpus * GH_MAX_SERVICES
  std::uint64_t ticks = 0;              // the time, for the packet core in user space
};

}  // namespace gatehouse::l4
