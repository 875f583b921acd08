// Writes prefix rules into a plane's tables while packets go by them: every change of a rule is one store
// (bpf/abi_guard.h), and a rule that stays is never away for a moment. A source that one rule took over from
// another is never without both either: a packet that was on its way before a rule came may have passed its
// place already, so that rules go only when no such packet is left.
//
// The tables are all the state that counts; beside them stands only what changed since the last grace period.
//
// One writer per plane; not thread-safe.
#pragma once

#include <array>
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

  static constexpr std::size_t kNowhere = ~std::size_t{0};
  // Puts `prefix` on the lists of the mask. Returns the place where the rule stands for as long as it is in
  // the table, a number below 2 * capacity(); kNowhere, changing nothing, when none is left for it.
  [[nodiscard]] std::size_t add(const IpPrefix& prefix, std::uint32_t lists);
  // Takes it off them. False: it was on none of them.
  bool remove(const IpPrefix& prefix, std::uint32_t lists);
  std::uint32_t lists_of(const IpPrefix& prefix) const;

  // Rules in the table. There is room for `capacity` of them, half of the places, and for some more.
  std::size_t size() const { return size_; }
  std::size_t size_of_list(std::size_t list) const { return sizes_[list]; }
  std::size_t capacity() const { return tables_.prefix_lines.size(); }

  // Calls visit(prefix, lists) for each rule from `place` on, in no order that means anything, until that
  // returns false. Returns the place where it stopped.
  template <typename Visit>
  std::size_t for_each(Visit visit, std::size_t place = 0) const {
    for (; place < 2 * capacity(); ++place) {
      const gh_prefix_key& key = tables_.prefix_lines[place / 2].key[place % 2];
      if (key.length != GH_NO_RULE && !visit(prefix_of(key), lists_at(place))) break;
    }
    return place;
  }
  // Takes every rule off the lists of the mask for which keeps(place) is false.
  template <typename Keeps>
  void remove_unless(std::uint32_t lists, Keeps keeps) {
    for (std::size_t place = 0; place < 2 * capacity(); ++place) {
      if ((lists_at(place) & lists) && !keeps(place)) remove_at(place, lists);
    }
  }
  std::size_t find_place(const IpPrefix& prefix) const;
  std::uint32_t lists_at(std::size_t place) const { return tables_.prefix_lines[place / 2].lists[place % 2]; }

  // Makes the filters before the rules tight again: after removals packets that no rule concerns may pay more
  // than they must. False: there was nothing to do.
  bool tighten();

 private:
  std::size_t home_of(const gh_prefix_key& key) const;
  std::size_t find(const gh_prefix_key& key) const;
  std::size_t find_free(std::size_t home);
  void count_overflow(std::size_t home, std::size_t place, std::int32_t change);
  void set_lists(std::size_t place, std::uint32_t lists);
  void pass_grace_period();
  void remove_at(std::size_t place, std::uint32_t lists);

  GuardTables tables_;
  std::function<void()> wait_for_readers_;
  // Since the last grace period: the places that were freed, which must not be used again before the next; and
  // whether a rule came that packets on their way may not have seen.
  std::vector<bool> freed_;
  bool has_unseen_ = false;
  std::size_t size_ = 0;
  std::array<std::size_t, GH_PREFIX_LISTS> sizes_{};
  bool is_loose_ = true;
};

}  // namespace gatehouse::l4
