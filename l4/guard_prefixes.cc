#include "l4/guard_prefixes.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <utility>

#include "bpf/guard_hash.h"
#include "l4/guard_filter.h"

namespace gatehouse::l4 {
namespace {

template <typename T>
void store(T& place, T value) {
  std::atomic_ref<T>(place).store(value, std::memory_order_release);
}

bool is_same(const gh_prefix_key& one, const gh_prefix_key& other) {
  return one.length == other.length && one.prefix.low == other.prefix.low &&
         one.prefix.high == other.prefix.high;
}

// Of lists that `before` and `after` do not both name.
void count(std::array<std::size_t, GH_PREFIX_LISTS>& sizes, std::uint32_t before, std::uint32_t after) {
  for (std::uint32_t changed = before ^ after; changed; changed &= changed - 1) {
    const auto list = static_cast<std::size_t>(std::countr_zero(changed));
    sizes[list] += after >> list & 1 ? 1 : ~std::size_t{0};
  }
}

}  // namespace

PrefixTable::PrefixTable(const GuardTables& tables, std::function<void()> wait_for_readers)
    : tables_(tables),
      wait_for_readers_(std::move(wait_for_readers)),
      freed_(2 * tables.prefix_lines.size()) {
  for (std::size_t place = 0; place < 2 * capacity(); ++place) {
    if (tables_.prefix_lines[place / 2].key[place % 2].length == GH_NO_RULE) continue;
    ++size_;
    count(sizes_, 0, lists_at(place));
    if (lists_at(place) == 0) remove_at(place, 0);  // an earlier daemon died in the middle of a removal
  }
}

std::size_t PrefixTable::home_of(const gh_prefix_key& key) const {
  const gh_guard& guard = *tables_.guard;
  return gh_prefix_line_of(&guard, gh_prefix_hash(&guard, key.prefix.high, key.prefix.low, key.length));
}

std::size_t PrefixTable::find(const gh_prefix_key& key) const {
  const std::size_t home = home_of(key);
  for (std::size_t probe = 0; probe < GH_PREFIX_PROBES; ++probe) {
    const std::size_t at = (home + probe) & tables_.guard->prefix_mask;
    const gh_prefix_line& line = tables_.prefix_lines[at];
    for (std::size_t way = 0; way < 2; ++way) {
      if (is_same(line.key[way], key)) return 2 * at + way;
    }
    if (line.overflow == 0) break;
  }
  return kNowhere;
}

// A place that was free before the last grace period, or any free one after a new one.
std::size_t PrefixTable::find_free(std::size_t home) {
  std::size_t freed = kNowhere;
  for (std::size_t probe = 0; probe < 2 * GH_PREFIX_PROBES; ++probe) {
    const std::size_t at = (home + probe / 2) & tables_.guard->prefix_mask;
    const std::size_t place = 2 * at + probe % 2;
    if (tables_.prefix_lines[at].key[probe % 2].length != GH_NO_RULE) continue;
    if (!freed_[place]) return place;
    if (freed == kNowhere) freed = place;
  }
  if (freed == kNowhere) return kNowhere;
  pass_grace_period();
  return freed;
}

void PrefixTable::pass_grace_period() {
  wait_for_readers_();
  freed_.assign(freed_.size(), false);
  has_unseen_ = false;
}

// Every line that a reader passes on its way from a rule's own line tells it to go on.
void PrefixTable::count_overflow(std::size_t home, std::size_t place, std::int32_t change) {
  for (std::size_t at = home; at != place / 2; at = (at + 1) & tables_.guard->prefix_mask) {
    std::uint32_t& overflow = tables_.prefix_lines[at].overflow;
    store(overflow, overflow + static_cast<std::uint32_t>(change));
  }
}

void PrefixTable::set_lists(std::size_t place, std::uint32_t lists) {
  std::uint32_t& there = tables_.prefix_lines[place / 2].lists[place % 2];
  count(sizes_, there, lists);
  store(there, lists);
}

std::size_t PrefixTable::add(const IpPrefix& prefix, std::uint32_t lists) {
  const gh_prefix_key key = key_of(prefix);
  if (const std::size_t place = find(key); place != kNowhere) {
    if (lists & ~lists_at(place)) has_unseen_ = true;
    set_lists(place, lists_at(place) | lists);
    return place;
  }
  const std::size_t home = home_of(key);
  const std::size_t place = find_free(home);
  if (place == kNowhere) return kNowhere;
  add_to_filter(tables_, key);
  count_overflow(home, place, 1);
  tables_.prefix_lines[place / 2].key[place % 2].prefix = key.prefix;
  set_lists(place, lists);
  store<__u64>(tables_.prefix_lines[place / 2].key[place % 2].length, key.length);
  ++size_;
  has_unseen_ = true;
  return place;
}

// A free place is all zero: on a machine that orders loads loosely, a reader that sees the next rule's length
// before the rest finds a rule that is on no list.
void PrefixTable::remove_at(std::size_t place, std::uint32_t lists) {
  if (has_unseen_) pass_grace_period();
  gh_prefix_key& key = tables_.prefix_lines[place / 2].key[place % 2];
  set_lists(place, lists_at(place) & ~lists);
  if (lists_at(place) != 0) return;
  const std::size_t home = home_of(key);
  store<__u64>(key.length, GH_NO_RULE);
  key.prefix = {};
  count_overflow(home, place, -1);
  freed_[place] = true;
  --size_;
  is_loose_ = true;
}

bool PrefixTable::remove(const IpPrefix& prefix, std::uint32_t lists) {
  const std::size_t place = find(key_of(prefix));
  if (place == kNowhere || (lists_at(place) & lists) == 0) return false;
  remove_at(place, lists);
  return true;
}

std::size_t PrefixTable::find_place(const IpPrefix& prefix) const { return find(key_of(prefix)); }

std::uint32_t PrefixTable::lists_of(const IpPrefix& prefix) const {
  const std::size_t place = find_place(prefix);
  return place == kNowhere ? 0 : lists_at(place);
}

bool PrefixTable::tighten() {
  if (!std::exchange(is_loose_, false)) return false;
  TightFilter filter(tables_);
  for (const gh_prefix_line& line : tables_.prefix_lines) {
    for (const gh_prefix_key& key : line.key) {
      if (key.length != GH_NO_RULE) filter.add(key);
    }
  }
  filter.copy_to(tables_);
  return true;
}

}  // namespace gatehouse::l4
