// Sums over the CPUs' regions.
#include "l4/counters.h"

namespace gatehouse::l4 {
namespace {

void add(gh_traffic& sum, const gh_traffic& one) {
  sum.packets += one.packets;
  sum.bytes += one.bytes;
  sum.opened += one.opened;
  sum.errors += one.errors;
}

}  // namespace

gh_traffic vip_traffic(const Tables& tables, std::uint16_t vip) {
  gh_traffic sum{};
  for (const gh_cpu& cpu : tables.cpus) add(sum, cpu.vips[vip]);
  return sum;
}

gh_traffic node_traffic(const Tables& tables, std::uint16_t node) {
  gh_traffic sum{};
  for (const gh_cpu& cpu : tables.cpus) add(sum, cpu.nodes[node]);
  return sum;
}

VerdictCounts verdict_counts(const Tables& tables) {
  VerdictCounts counts{};
  for (const gh_cpu& cpu : tables.cpus) {
    for (std::size_t verdict = 0; verdict < counts.size(); ++verdict) counts[verdict] += cpu.counts.verdicts[verdict];
    for (const gh_traffic& vip : cpu.vips) counts[GH_FORWARDED] += vip.packets;
  }
  return counts;
}

VerdictCounts verdict_counts(std::span<const gh_counts> node) {
  VerdictCounts counts{};
  for (const gh_counts& cpu : node) {
    for (std::size_t verdict = 0; verdict < counts.size(); ++verdict) counts[verdict] += cpu.verdicts[verdict];
  }
  return counts;
}

void retire_vip(const Tables& tables, std::uint16_t vip) {
  for (gh_cpu& cpu : tables.cpus) {
    cpu.counts.verdicts[GH_FORWARDED] += cpu.vips[vip].packets;
    cpu.vips[vip] = {};
  }
}

}  // namespace gatehouse::l4
