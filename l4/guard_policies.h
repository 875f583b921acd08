// From config to policies: what each VIP's packets are judged by (bpf/guard.h). VIPs that ask for the same
// share one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "l4/data_plane.h"

namespace gatehouse::l4 {

// What `vip` asks for; nullopt: it is not guarded. `lists`: the bit of each list, by name.
std::optional<gh_policy> policy_of(const GuardTables& tables, const config::Config& config,
                                   const config::Vip& vip, const std::map<std::string, std::uint32_t>& lists);

// Writes the policies of all VIPs where no VIP of the live table looks, nor one with `pending` flags that are
// still to be published. Returns the flags that the VIPs' entries are to have, in the order of config.vips:
// nothing changes for packets until these are.
Result<std::vector<std::uint16_t>> write_policies(const Tables& tables, const config::Config& config,
                                                  const std::map<std::string, std::uint32_t>& lists,
                                                  std::span<const std::uint16_t> pending = {});

}  // namespace gatehouse::l4
