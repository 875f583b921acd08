#include "l4/guard_lists.h"

#include <algorithm>
#include <cstring>

#include "bpf/hash.h"
#include "common/config/findings.h"
#include "common/log.h"
#include "common/prefix_list.h"

namespace gatehouse::l4 {
namespace {

std::string_view name_of(const gh_prefix_list& list) {
  return {list.name, strnlen(list.name, sizeof list.name)};
}

// The order of a file is no change.
std::uint64_t digest_of(const std::vector<IpPrefix>& prefixes) {
  std::uint64_t digest = 1;
  for (const IpPrefix& prefix : prefixes) {
    std::uint64_t words[2];
    std::memcpy(words, prefix.address.bytes.data(), sizeof words);
    const std::uint64_t hash =
        gh_mix(gh_mix(words[0] ^ prefix.length, 0x9e3779b97f4a7c15ull) ^ words[1], 0xc2b2ae3d27d4eb4full);
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
  std::sort(prefixes.begin(), prefixes.end());
  prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
  return prefixes;
}

bool is_operators(const config::PrefixList& list) { return list.prefixes.empty() && list.file.empty(); }

std::uint32_t action_of(const config::PrefixList& list) {
  return list.action == "deny" ? GH_LIST_DENY : list.action == "allow" ? GH_LIST_ALLOW : GH_LIST_EXEMPT;
}

Error no_room(const std::string& where, std::size_t wanted, std::size_t room) {
  return Error{where + ": " + std::to_string(wanted) + " prefixes of all lists together; there is room for " +
               std::to_string(room) + " (protection.prefixes)"};
}

}  // namespace

PrefixLists::PrefixLists(const GuardTables& tables, std::function<void()> wait_for_readers)
    : tables_(tables), table_(tables, std::move(wait_for_readers)) {}

Result<PrefixLists::Masks> PrefixLists::prepare(const config::Config& config, bool is_restart) {
  empty(GH_LIST_COMING);  // of a config that was refused in the end
  auto lists = read(config, is_restart);
  if (!lists) return lists.error();
  if (const Status fits = check_room(config, *lists); !fits) return fits.error();
  if (const Status chosen = choose_numbers(config, *lists); !chosen) return chosen.error();
  Masks masks;
  prepared_.assign(tables_.lists.size(), false);
  for (const Wanted& wanted : *lists) {
    masks[wanted.config->name] = 1u << wanted.number;
    prepared_[wanted.number] = true;
    if (!wanted.is_new) continue;
    if (const Status filled = fill(wanted); !filled) {
      empty(GH_LIST_COMING);
      return Error{config.file + ": " + filled.error().message};
    }
  }
  return masks;
}

// What each list is to be. Operators' own goes on as it is, also when its action changes.
Result<std::vector<PrefixLists::Wanted>> PrefixLists::read(const config::Config& config,
                                                           bool is_restart) const {
  std::vector<Wanted> lists;
  for (const config::PrefixList& list : config.prefix_lists) {
    auto prefixes = read_prefixes(list);
    if (!prefixes)
      return Error{config.file + ": [[prefix_list]] \"" + list.name + "\":\n" + prefixes.error().message};
    Wanted wanted{&list, std::move(*prefixes), 0, 0, true};
    wanted.digest = digest_of(wanted.prefixes);
    if (const auto known = number_of(list.name)) {
      wanted.number = *known;
      wanted.is_new = !stays(wanted, *known, is_restart);
      const bool is_kept =
          is_operators(list) || (is_restart && tables_.lists[*known].digest == wanted.digest);
      if (wanted.is_new && is_kept) wanted.prefixes = rules_of(*known);
    }
    lists.push_back(std::move(wanted));
  }
  return lists;
}

// Whether the list that has the number is the one that is wanted.
bool PrefixLists::stays(const Wanted& wanted, std::size_t number, bool is_restart) const {
  const gh_prefix_list& entry = tables_.lists[number];
  if (entry.action != action_of(*wanted.config)) return false;
  if (is_operators(*wanted.config) || (is_restart && entry.digest == wanted.digest)) return true;
  if (entry.digest != wanted.digest || table_.size_of_list(number) != wanted.prefixes.size()) return false;
  return std::all_of(wanted.prefixes.begin(), wanted.prefixes.end(),
                     [&](const IpPrefix& prefix) { return table_.lists_of(prefix) >> number & 1; });
}

Status PrefixLists::check_room(const config::Config& config, const std::vector<Wanted>& lists) const {
  std::size_t sum = 0;
  for (const Wanted& wanted : lists)
    sum += wanted.is_new ? wanted.prefixes.size() : table_.size_of_list(wanted.number);
  return sum > room() ? Status(no_room(config.file, sum, room())) : Status();
}

// A new list gets a number that nobody has. There are twice as many as a config may have lists.
Status PrefixLists::choose_numbers(const config::Config& config, std::vector<Wanted>& lists) const {
  std::size_t number = 0;
  for (Wanted& wanted : lists) {
    if (!wanted.is_new) continue;
    while (number < tables_.lists.size() && tables_.lists[number].state != GH_LIST_FREE) ++number;
    if (number == tables_.lists.size()) {
      return Error{config.file + ": [[prefix_list]] \"" + wanted.config->name +
                   "\": too many lists while those of an earlier config go"};
    }
    wanted.number = number++;
  }
  return {};
}

Status PrefixLists::fill(const Wanted& wanted) {
  gh_prefix_list& entry = tables_.lists[wanted.number];
  entry = {};
  std::strncpy(entry.name, wanted.config->name.c_str(), sizeof entry.name - 1);
  entry.digest = wanted.digest;
  entry.action = action_of(*wanted.config);
  entry.state = GH_LIST_COMING;
  for (const IpPrefix& prefix : wanted.prefixes) {
    if (table_.add(prefix, 1u << wanted.number) == PrefixTable::kNowhere)
      return Error{"no place is left for " + to_string(prefix)};
  }
  return {};
}

void PrefixLists::commit() {
  for (std::size_t number = 0; number < tables_.lists.size(); ++number) {
    gh_prefix_list& entry = tables_.lists[number];
    if (prepared_[number]) {
      entry.state = GH_LIST_IN_USE;
    } else if (entry.state == GH_LIST_IN_USE) {
      entry.state = GH_LIST_GOING;
    }
  }
}

void PrefixLists::finish() { empty(GH_LIST_GOING); }

void PrefixLists::empty(gh_list_state state) {
  for (std::size_t number = 0; number < tables_.lists.size(); ++number) {
    if (tables_.lists[number].state != state) continue;
    table_.remove_unless(1u << number, [](std::size_t) { return false; });
    tables_.lists[number] = {};
  }
}

Result<std::size_t> PrefixLists::number_of(std::string_view list) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < tables_.lists.size(); ++i) {
    if (tables_.lists[i].state != GH_LIST_IN_USE) continue;
    if (name_of(tables_.lists[i]) == list) return i;
    names.emplace_back(name_of(tables_.lists[i]));
  }
  return Error{"there is no prefix list \"" + std::string(list) + "\"" + config::suggest(list, names)};
}

