#include "l4/ring_keeper.h"

#include <algorithm>
#include <optional>
#include <set>

#include "l4/counters.h"
#include "l4/rosters.h"
#include "l4/user_tables.h"

namespace gatehouse::l4 {
namespace {

using History = std::vector<RingCompiler::Step>;

std::string key_of(const VipEntry& vip) { return vip_key(vip.address, vip.port, vip.protocol); }

bool is_of_service(const VipEntry& vip) { return vip.flags & GH_VIP_SERVICE; }

std::optional<gh_vip> find_live(const Tables& tables, const VipEntry& vip) {
  return find_exact_vip(tables, {vip.address, vip.port}, vip.protocol);
}

std::shared_ptr<const Roster> roster_in(const Rosters& rosters, const std::string& vip) {
  const auto found = rosters.find(vip);
  static const auto kNobody = std::make_shared<const Roster>();
  return found == rosters.end() ? kNobody : found->second;
}

// The generations that know the VIP. An older log knows no rosters: there every VIP had all members.
History history_of(const Membership& log, const Rosters& rosters, bool is_next, const std::string& vip) {
  static const Generation kNext;
  History history;
  const std::vector<Generation>& generations = log.generations();
  for (const Generation& generation : generations) {
    if (!generation.rosters) {
      history.push_back({&generation, nullptr});
    } else if (const auto roster = generation.rosters->find(vip); roster != generation.rosters->end()) {
      history.push_back({&generation, roster->second});
    }
  }
  const bool is_known = !history.empty() && history.back().generation == &generations.back();
  if (is_next || generations.empty()) {
    history.push_back({&kNext, roster_in(rosters, vip)});
  } else if (!is_known) {
    history.push_back({&generations.back(), roster_in(rosters, vip)});
  }
  return history;
}

bool is_end_of(const History& part, const History& whole) {
  const auto is_same = [](const RingCompiler::Step& left, const RingCompiler::Step& right) {
    return left.generation == right.generation && left.roster == right.roster;
  };
  return part.size() <= whole.size() && std::equal(part.rbegin(), part.rend(), whole.rbegin(), is_same);
}

}  // namespace

Result<RingKeeper::Plan> RingKeeper::plan(const Membership& log, const Rosters& rosters, bool is_next,
                                          std::vector<VipEntry> vips) {
  Plan plan{std::move(vips), {}};
  if (const Status numbered = give_numbers(plan.vips); !numbered) return numbered.error();
  std::vector<History> histories;
  for (const VipEntry& vip : plan.vips) histories.push_back(history_of(log, rosters, is_next, key_of(vip)));
  // A VIP that has been there for less long than another has no connections that the other's hop lists would
  // lead astray: it may share that ring. So the longest come first.
  std::vector<std::size_t> order(plan.vips.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t left, std::size_t right) {
    return histories[left].size() > histories[right].size();
  });
  for (const std::size_t vip : order) {
    if (is_of_service(plan.vips[vip])) continue;
    auto group = std::find_if(plan.groups.begin(), plan.groups.end(),
                              [&](const Planned& one) { return is_end_of(histories[vip], one.history); });
    if (group == plan.groups.end()) group = plan.groups.insert(group, Planned{histories[vip], {}});
    group->vips.push_back(vip);
  }
  if (const Status numbered = number_groups(plan); !numbered) return numbered.error();
  return plan;
}

// A VIP keeps its number, and with it its counters, for as long as it is in the table, whoever wrote it there. A new one gets
// a number that no packet counts under at the moment.
Status RingKeeper::give_numbers(std::vector<VipEntry>& vips) {
  const Tables& tables = plane_.tables();
  if (vips.size() > GH_MAX_VIPS)
    return Error{"the VIP table is full at " + std::to_string(GH_MAX_VIPS) + " VIPs; the config has " +
                 std::to_string(vips.size())};
  std::set<std::uint16_t> kept;
  std::vector<VipEntry*> fresh;
  for (VipEntry& vip : vips) {
    const auto live = find_live(tables, vip);
    if (live && kept.insert(live->vip).second) {
      vip.vip = live->vip;
    } else {
      fresh.push_back(&vip);
    }
  }
  std::set<std::uint16_t> taken = numbers_in_table(tables);
  if (taken.size() + fresh.size() > GH_MAX_VIPS) taken = kept;  // no room to keep those apart that go
  std::uint16_t next = 0;
  for (VipEntry* vip : fresh) {
    while (!taken.insert(next).second) ++next;
    vip->vip = next;
  }
  return {};
}

Result<std::map<std::string, std::uint16_t>> RingKeeper::number_vips(std::vector<VipEntry> vips) {
  if (const Status numbered = give_numbers(vips); !numbered) return numbered.error();
  std::map<std::string, std::uint16_t> numbers;
  for (const VipEntry& vip : vips) numbers[key_of(vip)] = vip.vip;
  return numbers;
}

