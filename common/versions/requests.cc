// A rollback is a change like any other: two phases, and a new number.
#include "common/versions/requests.h"

#include <pwd.h>

#include <set>

#include "common/control/field_reader.h"
#include "common/log.h"

namespace gatehouse::versions {
namespace {

using control::FieldReader;
using control::Json;

constexpr std::int64_t kLongestWatch = 24 * 3600;

Result<WatchBounds> watch_from_json(const Json& json) {
  WatchBounds bounds;
  FieldReader reader(json, "watch");
  reader.number("seconds", bounds.seconds);
  reader.number("least", bounds.least);
  if (const Status read = reader.finish(); !read) return read.error();
  const Json rise = json.value("rise", Json());
  if (bounds.seconds < 1 || bounds.seconds > kLongestWatch)
    return Error{"watch.seconds: expected 1 to " + std::to_string(kLongestWatch)};
  if (!rise.is_number() || rise.get<double>() < 0 || rise.get<double>() > 1)
    return Error{"watch.rise: expected a share from 0 to 1"};
  bounds.rise = rise.get<double>();
  return bounds;
}

}  // namespace

std::string name_of_user(unsigned uid) {
  const passwd* user = getpwuid(uid);
  return "uid " + std::to_string(uid) + (user ? " (" + std::string(user->pw_name) + ")" : "");
}

Requests::Requests(Participant& self, Coordinator& coordinator, Host host)
    : self_(self),
      coordinator_(coordinator),
      host_(std::move(host)),
      watch_(self.store().folder() + "/watch") {
  watch_.resume(self_.state().committed, rate_, now_in_seconds());
}

bool Requests::takes(std::string_view method) {
  return method == "apply" || method == "rollback" || method == "history" || method == "version";
}

void Requests::on_request(const std::string& who, std::string_view method, const Json& params,
                          control::Reply reply) {
  if (method == "history") return reply(history());
  if (method == "version") {
    std::uint64_t number = 0;
    FieldReader reader(params, "version");
    reader.number("number", number);
    const auto read = reader.finish(number);
    return reply(read ? version(*read) : Result<Json>(read.error()));
  }
  if (!host_.why_not_here.empty()) return reply(Error{host_.why_not_here});
  if (method == "apply") return apply(who, params, std::move(reply));
  rollback(who, params, std::move(reply));
}

void Requests::apply(const std::string& who, const Json& params, control::Reply reply) {
  Change change;
  std::uint64_t base = 0;
  FieldReader reader(params, "apply");
  reader.text("text", change.text);
  reader.text("comment", change.comment);
  reader.number("base", base);
  reader.flag("dry_run", change.is_trial);
  reader.flag("absent_ok", change.absent_ok);
  if (const Status read = reader.finish(); !read) return reply(read.error());
  change.base = base;
  change.who = who;
  if (params.contains("watch") && !change.is_trial) {
    const auto bounds = watch_from_json(params["watch"]);
    if (!bounds) return reply(bounds.error());
    reply = watching(*bounds, std::move(reply));
  }
  coordinator_.change(std::move(change), std::move(reply));
}

control::Reply Requests::watching(const WatchBounds& bounds, control::Reply reply) {
  return [this, bounds, reply = std::move(reply), alive = std::weak_ptr<char>(alive_)](Result<Json> answer) {
    if (!alive.expired() && answer) watch_.begin(self_.state().committed, bounds, rate_, now_in_seconds());
    reply(std::move(answer));
  };
}

void Requests::rollback(const std::string& who, const Json& params, control::Reply reply) {
  std::uint64_t number = 0;
  bool absent_ok = false;
  FieldReader reader(params, "rollback");
  reader.number("number", number);
  reader.flag("absent_ok", absent_ok);
  if (const Status read = reader.finish(); !read) return reply(read.error());
  auto change = change_back(number);
  if (!change) return reply(change.error());
  change->who = who;
  change->absent_ok = absent_ok;
  coordinator_.change(std::move(*change), std::move(reply));
}

Result<Version> Requests::version_before(const VersionId& id) const {
  for (Version& version : self_.store().history()) {
    if (version.id.number < id.number) return std::move(version);
  }
  return Error{"no version before " + std::to_string(id.number) + " is kept here"};
}

// To the version of that number, or to the one before the one in use.
Result<Change> Requests::change_back(std::uint64_t number) const {
  const VersionId in_use = self_.state().committed;
  if (!in_use.exists()) return Error{"there is no version yet: this host runs its file"};
  if (number == in_use.number) return Error{"version " + std::to_string(number) + " is in use"};
  const auto version = number == 0 ? version_before(in_use) : self_.store().find(number);
  if (!version) return version.error();
  Change change;
  change.text = version->text;
  change.comment = "back to " + std::to_string(version->id.number);
  change.undoes = in_use.number;
  return change;
}

void Requests::on_second() {
  rate_.on_second();
  if (!watch_.is_on() || coordinator_.is_busy()) return;
  // Another change has come in between: what it does to the errors is not this one's.
  if (watch_.id() != self_.state().committed) return watch_.end();
  if (const auto trouble = watch_.look(rate_, now_in_seconds())) roll_back_by_itself(*trouble);
}

// Hosts that are away do not keep it: the change may be what took them away.
void Requests::roll_back_by_itself(const std::string& trouble) {
  const VersionId bad = watch_.id();
  auto change = change_back(0);
  log_error("version {}: {}: going back", to_string(bad), trouble);
  watch_.end();
  if (!change) return log_error("cannot go back: {}", change.error().message);
  change->comment = "by itself, " + change->comment + ": " + trouble;
  change->who = "the watch over " + std::to_string(bad.number);
  change->absent_ok = true;
  coordinator_.change(std::move(*change), [bad](const Result<Json>& answer) {
    if (!answer)
      log_error("version {} stays in use, though it should not: {}", to_string(bad), answer.error().message);
  });
}

Json Requests::history() const {
  const VersionState state = self_.state();
  std::set<std::uint64_t> undone;
  Json versions = Json::array();
  if (const auto& prepared = self_.store().prepared()) {
    versions.push_back(describe(*prepared));
    versions.back()["state"] = "prepared";
  }
  for (const Version& version : self_.store().history()) {
    versions.push_back(describe(version));
    const bool is_in_use = version.id == state.committed;
    const bool is_watched = watch_.is_on() && watch_.id() == version.id;
    versions.back()["state"] = is_in_use                            ? (!state.problem.empty() ? "committed"
                                                                       : is_watched           ? "watched"
                                                                                              : "in use")
                               : undone.contains(version.id.number) ? "taken back"
                                                                    : "replaced";
    undone.insert(version.undoes);
  }
  Json answer = {
      {"versions", std::move(versions)}, {"hosts", coordinator_.hosts()}, {"problem", state.problem}};
  if (watch_.is_on())
    answer["watch"] = {{"number", watch_.id().number}, {"seconds_left", watch_.until() - now_in_seconds()}};
  return answer;
}

Result<Json> Requests::version(std::uint64_t number) const {
  const config::Config& config = host_.config();
  const VersionId in_use = self_.state().committed;
  if (number == 0) {
    Json answer = to_json(in_use);
    answer["text"] = config.text;
    answer["config_digest"] = config.digest;
    return answer;
  }
  const auto found = self_.store().find(number);
  if (!found) return found.error();
  Json answer = to_json(found->id);
  answer["text"] = found->text;
  answer["config_digest"] = config.digest;
  return answer;
}

}  // namespace gatehouse::versions
