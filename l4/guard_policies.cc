#include "l4/guard_policies.h"

#include <algorithm>
#include <bit>
#include <bitset>
#include <cstring>

namespace gatehouse::l4 {
namespace {

using PolicyNumbers = std::bitset<GH_MAX_POLICIES>;

bool names(const std::vector<std::string>& vips, const std::string& vip) {
  return std::find(vips.begin(), vips.end(), vip) != vips.end();
}

// The limit that names the VIP, or else the one for those that none names.
const config::SourceLimit* limit_of(const config::Config& config, const config::Vip& vip) {
  const config::SourceLimit* rest = nullptr;
  for (const config::SourceLimit& limit : config.source_limits) {
    if (names(limit.vips, vip.name)) return &limit;
    if (limit.vips.empty()) rest = &limit;
  }
  return rest;
}

// Limits keep their buckets for as long as they keep their name.
std::uint32_t number_of(const std::string& name) {
  std::uint32_t hash = 2166136261u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

gh_rate rate_of(std::uint32_t per_second, std::uint32_t burst) {
  return gh_make_rate(per_second, burst ? burst : per_second);
}

// A window is about a tenth of a second.
void set_window(gh_policy& policy, const GuardTables& tables, std::uint32_t packets_per_second) {
  const std::size_t cpus = tables.sketch_lines.size() / GH_SKETCH_LINES;
  const std::uint64_t ticks_per_second = (std::uint64_t{GH_BUCKET_UNITS} << 24) / tables.guard->tick;
  policy.window_shift =
      static_cast<std::uint8_t>(std::bit_width(std::max<std::uint64_t>(ticks_per_second / 8, 1)) - 1);
  const std::uint64_t in_window =
      (std::uint64_t{packets_per_second} << policy.window_shift) / ticks_per_second;
  policy.free_packets =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(in_window / GH_SKETCH_SHARE / cpus, GH_SKETCH_MOST));
  policy.sketch_key = tables.guard->key[0] ^ std::uint64_t{policy.limit} << 1;
}

void set_limit(gh_policy& policy, const GuardTables& tables, const config::SourceLimit& limit) {
  policy.limit = number_of(limit.name);
  policy.packets = rate_of(limit.packets_per_second, limit.packet_burst);
  policy.syns = rate_of(limit.syns_per_second, limit.syn_burst);
  policy.v4_shift = static_cast<std::uint8_t>(32 - limit.ipv4_prefix);
  policy.v6_shift = static_cast<std::uint8_t>(64 - limit.ipv6_prefix);
  set_window(policy, tables, limit.packets_per_second);
}

PolicyNumbers numbers_in_use(const Tables& tables, std::span<const std::uint16_t> pending) {
  PolicyNumbers used;
  for (const std::uint16_t flags : pending) {
    if (flags & GH_VIP_GUARDED) used.set(gh_policy_number(flags));
  }
  const auto half = tables.vip_lines.subspan((tables.state->vip_half & 1) * GH_VIP_LINES, GH_VIP_LINES);
  for (const gh_vip_line& line : half) {
    for (const gh_vip_entry& entry : line.entry) {
      if (entry.is_used && (entry.flags & GH_VIP_GUARDED)) used.set(gh_policy_number(entry.flags));
    }
  }
  return used;
}

bool is_same(const gh_policy& one, const gh_policy& other) {
  return std::memcmp(&one, &other, sizeof one) == 0;
}

}  // namespace

std::optional<gh_policy> policy_of(const GuardTables& tables, const config::Config& config,
                                   const config::Vip& vip,
                                   const std::map<std::string, std::uint32_t>& lists) {
  gh_policy policy{};
  for (const config::PrefixList& list : config.prefix_lists) {
    if (!list.vips.empty() && !names(list.vips, vip.name)) continue;
    std::uint32_t& mask = list.action == "deny"    ? policy.deny
                          : list.action == "allow" ? policy.allow
                                                   : policy.exempt;
    mask |= lists.at(list.name);
  }
  const config::SourceLimit* limit = limit_of(config, vip);
  if (limit) set_limit(policy, tables, *limit);
  const bool is_guarded =
      limit || policy.deny || policy.allow || policy.exempt || config.protection.drop_bogus;
  return is_guarded ? std::optional(policy) : std::nullopt;
}

Result<std::vector<std::uint16_t>> write_policies(const Tables& tables, const config::Config& config,
                                                  const std::map<std::string, std::uint32_t>& lists,
                                                  std::span<const std::uint16_t> pending) {
  const auto policies = tables.guard.policies;
  PolicyNumbers taken = numbers_in_use(tables, pending);
  PolicyNumbers chosen;  // of this config
  std::vector<std::uint16_t> flags;
  for (const config::Vip& vip : config.vips) {
    const auto policy = policy_of(tables.guard, config, vip, lists);
    if (!policy) {
      flags.push_back(0);
      continue;
    }
    std::size_t number = 0;
    while (number < policies.size() &&
           !((taken[number] || chosen[number]) && is_same(policies[number], *policy)))
      ++number;
    if (number == policies.size()) {
      number = 0;
      while (number < policies.size() && (taken[number] || chosen[number])) ++number;
      if (number == policies.size())
        return Error{config.file + ": VIPs ask for too many different policies of protection"};
      policies[number] = *policy;
    }
    chosen.set(number);
    flags.push_back(static_cast<std::uint16_t>(GH_VIP_GUARDED | number << 8));
  }
  return flags;
}

}  // namespace gatehouse::l4