Status RingKeeper::number_groups(Plan& plan) {
  const Tables& tables = plane_.tables();
  std::vector<std::optional<std::uint16_t>> live;
  std::set<std::uint16_t> taken;
  for (const VipEntry& vip : plan.vips) {
    const auto found = find_live(tables, vip);
    live.push_back(found ? std::optional(found->group) : std::nullopt);
    if (found && found->group < GH_SERVICE_GROUPS) taken.insert(found->group);
  }
  for (const auto& [name, vip] : vips_) {
    if (!is_of_service(vip)) taken.insert(vip.group);
  }
  for (std::uint16_t number = 0; number < GH_SERVICE_GROUPS; ++number) {
    if (gh_ring_is_set(tables.groups[number].ring)) taken.insert(number);
  }
  const std::size_t room = std::min<std::size_t>(GH_SERVICE_GROUPS, writer_.ring_areas());
  std::map<std::uint16_t, std::size_t> keeper;  // number → place in plan.groups
  std::uint16_t next = 0;
  for (std::size_t place = 0; place < plan.groups.size(); ++place) {
    Planned& group = plan.groups[place];
    const auto own = std::find_if(group.vips.begin(), group.vips.end(),
                                  [&](std::size_t vip) {
                                    return live[vip] && *live[vip] < GH_SERVICE_GROUPS && !keeper.contains(*live[vip]);
                                  });
    if (own == group.vips.end()) {
      while (taken.contains(next)) ++next;
      if (taken.size() >= room) {
        return Error{"the VIPs need more than the " + std::to_string(room) +
                     " rings that there is room for; room is made at the start: ring.groups"};
      }
      taken.insert(next);
    }
    group.number = own == group.vips.end() ? next : *live[*own];
    keeper[group.number] = place;
    for (const std::size_t vip : group.vips) plan.vips[vip].group = group.number;
  }
  for (std::size_t vip = 0; vip < plan.vips.size(); ++vip) {
    // One that leaves a group of nodes for a service uses the group's ring until then, as any other that leaves.
    if (live[vip] && *live[vip] != plan.vips[vip].group && keeper.contains(*live[vip]))
      plan.groups[keeper[*live[vip]]].is_late = true;
  }
  return {};
}

Status RingKeeper::check(const Membership& log, const Rosters& rosters, std::vector<VipEntry> vips) {
  const auto planned = plan(log, rosters, true, std::move(vips));
  if (!planned) return planned.error();
  return TableWriter::check_vips(planned->vips);
}

Status RingKeeper::follow(const Membership& log, const Rosters& rosters, std::vector<VipEntry> vips) {
  const auto planned = plan(log, rosters, false, std::move(vips));
  if (!planned) return planned.error();
  const bool has_rings = !log.generations().empty();
  const std::uint16_t epoch = has_rings ? log.generations().back().epoch : 0;
  changed_slots_ = 0;
  for (const bool is_late : {false, true}) {
    for (const Planned& group : planned->groups) {
      if (!has_rings || group.is_late != is_late) continue;
      if (const Status brought = bring(group, epoch); !brought) return brought;
    }
    if (is_late) continue;
    if (const Status switched = switch_vips(*planned); !switched) return switched;
  }
  drop_unused(*planned);
  sum_shares(*planned);
  return {};
}

Status RingKeeper::bring(const Planned& planned, std::uint16_t epoch) {
  auto known = groups_.find(planned.number);
  if (known == groups_.end())
    known = groups_.emplace(planned.number, Group{RingCompiler(plane_.tables().state->slots)}).first;
  Group& group = known->second;
  group.vips = planned.vips.size();
  const std::vector<SlotWord> words = group.compiler.follow(planned.history);
  if (!words.empty()) group.is_digest_known = false;
  changed_slots_ += words.size();
  return writer_.set_slots(planned.number, words, epoch);
}

Status RingKeeper::switch_vips(const Plan& plan) {
  std::map<std::string, VipEntry> vips;
  for (const VipEntry& vip : plan.vips) vips[key_of(vip)] = vip;
  if (vips == vips_ && !vips.empty()) return {};
  // The counters of a VIP that has gone are not the next one's.
  for (const VipEntry& vip : plan.vips) {
    if (!find_live(plane_.tables(), vip)) retire_vip(plane_.tables(), vip.vip);
  }
  if (const Status written = writer_.set_vips(plan.vips); !written) return written;
  vips_ = std::move(vips);
  return {};
}

// Since the VIP table was switched a grace period has passed.
void RingKeeper::drop_unused(const Plan& plan) {
  std::set<std::uint16_t> used;
  for (const Planned& group : plan.groups) used.insert(group.number);
  std::erase_if(groups_, [&used](const auto& entry) { return !used.contains(entry.first); });
  const auto groups = plane_.tables().groups;
  for (std::uint16_t number = 0; number < GH_SERVICE_GROUPS; ++number) {
    if (gh_ring_is_set(groups[number].ring) && !used.contains(number)) writer_.remove_ring(number);
  }
}

void RingKeeper::sum_shares(const Plan& plan) {
  std::fill(shares_.begin(), shares_.end(), 0);
  std::size_t vips = 0;
  for (const Planned& group : plan.groups) vips += group.vips.size();
  const double all = static_cast<double>(vips) * plane_.tables().state->slots;
  for (const auto& [number, group] : groups_) {
    const std::vector<std::uint32_t>& owned = group.compiler.owned();
    for (std::size_t id = 1; id < owned.size(); ++id)
      shares_[id] += static_cast<double>(owned[id] * group.vips) / all;
  }
}

std::uint16_t RingKeeper::vip_number(const std::string& vip) const {
  const auto known = vips_.find(vip);
  return known == vips_.end() ? 0 : known->second.vip;
}

std::uint64_t RingKeeper::digest() {
  const Tables& tables = plane_.tables();
  std::vector<std::uint64_t> parts;
  for (const auto& [name, vip] : vips_) {
    const auto group = groups_.find(vip.group);
    if (group == groups_.end()) continue;
    if (!std::exchange(group->second.is_digest_known, true)) {
      group->second.digest =
          ring_digest(tables.slots.subspan(gh_ring_base(tables.groups[vip.group].ring), tables.state->slots));
    }
    for (const char letter : name) parts.push_back(static_cast<std::uint8_t>(letter));
    parts.push_back(group->second.digest);
  }
  return ring_digest(parts);
}

}  // namespace gatehouse::l4
