// One round at a time; a round is a table of hosts and what each has answered in the phase of now.
#include "common/versions/coordinator.h"

#include <algorithm>

#include "common/config/load.h"
#include "common/log.h"

namespace gatehouse::versions {

using control::Json;

namespace {

constexpr const char* kWaiting = "";

std::set<std::string> hosts_of(const config::Config& config) {
  std::set<std::string> hosts;
  for (const config::L4Host& host : config.l4_hosts) hosts.insert(host.name);
  for (const config::Node& node : config.nodes) hosts.insert(node.name);
  return hosts;
}

std::string list_of(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

struct Coordinator::Round {
  Version version;
  Change change;
  control::Reply reply;
  std::set<std::string> hosts;  // that take part, without this one
  std::vector<std::string> absent;
  Json notes = Json::array();
  std::map<std::string, std::string> answers;  // of this phase: kWaiting, "ok", or why not
  void (Coordinator::*next)() = nullptr;
};

Coordinator::Coordinator(EventLoop& loop, Participant& self, std::string name, Site site)
    : loop_(loop), self_(self), name_(std::move(name)), site_(std::move(site)) {}

Coordinator::~Coordinator() = default;

// ---- A change ----

void Coordinator::change(Change change, control::Reply reply) {
  if (is_busy())
    return reply(
        Error{"another change is under way: " + to_string(round_->version.id) + " of " + round_->change.who});
  auto round = begin(change);
  if (!round) return reply(round.error());
  round_ = *round;
  round_->reply = std::move(reply);
  const Version& version = round_->version;
  if (round_->change.is_trial) {
    round_->answers[name_] = "ok";
    if (const Status checked = self_.check(version.text); !checked)
      round_->answers[name_] = checked.error().message;
    return ask_all("version_check", {{"text", version.text}}, &Coordinator::finish);
  }
  log_info("{} wants version {}: {} to prepare it", version.who, to_string(version.id),
           round_->hosts.size() + 1);
  if (const Status prepared = self_.prepare(version, round_->change.absent_ok); !prepared) {
    return abort(name_ + ": " + prepared.error().message);
  }
  Json params = to_json(version);
  params["supersede"] = round_->change.absent_ok;
  ask_all("version_prepare", std::move(params), &Coordinator::decide);
}

// Everything that can be known without asking anybody.
Result<std::shared_ptr<Coordinator::Round>> Coordinator::begin(Change& change) {
  if (const Status based = check_base(change); !based) return based.error();
  const config::Loaded loaded = config::load_text(change.text, site_.config().file);
  if (!loaded.is_valid()) return Error{loaded.errors()};
  auto round = std::make_shared<Round>();
  for (const config::Finding& finding : loaded.findings) round->notes.push_back(finding.text);
  round->change = std::move(change);
  if (const Status found = find_hosts(*round, loaded.config); !found) return found.error();
  const std::uint64_t number = next_number();
  if (number > kMostNumber)
    return Error{"a host claims to have version " + std::to_string(number - 1) +
                 ": there is no number after that"};
  round->version = make_version(number, round->change.text);
  round->version.time = now_in_seconds();
  round->version.who = round->change.who;
  round->version.coordinator = name_;
  round->version.comment = round->change.comment;
  round->version.undoes = round->change.undoes;
  return round;
}

Status Coordinator::check_base(const Change& change) const {
  if (change.base && *change.base != site_.config().digest) {
    return Error{"the config was changed in between: look at the difference again"};
  }
  if (change.absent_ok || change.is_trial) return {};
  const VersionId ours = self_.state().committed;
  for (const auto& [host, peer] : peers_) {
    if (peer.state.committed <= ours) continue;
    return Error{host + " has version " + to_string(peer.state.committed) + ", this host " + to_string(ours) +
                 ": ask an L4 host that has it, or go on without it by --absent-ok"};
  }
  return {};
}

// Those that are in the site now and are to stay. Others come to the new config when it is in use.
Status Coordinator::find_hosts(Round& round, const config::Config& next) {
  const std::set<std::string> stay = hosts_of(next);
  for (const std::string& host : hosts_of(site_.config())) {
    if (host == name_ || !stay.contains(host)) continue;
    if (peers_.contains(host)) {
      round.hosts.insert(host);
    } else {
      round.absent.push_back(host);
    }
  }
  if (round.absent.empty() || round.change.absent_ok || round.change.is_trial) return {};
  return Error{"away: " + list_of(round.absent) +
               ". --absent-ok goes on without them; they take the version when they are back"};
}

std::uint64_t Coordinator::next_number() const {
  const auto highest = [](const VersionState& state) {
    return std::max(state.committed.number, state.prepared.value_or(VersionId()).number);
  };
  std::uint64_t number = std::max(highest(self_.state()), kFirstNumber - 1);
  for (const auto& [host, peer] : peers_) number = std::max(number, highest(peer.state));
  return number + 1;
}

void Coordinator::ask_all(std::string_view method, Json params, void (Coordinator::*next)()) {
  const auto round = round_;
  round->next = next;
  for (const std::string& host : round->hosts) round->answers[host] = kWaiting;
  patience_.arm<&Coordinator::on_patience_over>(loop_, site_.patience, this);
  for (const std::string& host : round->hosts) {
    const auto peer = peers_.find(host);
    if (peer == peers_.end()) {
      on_answer(round, host, Error{"it has gone away"});
      continue;
    }
    peer->second.channel->request(
        method, params, [this, host, weak = std::weak_ptr<Round>(round), next](const Result<Json>& answer) {
          const auto asked = weak.lock();
          if (asked && asked->next == next) on_answer(asked, host, answer);
        });
  }
  next_phase();
}

void Coordinator::on_answer(const std::shared_ptr<Round>& round, const std::string& host,
                            const Result<Json>& answer) {
  std::string& said = round->answers[host];
  if (said != kWaiting) return;
  said = answer ? "ok" : answer.error().message;
  next_phase();
}

void Coordinator::on_patience_over() {
  for (auto& [host, said] : round_->answers) {
    if (said == kWaiting) said = "no answer within " + gatehouse::to_string(site_.patience);
  }
  next_phase();
}

// All have answered, or one has said no to what all must agree to.
void Coordinator::next_phase() {
  if (!round_ || !round_->next) return;
  const auto& answers = round_->answers;
  const auto is_waiting = [](const auto& entry) { return entry.second == kWaiting; };
  if (std::any_of(answers.begin(), answers.end(), is_waiting)) return;
  patience_.cancel();
  // At the end of the turn: this may be the middle of asking, or of a channel's end.
  auto next = std::exchange(round_->next, nullptr);
  loop_.defer([this, next, weak = std::weak_ptr<Round>(round_)] {
    if (!weak.expired()) (this->*next)();
  });
}

void Coordinator::decide() {
  std::string refusals;
  for (const auto& [host, said] : round_->answers) {
    if (said != "ok") refusals += (refusals.empty() ? "" : "\n") + host + ": " + said;
  }
  if (!refusals.empty()) return abort(refusals);
  if (!site_.publish) return commit();
  site_.publish(round_->version, round_->change.absent_ok, [this, weak = std::weak_ptr<Round>(round_)](const Status& told) {
    if (weak.expired()) return;
    told ? commit() : abort(told.error().message);
  });
}

void Coordinator::commit() {
  round_->answers.clear();
  round_->answers[name_] = kWaiting;
  const auto round = round_;
  const VersionId id = round->version.id;
  self_.commit(id, [this, id, weak = std::weak_ptr<Round>(round)](const Result<Json>& done) {
    const auto asked = weak.lock();
    if (!asked) return;
    if (!done && self_.state().committed != id) return abort(name_ + ": " + done.error().message);
    on_answer(asked, name_, done);
  });
  if (round_ == round && self_.state().committed == id)
    ask_all("version_commit", to_json(id), &Coordinator::finish);
}

void Coordinator::finish() {
  Json hosts = Json::object();
  for (const auto& [host, said] : round_->answers) hosts[host] = said;
  for (const std::string& host : round_->absent) hosts[host] = "away";
  Json answer = to_json(round_->version.id);
  answer["hosts"] = std::move(hosts);
  answer["notes"] = round_->notes;
  end(std::move(answer));
}

void Coordinator::abort(const std::string& reason) {
  const auto round = round_;
  const VersionId id = round->version.id;
  log_warn("version {} is not to be: {}", to_string(id), reason);
  static_cast<void>(self_.abort(id));
  for (const std::string& host : round->hosts) tell(host, "version_abort", to_json(id));
  end(Error{reason});
}

void Coordinator::end(Result<Json> answer) {
  patience_.cancel();
  const auto round = std::exchange(round_, nullptr);
  // What the round kept from being said.
  for (auto& [host, peer] : peers_) reconcile(host, peer);
  round->reply(std::move(answer));
}

// ---- Where the others stand ----

void Coordinator::join(const std::string& host, control::Channel& channel, const VersionState& state) {
  peers_[host] = {&channel, state, "", {}};
  reconcile(host, peers_[host]);
}

void Coordinator::hear(const std::string& host, const VersionState& state) {
  const auto peer = peers_.find(host);
  if (peer == peers_.end()) return;
  peer->second.state = state;
  reconcile(host, peer->second);
}

void Coordinator::leave(const control::Channel& channel) {
  std::erase_if(peers_, [&](const auto& entry) { return entry.second.channel == &channel; });
}

void Coordinator::reconcile(const std::string& host, Peer& peer) {
  const VersionState& state = peer.state;
  const auto& committed = self_.store().committed();
  const VersionId ours = committed ? committed->id : VersionId();
  // Those that take part in a round hear from it.
  if (loop_.now() < peer.not_before || (round_ && !round_->change.is_trial && round_->hosts.contains(host)))
    return;
  // It speaks for another coordinator, too: what one host has committed was decided.
  const auto& own = self_.store().prepared();
  if (own && own->id == state.committed && !round_) return self_.commit(own->id, [](const Result<Json>&) {});
  if (state.prepared && *state.prepared == ours) return tell(host, "version_commit", to_json(ours));
  if (state.prepared && state.coordinator == name_ && !(round_ && round_->version.id == *state.prepared)) {
    return tell(host, "version_abort", to_json(*state.prepared));
  }
  if (!ours.exists() || ours < state.committed) return;
  if (ours == state.committed && state.problem.empty()) return;
  tell(host, "version_take", to_json(*committed));
}

void Coordinator::tell(const std::string& host, std::string_view method, Json params) {
  const auto found = peers_.find(host);
  if (found == peers_.end()) return;
  found->second.not_before = loop_.now() + site_.patience;
  control::Channel* channel = found->second.channel;
  channel->request(method, std::move(params),
                   [this, host, channel, method = std::string(method),
                    alive = std::weak_ptr<char>(alive_)](const Result<Json>& answer) {
                     if (alive.expired()) return;
                     const auto peer = peers_.find(host);
                     if (peer == peers_.end() || peer->second.channel != channel) return;
                     const std::string refusal = answer ? "" : answer.error().message;
                     peer->second.not_before =
                         answer ? EventLoop::Clock::time_point() : loop_.now() + site_.retry;
                     if (!answer && refusal != peer->second.refusal)
                       log_warn("{}: {} refused: {}", host, method, refusal);
                     peer->second.refusal = refusal;
                   });
}

Json Coordinator::hosts() const {
  Json hosts = Json::object();
  hosts[name_] = to_json(self_.state());
  for (const auto& [host, peer] : peers_) {
    hosts[host] = to_json(peer.state);
    if (!peer.refusal.empty()) hosts[host]["problem"] = peer.refusal;
  }
  return hosts;
}

}  // namespace gatehouse::versions
