#include "l4/guard_control.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/prefix_list.h"
#include "l4/guard_policies.h"

namespace gatehouse::l4 {
namespace {

using Json = nlohmann::json;

// Removals come one after the other, and one look at the whole table is enough for them.
constexpr Duration kTightenDelay{1'000};
// A bucket's time wraps around after 18 hours.
constexpr Duration kForgetInterval{3'600'000};
constexpr std::size_t kPage = 10'000;

std::string text_of(const Json& params, const char* name) {
  const auto member = params.find(name);
  return member != params.end() && member->is_string() ? member->get<std::string>() : std::string();
}

Result<std::vector<IpPrefix>> prefixes_of(const Json& params) {
  const auto member = params.find("prefixes");
  if (member == params.end() || !member->is_array() || member->empty())
    return Error{"prefixes: expected a list of them"};
  std::vector<IpPrefix> prefixes;
  for (const Json& each : *member) {
    const auto prefix = each.is_string() ? IpPrefix::parse(each.get<std::string>()) : std::nullopt;
    if (!prefix)
      return Error{
          "expected a prefix such as 192.0.2.0/24 or 2001:db8::/32, without bits beyond its length, found " +
          each.dump()};
    prefixes.push_back(*prefix);
  }
  return prefixes;
}

IpPrefix cut(const IpAddress& address, unsigned length) {
  IpPrefix prefix{address, static_cast<std::uint8_t>(length)};
  for (unsigned byte = 0; byte < prefix.address.bytes.size(); ++byte) {
    const unsigned kept = length > byte * 8 ? std::min(length - byte * 8, 8u) : 0;
    prefix.address.bytes[byte] &= static_cast<std::uint8_t>(0xff00u >> kept);
  }
  return prefix;
}

}  // namespace

GuardControl::GuardControl(EventLoop& loop, DataPlane& plane)
    : loop_(loop), plane_(plane), lists_(plane.tables().guard, [&plane] { plane.wait_for_readers(); }) {
  on_forget_time();
}

Result<GuardControl::VipFlags> GuardControl::prepare(const config::Config& config, bool is_restart) {
  const auto masks = lists_.prepare(config, is_restart);
  if (!masks) return masks.error();
  return write_policies(plane_.tables(), config, *masks, vip_flags_);
}

void GuardControl::commit(VipFlags flags) {
  vip_flags_ = std::move(flags);
  lists_.commit();
  is_finished_ = false;
}

void GuardControl::finish() {
  if (std::exchange(is_finished_, true)) return;
  lists_.finish();
  tighten_soon();
}

Result<Json> GuardControl::request(const Json& params) {
  const std::string action = text_of(params, "action");
  if (action == "add") return change(params, true);
  if (action == "remove") return change(params, false);
  if (action == "load") return load(params);
  if (action == "list") return list(params);
  if (action == "find") return find(params);
  return Error{"action: expected add, remove, load, list or find"};
}

Result<Json> GuardControl::change(const Json& params, bool is_addition) {
  const auto prefixes = prefixes_of(params);
  if (!prefixes) return prefixes.error();
  const std::string name = text_of(params, "list");
  const auto changed = is_addition ? lists_.add(name, *prefixes) : lists_.remove(name, *prefixes);
  if (!changed) return changed.error();
  log_info("prefix list {}: {} rules {} by an operator", name, *changed, is_addition ? "added" : "removed");
  tighten_soon();
  return Json{{"changed", *changed}, {"rules", lists_.size_of(name)}};
}

Result<Json> GuardControl::load(const Json& params) {
  const auto prefixes = load_prefix_list(text_of(params, "file"));
  if (!prefixes) return prefixes.error();
  const std::string name = text_of(params, "list");
  if (const Status replaced = lists_.replace(name, *prefixes); !replaced) return replaced.error();
  log_info("prefix list {}: {} rules from {}", name, lists_.size_of(name), text_of(params, "file"));
  tighten_soon();
  return Json{{"rules", lists_.size_of(name)}};
}

Result<Json> GuardControl::list(const Json& params) const {
  const auto place = params.find("place");
  const bool is_number = place != params.end() && place->is_number_unsigned();
  const auto page = lists_.list(text_of(params, "list"), is_number ? place->get<std::size_t>() : 0, kPage);
  if (!page) return page.error();
  Json prefixes = Json::array();
  for (const IpPrefix& prefix : page->prefixes) prefixes.push_back(to_string(prefix));
  return Json{{"prefixes", std::move(prefixes)}, {"next", page->next}};
}

// Every rule that concerns an address, the longest first.
Result<Json> GuardControl::find(const Json& params) const {
  const auto address = IpAddress::parse(text_of(params, "address"));
  if (!address) return Error{"address: expected one such as 192.0.2.1 or 2001:db8::1"};
  Json rules = Json::array();
  for (const auto& [prefix, list] : rules_of(*address)) rules.push_back({{"prefix", to_string(prefix)}, {"list", list}});
  return Json{{"rules", std::move(rules)}};
}

std::vector<std::pair<IpPrefix, std::string>> GuardControl::rules_of(const IpAddress& source) const {
  std::vector<std::pair<IpPrefix, std::string>> rules;
  for (int length = 128; length >= (source.is_v4() ? 96 : 0); --length) {
    const IpPrefix prefix = cut(source, static_cast<unsigned>(length));
    for (std::string& name : lists_.names_in(lists_.table().lists_of(prefix))) rules.emplace_back(prefix, std::move(name));
  }
  return rules;
}

Json GuardControl::status(const config::Config& config) const {
  Json lists = Json::array();
  for (const config::PrefixList& list : config.prefix_lists) {
    lists.push_back({{"name", list.name}, {"action", list.action}, {"rules", lists_.size_of(list.name)}});
  }
  return lists;
}

void GuardControl::tighten_soon() {
  if (!tighten_.is_armed()) tighten_.arm<&GuardControl::on_tighten_time>(loop_, kTightenDelay, this);
}

void GuardControl::on_tighten_time() { lists_.table().tighten(); }

// A bucket that nobody has touched for an hour is full, and would one day seem not to be.
void GuardControl::on_forget_time() {
  forget_.arm<&GuardControl::on_forget_time>(loop_, kForgetInterval, this);
  const auto lines = plane_.tables().guard.bucket_lines;
  const bool is_first = buckets_before_.empty();
  buckets_before_.resize(lines.size() * GH_BUCKET_WAYS);
  for (std::size_t i = 0; i < buckets_before_.size(); ++i) {
    __u64* bucket = &lines[i / GH_BUCKET_WAYS].way[i % GH_BUCKET_WAYS];
    const std::uint64_t now = __atomic_load_n(bucket, __ATOMIC_RELAXED);
    if (!is_first && now != 0 && now == buckets_before_[i]) __sync_bool_compare_and_swap(bucket, now, 0);
    buckets_before_[i] = now;
  }
}

}  // namespace gatehouse::l4
