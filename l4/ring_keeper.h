// Keeps the tables of rings and VIPs at what the membership log says. VIPs share a ring, one group of the
// tables, when they have had the same members in every generation that is remembered: a VIP that is given
// other nodes gets a ring of its own, whose hop lists lead back to the nodes that it had, until those
// generations are forgotten.
//
// VIPs of services bring their group along, and their rings are service_director.h's.
//
// Nothing here is remembered across processes but what stands in the tables: VIPs keep the numbers and groups
// that they have there. A group that packets use is never given to VIPs of another history.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "l4/membership.h"
#include "l4/ring_compiler.h"
#include "l4/table_writer.h"

namespace gatehouse::l4 {

class RingKeeper {
 public:
  explicit RingKeeper(DataPlane& plane) : plane_(plane), writer_(plane) {}

  // Brings the tables to `log` and the VIP table to `vips`, whose `vip` and `group` are found here. `rosters`
  // speaks for VIPs that the newest generation does not know.
  Status follow(const Membership& log, const Rosters& rosters, std::vector<VipEntry> vips);
  // Whether it could if `rosters` were those of the next generation. Changes nothing.
  Status check(const Membership& log, const Rosters& rosters, std::vector<VipEntry> vips);

  // The numbers that follow() would give, by vip_key(). Fails when there are too many.
  Result<std::map<std::string, std::uint16_t>> number_vips(std::vector<VipEntry> vips);
  // By vip_key(); 0 of an unknown VIP, which is also a number that a VIP may have.
  std::uint16_t vip_number(const std::string& vip) const;
  std::size_t ring_count() const { return groups_.size(); }
  double share_of(std::uint16_t id) const { return shares_[id]; }  // of the slots of all VIPs
  std::uint64_t changed_slots() const { return changed_slots_; }   // by the last follow()
  // A number that is equal on hosts that forward alike.
  std::uint64_t digest();

 private:
  using History = std::vector<RingCompiler::Step>;
  struct Planned {
    History history;
    std::vector<std::size_t> vips;
    std::uint16_t number = 0;
    bool is_late = false;  // VIPs that are to leave it use its ring until the VIP table is switched
  };
  struct Plan {
    std::vector<VipEntry> vips;
    std::vector<Planned> groups;
  };
  struct Group {
    RingCompiler compiler;
    std::size_t vips = 0;
    std::uint64_t digest = 0;
    bool is_digest_known = false;
  };
  Result<Plan> plan(const Membership& log, const Rosters& rosters, bool is_next, std::vector<VipEntry> vips);
  Status give_numbers(std::vector<VipEntry>& vips);
  Status number_groups(Plan& plan);
  Status bring(const Planned& planned, std::uint16_t epoch);
  Status switch_vips(const Plan& plan);
  void drop_unused(const Plan& plan);
  void sum_shares(const Plan& plan);

  DataPlane& plane_;
  TableWriter writer_;
  std::map<std::uint16_t, Group> groups_;  // by number
  std::map<std::string, VipEntry> vips_;   // as they were written last
  std::vector<double> shares_ = std::vector<double>(GH_MAX_NODES);
  std::uint64_t changed_slots_ = 0;
};

}  // namespace gatehouse::l4