std::vector<IpPrefix> PrefixLists::rules_of(std::size_t number) const {
  std::vector<IpPrefix> rules;
  table_.for_each([&](const IpPrefix& prefix, std::uint32_t lists) {
    if (lists >> number & 1) rules.push_back(prefix);
    return true;
  });
  return rules;
}

std::size_t PrefixLists::size_of_all() const {
  std::size_t sum = 0;
  for (std::size_t number = 0; number < tables_.lists.size(); ++number) {
    if (tables_.lists[number].state == GH_LIST_IN_USE) sum += table_.size_of_list(number);
  }
  return sum;
}

Result<std::size_t> PrefixLists::add(std::string_view list, const std::vector<IpPrefix>& prefixes) {
  const auto number = number_of(list);
  if (!number) return number.error();
  if (const std::size_t sum = size_of_all() + prefixes.size(); sum > room())
    return no_room(std::string(list), sum, room());
  const std::size_t before = table_.size_of_list(*number);
  for (const IpPrefix& prefix : prefixes) {
    if (table_.add(prefix, 1u << *number) == PrefixTable::kNowhere)
      return Error{"no place is left for " + to_string(prefix)};
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
  if (sum > room()) return no_room(std::string(list), sum, room());
  const std::uint32_t mask = 1u << *number;
  std::vector<bool> stays(2 * table_.capacity());
  std::vector<IpPrefix> added;
  for (const IpPrefix& prefix : prefixes) {
    const bool is_new = !(table_.lists_of(prefix) & mask);
    const std::size_t place = table_.add(prefix, mask);
    if (place == PrefixTable::kNowhere) {
      for (const IpPrefix& each : added) table_.remove(each, mask);
      return Error{"no place is left for " + to_string(prefix)};
    }
    if (is_new) added.push_back(prefix);
    stays[place] = true;
  }
  table_.remove_unless(mask, [&stays](std::size_t place) { return stays[place]; });
  return {};
}

Result<PrefixLists::Page> PrefixLists::list(std::string_view name, std::size_t place,
                                            std::size_t most) const {
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
