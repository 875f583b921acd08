// Protection as the daemon has it: prepares a config's lists and policies, puts them in force, answers
// `gatehouse prefix`, and tends the tables: filters that have become loose, buckets of sources that are long
// gone.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/event_loop.h"
#include "l4/data_plane.h"
#include "l4/guard_lists.h"

namespace gatehouse::l4 {

class GuardControl {
 public:
  using Json = nlohmann::json;

  // `plane` outlives this.
  GuardControl(EventLoop& loop, DataPlane& plane);

  // A config's lists and policies, checked and written where packets do not see them. Returns the flags of
  // its VIPs, in order; an Error changes nothing. `is_restart`: as of PrefixLists::prepare().
  using VipFlags = std::vector<std::uint16_t>;
  Result<VipFlags> prepare(const config::Config& config, bool is_restart);
  // The config is in use: from now on its VIPs' entries are to have these flags.
  void commit(VipFlags flags);
  // They have: what only an earlier config needed goes.
  void finish();
  std::uint16_t vip_flags(std::size_t vip) const { return vip_flags_[vip]; }  // of config.vips[vip]

  // The rules that concern a source, the longest prefix first, each with the name of a list that has it.
  std::vector<std::pair<IpPrefix, std::string>> rules_of(const IpAddress& source) const;
  // A request of `gatehouse prefix`.
  Result<Json> request(const Json& params);
  Json status(const config::Config& config) const;

 private:
  Result<Json> change(const Json& params, bool is_addition);
  Result<Json> load(const Json& params);
  Result<Json> list(const Json& params) const;
  Result<Json> find(const Json& params) const;
  void tighten_soon();
  void on_tighten_time();
  void on_forget_time();

  EventLoop& loop_;
  DataPlane& plane_;
  PrefixLists lists_;
  VipFlags vip_flags_;
  bool is_finished_ = true;
  std::vector<std::uint64_t> buckets_before_;
  Timer tighten_;
  Timer forget_;
};

}  // namespace gatehouse::l4
