#include "l4/guard_lists.h"

#include <algorithm>
#include <cstring>

#include "bpf/hash.h"
#include "common/config/findings.h"
#include "common/log.h"
#include "common/prefix_list.h"

namespace gatehouse::l4 {
namespace {

std::string_view name_of(const gh_prefix_list& list) { return {list.name, strnlen(list.name, sizeof list.name)}; }

// The order of a file is no change.
std::uint64_t digest_of(const std::vector<IpPrefix>& prefixes) {
  std::uint64_t digest = 1;
  for (const IpPrefix& prefix : prefixes) {
    std::uint64_t words[2];
    std::memcpy(words, prefix.address.bytes.data(), sizeof words);
    const std::uint64_t hash = gh_mix(gh_mix(words[0] ^ prefix.length, 0x9e3779b97f4a7c15ull) ^ words[1], 0xc2b2ae3d27d4eb4full);
    digest += gh_mix(hash, 0x165667b19e3779f9ull);
  }
  return digest | 1;  // 0: never applied
}

Result<std::vector<IpPrefix>> read_prefixes(const config::PrefixList& list) {
  std::vector<IpPrefix> prefixes = list.prefixes;
  if (!list.file.empty()) {
    const auto more = load_prefix_list(list.file);
    if (!more) return more.error();
    prefixes.insert(prefixes.end(), more->begin(), more->end());
  }
  return prefixes;
}

Error no_room(const std::string& where, std::size_t wanted, std::size_t room) {
  return Error{where + ": " + std::to_string(wanted) + " prefixes of all lists together; there is room for " + std::to_string(room) +
               " (protection.prefixes)"};
}

}  // namespace

PrefixLists::PrefixLists(const GuardTables& tables, std::function<void()> wait_for_readers)
    : tables_(tables), table_(tables, std::move(wait_for_readers)) {}

std::map<std::string, std::uint32_t> PrefixLists::Plan::masks() const {
  std::map<std::string, std::uint32_t> masks;
  for (const auto& [name, list] : lists) masks[name] = 1u << list.number;
  return masks;
}

// A list has the number that it has in the tables, a new one a number that nobody has there.
Result<PrefixLists::Plan> PrefixLists::plan(const config::Config& config) const {
  Plan plan;
  std::size_t wanted = 0;
  std::vector<bool> taken(tables_.lists.size());
  for (std::size_t i = 0; i < taken.size(); ++i) taken[i] = !name_of(tables_.lists[i]).empty();
  for (const config::PrefixList& list : config.prefix_lists) {
    auto prefixes = read_prefixes(list);
    if (!prefixes) return Error{config.file + ": [[prefix_list]] \"" + list.name + "\":\n" + prefixes.error().message};
    Plan::List planned;
    planned.is_operators = list.prefixes.empty() && list.file.empty();
    planned.prefixes = std::move(*prefixes);
    planned.digest = digest_of(planned.prefixes);
    const auto known = number_of(list.name);
    const auto free = std::find(taken.begin(), taken.end(), false);
    if (!known && free == taken.end()) {
      return Error{config.file + ": [[prefix_list]] \"" + list.name +
                   "\": too many lists at once while others go: reload without the old ones first"};
    }
    planned.number = known ? *known : static_cast<std::size_t>(free - taken.begin());
    taken[planned.number] = true;
    wanted += planned.is_operators ? table_.size_of_list(planned.number) : planned.prefixes.size();
    plan.lists.emplace(list.name, std::move(planned));
  }
  if (wanted > table_.capacity()) return no_room(config.file, wanted, table_.capacity());
  return plan;
}

void PrefixLists::apply(const Plan& plan, bool is_restart) {
  std::vector<bool> named(tables_.lists.size());
  for (const auto& [name, list] : plan.lists) {
    gh_prefix_list& entry = tables_.lists[list.number];
    named[list.number] = true;
    std::strncpy(entry.name, name.c_str(), sizeof entry.name - 1);
    const bool is_kept = list.is_operators || (is_restart && entry.digest == list.digest);
    if (!is_kept) make_equal(list.number, list.prefixes);
    entry.digest = list.digest;
  }
  for (std::size_t number = 0; number < named.size(); ++number) {
    if (named[number] || name_of(tables_.lists[number]).empty()) continue;
    make_equal(number, {});
    tables_.lists[number] = {};
  }
}

// What is new is added before what is old is removed, so that no packet falls between two prefixes for the same sources; but where
// there is room for one of them only.
void PrefixLists::make_equal(std::size_t number, const std::vector<IpPrefix>& prefixes) {
  const std::uint32_t mask = 1u << number;
  const bool is_roomy = table_.size() + prefixes.size() <= table_.capacity();
  std::vector<bool> stays(2 * table_.capacity());
  std::size_t missing = 0;
  const auto note = [&stays](std::size_t place) {
    if (place != PrefixTable::kNowhere) stays[place] = true;
    return place != PrefixTable::kNowhere;
  };
  const auto remove_others = [&] { table_.remove_unless(mask, [&stays](std::size_t place) { return stays[place]; }); };
  if (!is_roomy) {
    for (const IpPrefix& prefix : prefixes) note(table_.find_place(prefix));
    remove_others();
  }
  for (const IpPrefix& prefix : prefixes) missing += note(table_.add(prefix, mask)) ? 0 : 1;
  if (is_roomy) remove_others();
  if (missing) log_error("prefix list {}: {} rules found no place", name_of(tables_.lists[number]), missing);
}

Result<std::size_t> PrefixLists::number_of(std::string_view list) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < tables_.lists.size(); ++i) {
    if (name_of(tables_.lists[i]) == list && !list.empty()) return i;
    if (!name_of(tables_.lists[i]).empty()) names.emplace_back(name_of(tables_.lists[i]));
  }
  return Error{"there is no prefix list \"" + std::string(list) + "\"" + config::suggest(list, names)};
}

