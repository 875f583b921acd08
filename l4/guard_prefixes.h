// Writes prefix rules into a plane's tables while packets go by them: every change of a rule is one store (bpf/abi_guard.h), and
// a rule that stays is never away for a moment. The tables are all the state that counts; beside them stand only the places that
// were freed since the last grace period, which must not be used again before the next.
//
// One writer per plane; not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "common/address.h"
#include "l4/guard_rules.h"
#include "l4/guard_tables.h"

namespace gatehouse::l4 {

class PrefixTable {
 public:
  // `wait_for_readers`: DataPlane::wait_for_readers of the plane that `tables` belongs to.
  PrefixTable(const GuardTables& tables, std::function<void()> wait_for_readers);

  // Puts `prefix` on the lists of the mask. False, changing nothing: no place is left for it.
  [[nodiscard]] bool add(const IpPrefix& prefix, std::uint32_t lists);
  // Takes it off them. False: it was on none of them.
  bool remove(const IpPrefix& prefix, std::uint32_t lists);
  std::uint32_t lists_of(const IpPrefix& prefix) const;

  // Rules in the table. Room is for twice as many in lucky circumstances, for `capacity` always.
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return tables_.prefix_lines.size(); }

  // Calls visit(prefix, lists) for each rule, in no order.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const gh_prefix_line& line : tables_.prefix_lines) {
      for (int way = 0; way < 2; ++way) {
        if (line.key[way].length != GH_NO_RULE) visit(prefix_of(line.key[way]), line.lists[way]);
      }
    }
  }
  // Takes every rule off the lists of the mask for which keeps(place) is false. A place is a number below 2 * capacity(): where a
  // rule stands for as long as it is in the table.
  template <typename Keeps>
  void remove_unless(std::uint32_t lists, Keeps keeps) {
    for (std::size_t place = 0; place < 2 * capacity(); ++place) {
      if ((lists_at(place) & lists) && !keeps(place)) remove_at(place, lists);
    }
  }
  static constexpr std::size_t kNowhere = ~std::size_t{0};
  std::size_t find_place(const IpPrefix& prefix) const;
  std::uint32_t lists_at(std::size_t place) const { return tables_.prefix_lines[place / 2].lists[place % 2]; }

  // Makes the filters before the rules tight again: after removals packets that no rule concerns may pay more than they must.
  // False: there was nothing to do.
  bool tighten();

 private:
  std::size_t home_of(const gh_prefix_key& key) const;
  std::size_t find(const gh_prefix_key& key) const;
  std::size_t find_free(std::size_t home);
  void count_overflow(std::size_t home, std::size_t place, std::int32_t change);
  void publish(std::size_t place, const gh_prefix_key& key, std::uint32_t lists);
  void remove_at(std::size_t place, std::uint32_t lists);

  GuardTables tables_;
  std::function<void()> wait_for_readers_;
  std::vector<bool> freed_;  // by place, since the last grace period
  std::size_t size_ = 0;
  bool is_loose_ = true;
};

}  // namespace gatehouse::l4
