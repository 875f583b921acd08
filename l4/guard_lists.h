// Prefix lists by name: what the config says of them and what operators change at run time, over the one
// table of rules.
//
// A list that the config changes, by `prefixes`, `file` or `action`, is written beside the old one, under a
// number of its own that no packet goes by yet; with the VIP table all of them are switched to at one stroke
// (bpf/abi_guard.h). One that is empty in the config is the operators' own: only they change it. Everything
// stands in the plane's tables and outlives the daemon as they do; after a restart run-time changes go on
// until the config itself has changed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model.h"
#include "common/result.h"
#include "l4/guard_prefixes.h"

namespace gatehouse::l4 {

class PrefixLists {
 public:
  PrefixLists(const GuardTables& tables, std::function<void()> wait_for_readers);

  // Reads a config's lists and writes those that differ where no packet sees them. `is_restart`: keep what
  // was changed at run time where the config is the same. An Error changes nothing. The bit of each list, by
  // name: what policies are to name.
  using Masks = std::map<std::string, std::uint32_t>;
  Result<Masks> prepare(const config::Config& config, bool is_restart);
  // The config is in use: operators' requests are about its lists from now on.
  void commit();
  // No packet goes by an earlier config any more: forgets what was only its.
  void finish();

  // How many rules were new on the list, or on it before.
  Result<std::size_t> add(std::string_view list, const std::vector<IpPrefix>& prefixes);
  Result<std::size_t> remove(std::string_view list, const std::vector<IpPrefix>& prefixes);
  // Makes the list equal to `prefixes`. What is new is added before what is old is removed.
  Status replace(std::string_view list, const std::vector<IpPrefix>& prefixes);

  // The rules from `place` on, `most` at once; and the place to go on from, none at the end.
  struct Page {
    std::vector<IpPrefix> prefixes;
    std::size_t next = 0;  // 0: that was all
  };
  Result<Page> list(std::string_view name, std::size_t place, std::size_t most) const;

  std::size_t size_of(std::string_view list) const;  // 0 for one that nobody knows
  std::vector<std::string> names_in(std::uint32_t lists) const;
  PrefixTable& table() { return table_; }
  const PrefixTable& table() const { return table_; }

 private:
  struct Wanted {
    const config::PrefixList* config = nullptr;
    std::vector<IpPrefix> prefixes;  // each once
    std::uint64_t digest = 0;
    std::size_t number = 0;
    bool is_new = false;  // under that number
  };
  Result<std::vector<Wanted>> read(const config::Config& config, bool is_restart) const;
  Status check_room(const config::Config& config, const std::vector<Wanted>& lists) const;
  Status choose_numbers(const config::Config& config, std::vector<Wanted>& lists) const;
  bool stays(const Wanted& wanted, std::size_t number, bool is_restart) const;
  Status fill(const Wanted& wanted);
  void empty(gh_list_state state);

  std::size_t room() const { return table_.capacity() / 2; }
  Result<std::size_t> number_of(std::string_view list) const;
  std::vector<IpPrefix> rules_of(std::size_t number) const;
  std::size_t size_of_all() const;

  GuardTables tables_;
  PrefixTable table_;
  std::vector<bool> prepared_;  // numbers that the prepared config uses
};

}  // namespace gatehouse::l4