std::size_t PrefixLists::size_of_all() const {
  std::size_t sum = 0;
  for (std::size_t number = 0; number < tables_.lists.size(); ++number) sum += table_.size_of_list(number);
  return sum;
}

Result<std::size_t> PrefixLists::add(std::string_view list, const std::vector<IpPrefix>& prefixes) {
  const auto number = number_of(list);
  if (!number) return number.error();
  if (const std::size_t sum = size_of_all() + prefixes.size(); sum > table_.capacity()) return no_room(std::string(list), sum, table_.capacity());
  const std::size_t before = table_.size_of_list(*number);
  for (const IpPrefix& prefix : prefixes) {
    if (table_.add(prefix, 1u << *number) == PrefixTable::kNowhere) return Error{"no place is left for " + to_string(prefix)};
  }
  return table_.size_of_list(*number) - before;
}

Result<std::size_t> PrefixLists::remove(std::string_view list, const std::vector<IpPrefix>& prefixes) {
  const auto number = number_of(list);
  if (!number) return number.error();
  const std::size_t before = table_.size_of_list(*number);
  for (const IpPrefix& prefix : prefixes) table_.remove(prefix, 1u << *number);
  return before - table_.size_of_list(*number);
}

Status PrefixLists::replace(std::string_view list, const std::vector<IpPrefix>& prefixes) {
  const auto number = number_of(list);
  if (!number) return number.error();
  const std::size_t sum = size_of_all() - table_.size_of_list(*number) + prefixes.size();
  if (sum > table_.capacity()) return no_room(std::string(list), sum, table_.capacity());
  make_equal(*number, prefixes);
  return {};
}

Result<PrefixLists::Page> PrefixLists::list(std::string_view name, std::size_t place, std::size_t most) const {
  const auto number = number_of(name);
  if (!number) return number.error();
  Page page;
  const std::size_t end = table_.for_each(
      [&](const IpPrefix& prefix, std::uint32_t lists) {
        if (page.prefixes.size() == most) return false;
        if (lists >> *number & 1) page.prefixes.push_back(prefix);
        return true;
      },
      place);
  if (end < 2 * table_.capacity()) page.next = end;
  return page;
}

std::size_t PrefixLists::size_of(std::string_view list) const {
  const auto number = number_of(list);
  return number ? table_.size_of_list(*number) : 0;
}

std::vector<std::string> PrefixLists::names_in(std::uint32_t lists) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < tables_.lists.size(); ++i) {
    if (lists >> i & 1) names.emplace_back(name_of(tables_.lists[i]));
  }
  return names;
}

}  // namespace gatehouse::l4
