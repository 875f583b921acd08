// What stands before the rules so that packets which no rule concerns do not look for one: bits and lengths
// by block of addresses (bpf/abi_guard.h). Added to in the tables themselves, built anew aside and then
// copied over.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "l4/guard_tables.h"

namespace gatehouse::l4 {

// Sets what a rule needs, before it is published.
void add_to_filter(const GuardTables& tables, const gh_prefix_key& rule);

// IPv4 sources that nobody has are to be looked at, whatever the rules.
void mark_bogus_sources(gh_guard& guard);

// The filters that a set of rules needs, nothing else.
class TightFilter {
 public:
  explicit TightFilter(const GuardTables& tables);
  void add(const gh_prefix_key& rule) { add_to_filter(aside_, rule); }
  // Word by word: what is cleared belongs to no rule, what is set was set already.
  void copy_to(const GuardTables& tables) const;

 private:
  std::unique_ptr<gh_guard> guard_;
  std::vector<std::uint64_t> v4_lengths_;
  GuardTables aside_;
};

}  // namespace gatehouse::l4
