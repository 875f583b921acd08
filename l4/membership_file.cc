// The membership log as JSON. Only the first generation is written whole; the others say what changed, for a
// log of a thousand nodes is written anew with every change. {"generations": [
//   {"epoch": 1, "time": 1700000000, "members": [{"id": 1, "weight": 100, "state": "active", "address":
//   "192.0.2.21"}, …],
//    "rosters": [{"members": "1-3,7=50", "vips": ["198.51.100.10:443/tcp", …]}, …]},
//   {"epoch": 2, "time": 1700000060, "changed": [{"id": 1, …}], "gone": [2]}]}
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "bpf/abi.h"
#include "common/fd.h"
#include "common/files.h"
#include "common/json_fields.h"
#include "l4/membership.h"

namespace gatehouse::l4 {
namespace {

using Json = nlohmann::json;

constexpr MemberState kStates[] = {MemberState::kActive, MemberState::kDraining, MemberState::kDown};
constexpr std::uint32_t kMostFactor = 1'000'000;

const Json* find(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::optional<std::uint64_t> number_at(const Json& object, const char* key, std::uint64_t most) {
  const Json* number = find(object, key);
  if (!number || !number->is_number_unsigned() || number->get<std::uint64_t>() > most) return std::nullopt;
  return number->get<std::uint64_t>();
}

std::optional<MemberState> state_at(const Json& object) {
  const Json* text = find(object, "state");
  for (const MemberState state : kStates) {
    if (text && text->is_string() && text->get<std::string>() == to_string(state)) return state;
  }
  return std::nullopt;
}

std::optional<Member> parse_member(const Json& json) {
  const auto id = number_at(json, "id", GH_MAX_NODES - 1);
  const auto weight = number_at(json, "weight", 0xffffffff);
  const auto state = state_at(json);
  if (!id || *id == 0 || !weight || !state) return std::nullopt;
  Member member{
      static_cast<std::uint16_t>(*id), static_cast<std::uint32_t>(*weight), *state, Member::kNeutral, {}};
  if (find(json, "factor")) {
    const auto factor = number_at(json, "factor", kMostFactor);
    if (!factor) return std::nullopt;
    member.factor = static_cast<std::uint32_t>(*factor);
  }
  if (const Json* text = find(json, "address")) {
    const auto address = text->is_string() ? IpAddress::parse(text->get<std::string>()) : std::nullopt;
    if (!address) return std::nullopt;
    member.address = *address;
  }
  return member;
}

// A list at `key` of members by rising id.
std::optional<std::vector<Member>> parse_members(const Json& json, const char* key) {
  const Json* list = find(json, key);
  if (!list || !list->is_array()) return std::nullopt;
  std::vector<Member> members;
  for (const Json& entry : *list) {
    const auto member = parse_member(entry);
    if (!member || (!members.empty() && members.back().id >= member->id)) return std::nullopt;
    members.push_back(*member);
  }
  return members;
}

// `members` as a later generation has them.
bool change_members(const Json& json, std::vector<Member>& members) {
  const auto changed = parse_members(json, "changed");
  const Json* gone = find(json, "gone");
  if (!changed || !gone || !gone->is_array()) return false;
  const auto erase = [&members](std::uint64_t id) {
    return std::erase_if(members, [id](const Member& member) { return member.id == id; }) == 1;
  };
  for (const Json& id : *gone) {
    if (!id.is_number_unsigned() || !erase(id.get<std::uint64_t>())) return false;
  }
  for (const Member& member : *changed) {
    erase(member.id);
    members.push_back(member);
  }
  std::sort(members.begin(), members.end(),
            [](const Member& left, const Member& right) { return left.id < right.id; });
  return true;
}

std::shared_ptr<const Rosters> parse_rosters(const Json& list) {
  if (!list.is_array()) return nullptr;
  auto rosters = std::make_shared<Rosters>();
  for (const Json& entry : list) {
    const Json* text = find(entry, "members");
    const Json* vips = find(entry, "vips");
    const Json* name = find(entry, "name");
    if (!text || !text->is_string() || !vips || !vips->is_array() || (name && !name->is_string()))
      return nullptr;
    const auto entries = parse_entries(text->get<std::string>());
    if (!entries) return nullptr;
    const auto roster =
        std::make_shared<const Roster>(Roster{name ? name->get<std::string>() : "", *entries});
    for (const Json& vip : *vips) {
      if (!vip.is_string() || !rosters->emplace(vip.get<std::string>(), roster).second) return nullptr;
    }
  }
  return rosters;
}

std::optional<Generation> parse_generation(const Json& json, const Generation* before) {
  const auto epoch = number_at(json, "epoch", 0xffff);
  const auto time = number_at(json, "time", 1ull << 62);
  if (!epoch || !time) return std::nullopt;
  Generation generation{static_cast<std::uint16_t>(*epoch), static_cast<std::int64_t>(*time), {}, nullptr};
  if (before) generation.rosters = before->rosters;
  if (const Json* list = find(json, "rosters")) {
    generation.rosters = list->is_null() ? nullptr : parse_rosters(*list);
    if (!list->is_null() && !generation.rosters) return std::nullopt;
  }
  if (before && find(json, "changed")) {
    generation.members = before->members;
    if (!change_members(json, generation.members)) return std::nullopt;
    return generation;
  }
  auto members = parse_members(json, "members");
  if (!members) return std::nullopt;
  generation.members = std::move(*members);
  return generation;
}

Json to_json(const Member& member) {
  Json json = {{"id", member.id}, {"weight", member.weight}, {"state", to_string(member.state)}};
  if (member.factor != Member::kNeutral) json["factor"] = member.factor;
  if (!member.address.is_unspecified()) json["address"] = to_string(member.address);
  return json;
}

Json to_json(const std::shared_ptr<const Rosters>& rosters) {
  if (!rosters) return nullptr;
  std::map<const Roster*, Json> vips;
  for (const auto& [vip, roster] : *rosters)
    vips.try_emplace(roster.get(), Json::array()).first->second.push_back(vip);
  Json list = Json::array();
  for (auto& [roster, names] : vips) {
    Json json = {{"members", to_string(roster->entries)}, {"vips", std::move(names)}};
    if (!roster->name.empty()) json["name"] = roster->name;
    list.push_back(std::move(json));
  }
  return list;
}

Json changes(const std::vector<Member>& before, const std::vector<Member>& after) {
  const auto has = [](const std::vector<Member>& members, std::uint16_t id) {
    const auto place =
        std::lower_bound(members.begin(), members.end(), id,
                         [](const Member& member, std::uint16_t wanted) { return member.id < wanted; });
    return place != members.end() && place->id == id ? &*place : nullptr;
  };
  Json changed = Json::array(), gone = Json::array();
  for (const Member& member : after) {
    const Member* earlier = has(before, member.id);
    if (!earlier || *earlier != member) changed.push_back(to_json(member));
  }
  for (const Member& member : before) {
    if (!has(after, member.id)) gone.push_back(member.id);
  }
  return {{"changed", std::move(changed)}, {"gone", std::move(gone)}};
}

Json to_json(const Generation& generation, const Generation* before) {
  Json json = Json::object();
  if (before) {
    json = changes(before->members, generation.members);
  } else {
    json["members"] = Json::array();
    for (const Member& member : generation.members) json["members"].push_back(to_json(member));
  }
  json["epoch"] = generation.epoch;
  json["time"] = generation.time;
  if (generation.rosters != (before ? before->rosters : nullptr))
    json["rosters"] = to_json(generation.rosters);
  return json;
}

}  // namespace

Status Membership::save(const std::string& file) const {
  Json generations = Json::array();
  const Generation* before = nullptr;
  for (const Generation& generation : generations_) {
    generations.push_back(to_json(generation, before));
    before = &generation;
  }
  return replace_file(file, Json{{"generations", std::move(generations)}}.dump(1) + "\n", Sync::kLater);
}

Status Membership::sync(const std::string& file) {
  const Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open() || fsync(fd.get()) != 0) return system_error("cannot sync " + file);
  return {};
}

Result<Membership> Membership::load(const std::string& file) {
  Membership membership;
  const auto text = read_file_if_any(file);
  if (!text) return text.error();
  if (!text->has_value()) return membership;
  const Json json = parse_json(**text);
  const Json* list = find(json, "generations");
  if (!list || !list->is_array()) return Error{file + ": expected {\"generations\": [...]}"};
  auto& generations = membership.generations_;
  for (const Json& entry : *list) {
    auto generation = parse_generation(entry, generations.empty() ? nullptr : &generations.back());
    if (!generation) {
      return Error{
          file + ": generation " + std::to_string(generations.size()) +
          ": expected {epoch, time, members: [{id, weight, state: active|draining|down}] by rising id}"};
    }
    generations.push_back(std::move(*generation));
  }
  if (generations.size() > kMost) generations.erase(generations.begin(), generations.end() - kMost);
  return membership;
}

}  // namespace gatehouse::l4
