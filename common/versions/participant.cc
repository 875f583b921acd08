// Disk first, then the switch: what a host uses it will find again.
#include "common/versions/participant.h"

#include <algorithm>

#include "common/log.h"

namespace gatehouse::versions {

using control::Json;

Participant::Participant(VersionStore& store, Host host) : store_(store), host_(std::move(host)) {
  // A coordinator that died before it decided has decided: nobody else may have heard anything else.
  const auto& prepared = store_.prepared();
  if (prepared && prepared->coordinator == host_.name) static_cast<void>(store_.discard());
}

bool Participant::takes(std::string_view method) { return method.starts_with("version_"); }

void Participant::on_request(const std::string& from, std::string_view method, const Json& params,
                             control::Reply reply) {
  const auto answer = [&reply](const Status& status) {
    reply(status ? Result<Json>(Json::object()) : Result<Json>(status.error()));
  };
  if (method == "version_check") {
    const auto text = params.find("text");
    if (text == params.end() || !text->is_string()) return reply(Error{"version_check: expected text"});
    return answer(check(text->get<std::string>()));
  }
  if (method == "version_commit" || method == "version_abort") {
    const auto id = version_id_from_json(params);
    if (!id) return reply(id.error());
    if (method == "version_commit") return commit(*id, std::move(reply));
    return answer(abort(*id));
  }
  auto version = version_from_json(params);
  if (!version) return reply(version.error());
  if (method == "version_take") return take(*version, std::move(reply));
  if (method != "version_prepare") return reply(Error{"unknown request \"" + std::string(method) + "\""});
  const auto supersede = params.find("supersede");
  if (supersede == params.end() || !supersede->is_boolean())
    return reply(Error{"version_prepare: expected supersede, true or false"});
  if (version->coordinator != from)
    return reply(Error{"version " + to_string(version->id) + " is said to be of " + version->coordinator +
                       ", and came from " + from});
  answer(prepare(*version, supersede->get<bool>()));
}

VersionState Participant::state() const {
  VersionState state;
  if (store_.committed()) state.committed = store_.committed()->id;
  if (store_.prepared()) {
    state.prepared = store_.prepared()->id;
    state.coordinator = store_.prepared()->coordinator;
  }
  state.problem = problem_;
  return state;
}

Status Participant::check(const std::string& text) {
  const auto ready = host_.prepare(text);
  return ready ? Status() : Status(ready.error());
}

Status Participant::prepare(const Version& version, bool supersedes) {
  const VersionState now = state();
  if (now.prepared && *now.prepared == version.id && now.coordinator == version.coordinator && ready_)
    return {};
  if (version.id.number <= now.committed.number) {
    return Error{"version " + to_string(version.id) + " is none to follow version " +
                 to_string(now.committed)};
  }
  const bool may_replace = now.coordinator == version.coordinator ||
                           (supersedes && version.id.number > now.prepared.value_or(VersionId()).number);
  if (now.prepared && !may_replace) {
    return Error{"version " + to_string(*now.prepared) + " is prepared here, and " + now.coordinator +
                 " has not said what came of it"};
  }
  auto ready = host_.prepare(version.text);
  if (!ready) return ready.error();
  if (const Status kept = store_.prepare(version); !kept) return kept;
  ready_ = std::move(*ready);
  log_info("version {} of {} is prepared", to_string(version.id), version.coordinator);
  tell();
  return {};
}

void Participant::commit(const VersionId& id, control::Reply reply) {
  const VersionState now = state();
  if (now.committed == id) {
    if (problem_.empty()) return reply(Json::object());
    if (is_switching_) return reply(Error{problem_});
    return take(*store_.committed(), std::move(reply));  // once more
  }
  if (now.prepared != id) {
    return reply(Error{"version " + to_string(id) + " is not prepared here; " + to_string(now.committed) +
                       " is in use"});
  }
  Switch ready = std::exchange(ready_, nullptr);
  if (!ready) {
    auto again = host_.prepare(store_.prepared()->text);
    if (!again) return reply(again.error());
    ready = std::move(*again);
  }
  const std::string text_before = now.committed.exists() ? "" : host_.text();
  if (const Status kept = store_.commit(); !kept) {
    ready_ = std::move(ready);
    return reply(kept.error());
  }
  remember_file(*store_.committed(), text_before);
  switch_over(std::move(ready), std::move(reply));
}

Status Participant::abort(const VersionId& id) {
  if (state().prepared != id) return {};
  ready_ = nullptr;
  const Status discarded = store_.discard();
  log_info("version {} is not to be", to_string(id));
  tell();
  return discarded;
}

void Participant::take(const Version& version, control::Reply reply) {
  const VersionState now = state();
  const bool is_once_more = version.id == now.committed && !problem_.empty() && !is_switching_;
  if (version.id <= now.committed && !is_once_more) return reply(Json::object());
  auto ready = host_.prepare(version.text);
  if (!ready) return reply(ready.error());
  const std::string text_before = now.committed.exists() ? "" : host_.text();
  if (version.id != now.committed) {
    if (const Status kept = store_.take(version); !kept) return reply(kept.error());
  }
  remember_file(version, text_before);
  // Whatever was waited for has been overtaken.
  if (now.prepared && now.prepared->number <= version.id.number) static_cast<void>(abort(*now.prepared));
  switch_over(std::move(*ready), std::move(reply));
}

void Participant::switch_over(Switch switch_to, control::Reply reply) {
  const VersionId id = store_.committed()->id;
  problem_ = "it is being switched to";
  is_switching_ = true;
  switch_to([this, id, reply = std::move(reply), alive = std::weak_ptr<char>(alive_)](Result<Json> done) {
    if (alive.expired()) return reply(std::move(done));
    const bool is_latest = store_.committed()->id == id;
    if (is_latest) {
      problem_ = done ? "" : done.error().message;
      is_switching_ = false;
    }
    if (done) {
      log_info("version {} is in use", to_string(id));
    } else {
      log_error("version {} is committed and not in use: {}", to_string(id), done.error().message);
    }
    tell();
    reply(std::move(done));
  });
}

// So that there is a version to go back to from the first one.
void Participant::remember_file(const Version& first, const std::string& text_before) {
  if (text_before.empty() || first.id.number != kFirstNumber) return;
  Version before = make_version(first.id.number - 1, text_before);
  before.time = first.time;
  before.coordinator = host_.name;
  before.comment = "the file, as it was";
  store_.remember(before);
}

void Participant::tell() const {
  if (host_.on_change) host_.on_change();
}

}  // namespace gatehouse::versions
