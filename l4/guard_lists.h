// Prefix lists by name: what the config says of them and what operators change at run time, over the one table of rules.
//
// A list of the config, by `prefixes` or `file`, is made equal to it at every reload: what is the same is not touched, the rest is
// added, then removed. One that is empty there is the operators' own: only they change it. Everything stands in the plane's tables
// and outlives the daemon as they do; after a restart run-time changes go on until the config itself has changed.
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

  // A config's lists, read and checked, nothing of them in force yet.
  struct Plan {
    struct List {
      std::size_t number = 0;
      std::uint64_t digest = 0;
      bool is_operators = false;
      std::vector<IpPrefix> prefixes;  // as they were read, repeated ones too
    };
    std::map<std::string, List> lists;

    std::map<std::string, std::uint32_t> masks() const;
  };
  Result<Plan> plan(const config::Config& config) const;
  // Lists that the plan does not name are forgotten. `is_restart`: keep what was changed at run time where the config is the same.
  void apply(const Plan& plan, bool is_restart);

  // How many rules were new on the list, or on it before.
  Result<std::size_t> add(std::string_view list, const std::vector<IpPrefix>& prefixes);
  Result<std::size_t> remove(std::string_view list, const std::vector<IpPrefix>& prefixes);
  // Makes the list equal to `prefixes`.
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
  Result<std::size_t> number_of(std::string_view list) const;
  std::size_t size_of_all() const;
  void make_equal(std::size_t number, const std::vector<IpPrefix>& prefixes);

  GuardTables tables_;
  PrefixTable table_;
};

}  // namespace gatehouse::l4
