// What a plane has counted, all CPUs together: read while packets go on, each number whole, none reset.
#pragma once

#include <array>
#include <cstdint>

#include "l4/data_plane.h"

namespace gatehouse::l4 {

gh_traffic vip_traffic(const Tables& tables, std::uint16_t vip);
gh_traffic node_traffic(const Tables& tables, std::uint16_t node);

using VerdictCounts = std::array<std::uint64_t, GH_VERDICT_COUNT>;
VerdictCounts verdict_counts(const Tables& tables);
VerdictCounts verdict_counts(std::span<const gh_counts> node);  // of a node's CPUs

// Makes the counters of a VIP number ready for another VIP. No packet may count there any more: the number is not in the VIP
// table, and a grace period has passed since it was. What it counted stays in the verdicts.
void retire_vip(const Tables& tables, std::uint16_t vip);

}  // namespace gatehouse::l4
