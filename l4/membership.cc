#include "l4/membership.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "bpf/abi.h"
#include "common/fd.h"

namespace gatehouse::l4 {
namespace {

using Json = nlohmann::json;

constexpr MemberState kStates[] = {MemberState::kActive, MemberState::kDraining, MemberState::kDown};

std::optional<MemberState> parse_state(const Json& json) {
  for (const MemberState state : kStates) {
    if (json.is_string() && json.get<std::string>() == to_string(state)) return state;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number_at(const Json& object, const char* key, std::uint64_t most) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_number_unsigned()) return std::nullopt;
  const auto number = object[key].get<std::uint64_t>();
  if (number > most) return std::nullopt;
  return number;
}

std::optional<Member> parse_member(const Json& json) {
  const auto id = number_at(json, "id", GH_MAX_NODES - 1);
  const auto weight = number_at(json, "weight", 0xffffffff);
  if (!id || *id == 0 || !weight || !json.contains("state")) return std::nullopt;
  const auto state = parse_state(json["state"]);
  if (!state) return std::nullopt;
  return Member{static_cast<std::uint16_t>(*id), static_cast<std::uint32_t>(*weight), *state};
}

std::optional<Generation> parse_generation(const Json& json) {
  const auto epoch = number_at(json, "epoch", 0xffff);
  const auto time = number_at(json, "time", 1ull << 62);
  if (!epoch || !time || !json.contains("members") || !json["members"].is_array()) return std::nullopt;
  Generation generation{static_cast<std::uint16_t>(*epoch), static_cast<std::int64_t>(*time), {}};
  for (const Json& entry : json["members"]) {
    const auto member = parse_member(entry);
    if (!member) return std::nullopt;
    const bool is_in_order = generation.members.empty() || generation.members.back().id < member->id;
    if (!is_in_order) return std::nullopt;
    generation.members.push_back(*member);
  }
  return generation;
}

Json to_json(const Generation& generation) {
  Json members = Json::array();
  for (const Member& member : generation.members) {
    members.push_back({{"id", member.id}, {"weight", member.weight}, {"state", to_string(member.state)}});
  }
  return {{"epoch", generation.epoch}, {"time", generation.time}, {"members", std::move(members)}};
}

// nullopt: there is no such file.
Result<std::optional<std::string>> read_file(const std::string& file) {
  const Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO must not hold us
  if (!fd.is_open() && errno == ENOENT) return std::optional<std::string>();
  struct stat info {};
  if (!fd.is_open() || fstat(fd.get(), &info) != 0) return system_error("cannot read " + file);
  if (!S_ISREG(info.st_mode)) return Error{"cannot read " + file + ": not a regular file"};
  std::string text;
  char part[4096];
  ssize_t length;
  while ((length = read(fd.get(), part, sizeof part)) > 0) text.append(part, static_cast<std::size_t>(length));
  if (length < 0) return system_error("cannot read " + file);
  return std::optional(std::move(text));
}

}  // namespace

std::string_view to_string(MemberState state) {
  switch (state) {
    case MemberState::kActive: return "active";
    case MemberState::kDraining: return "draining";
    case MemberState::kDown: return "down";
  }
  return "?";
}

bool Membership::append(std::vector<Member> members, std::int64_t now) {
  std::sort(members.begin(), members.end(), [](const Member& left, const Member& right) { return left.id < right.id; });
  if (!generations_.empty() && generations_.back().members == members) return false;
  const std::uint16_t epoch = generations_.empty() ? 1 : static_cast<std::uint16_t>(generations_.back().epoch + 1);
  generations_.push_back({epoch, now, std::move(members)});
  forget_repeated();
  if (generations_.size() > kMost) generations_.erase(generations_.begin());
  return true;
}

// Of generations with the same owners only the newest says anything: a hop list names a node once, where it stood last. So
// what comes and goes again (a drain, a flap) does not push older owners out.
void Membership::forget_repeated() {
  const auto owners = [](const Generation& generation) {
    std::vector<Member> active;
    for (const Member& member : generation.members) {
      if (member.state == MemberState::kActive) active.push_back(member);
    }
    return active;
  };
  const std::vector<Member> newest = owners(generations_.back());
  const auto last = generations_.end() - 1;
  generations_.erase(std::remove_if(generations_.begin(), last, [&](const Generation& older) { return owners(older) == newest; }), last);
}

bool Membership::forget_older_than(std::int64_t seconds, std::int64_t now) {
  // A generation was replaced when its successor came.
  std::size_t expired = 0;
  while (expired + 1 < generations_.size() && generations_[expired + 1].time < now - seconds) ++expired;
  generations_.erase(generations_.begin(), generations_.begin() + static_cast<std::ptrdiff_t>(expired));
  return expired != 0;
}

Status Membership::save(const std::string& file) const {
  Json generations = Json::array();
  for (const Generation& generation : generations_) generations.push_back(to_json(generation));
  const std::string text = Json{{"generations", std::move(generations)}}.dump(1) + "\n";
  const std::string beside = file + ".new";
  const Fd fd(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.is_open()) return system_error("cannot write " + beside);
  if (write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || fsync(fd.get()) != 0) {
    return system_error("cannot write " + beside);
  }
  if (std::rename(beside.c_str(), file.c_str()) != 0) return system_error("cannot replace " + file);
  return {};
}

Result<Membership> Membership::load(const std::string& file) {
  Membership membership;
  const auto text = read_file(file);
  if (!text) return text.error();
  if (!text->has_value()) return membership;
  const Json json = Json::parse(**text, nullptr, false);
  if (!json.is_object() || !json.contains("generations") || !json["generations"].is_array()) {
    return Error{file + ": expected {\"generations\": [...]}"};
  }
  for (const Json& entry : json["generations"]) {
    const auto generation = parse_generation(entry);
    if (!generation) {
      return Error{file + ": generation " + std::to_string(membership.generations_.size()) +
                   ": expected {epoch, time, members: [{id, weight, state: active|draining|down}] by rising id}"};
    }
    membership.generations_.push_back(*generation);
  }
  auto& generations = membership.generations_;
  if (generations.size() > kMost) generations.erase(generations.begin(), generations.end() - kMost);
  return membership;
}

}  // namespace gatehouse::l4
