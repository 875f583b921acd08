// What a stranger says is checked in the order in which answers tell least.
#include "common/identity/join_desk.h"

#include <algorithm>
#include <ctime>

#include "common/config/findings.h"
#include "common/control/field_reader.h"
#include "common/control/messages.h"
#include "common/events.h"
#include "common/files.h"
#include "common/identity/join_token.h"
#include "common/log.h"

namespace gatehouse::identity {

using Json = nlohmann::json;

namespace {

const char* section_of(Role role) { return role == Role::kNode ? "[[node]]" : "[[l4_host]]"; }

std::vector<std::string> names_with(Role role, const config::Config& config) {
  std::vector<std::string> names;
  if (role == Role::kNode) {
    for (const config::Node& node : config.nodes) names.push_back(node.name);
  } else {
    for (const config::L4Host& host : config.l4_hosts) names.push_back(host.name);
  }
  return names;
}

// Whom refusals are counted for. Of IPv6 a /64: whoever has one address has all of them.
std::string source_of(const std::string& peer) {
  const auto endpoint = Endpoint::parse(peer);
  if (!endpoint) return peer;
  IpAddress address = endpoint->address;
  if (!address.is_v4()) std::fill(address.bytes.begin() + 8, address.bytes.end(), 0);
  return gatehouse::to_string(address) + (address.is_v4() ? "" : "/64");
}

}  // namespace

struct JoinDesk::Request {
  int protocol = 0;
  std::string secret, name, request;
  std::int64_t time = 0;
};

JoinDesk::JoinDesk(Host host, Clock clock) : host_(std::move(host)), clock_(std::move(clock)) {
  if (!clock_) clock_ = [] { return static_cast<std::int64_t>(std::time(nullptr)); };
}

TokenStore& JoinDesk::tokens() {
  const std::string& folder = host_.config().control.authority;
  if (!tokens_ || folder != folder_) tokens_ = std::make_unique<TokenStore>(folder + "/tokens", clock_);
  folder_ = folder;
  return *tokens_;
}

bool JoinDesk::has_authority() const {
  const std::string& folder = host_.config().control.authority;
  return !folder.empty() && SiteAuthority::is_there(folder);
}

bool JoinDesk::is_open() { return has_authority() && !tokens().is_empty(); }

std::string JoinDesk::pin() {
  const std::string& folder = host_.config().control.authority;
  const std::string state = folder.empty() ? "" : state_of_file(SiteAuthority::file_of(folder));
  if (std::exchange(pin_file_, state) == state) return pin_;
  pin_.clear();
  if (state.empty()) return pin_;
  const auto authority = SiteAuthority::open(folder);
  if (!authority) log_error("{}", authority.error().message);
  return pin_ = authority ? authority->pin() : "";
}

Status JoinDesk::check_name(Role role, const std::string& name) const {
  const auto names = names_with(role, host_.config());
  if (std::find(names.begin(), names.end(), name) != names.end()) return {};
  return Error{std::string("there is no ") + section_of(role) + " \"" + name + "\" in the site's config" +
               config::suggest(name, names) + ": put it there first (gatehouse apply)"};
}

Result<Json> JoinDesk::make_token(const Json& params) {
  std::string name;
  Role role = Role::kNode;
  std::int64_t seconds = 0;
  control::FieldReader reader(params, "token");
  reader.parsed("role", role, "node or l4", parse_role);
  reader.text("name", name);
  reader.number("seconds", seconds);
  if (const Status read = reader.finish(); !read) return read.error();
  if (seconds < 1 || seconds > TokenStore::kLongestLife)
    return Error{"token: expected a life of a second to 7 days"};
  const config::Config& config = host_.config();
  if (!has_authority()) {
    return Error{config.control.authority.empty()
                     ? "the config names no folder of an authority: [control] authority"
                     : "this host has no authority: ask an L4 host that has " +
                           SiteAuthority::file_of(config.control.authority) +
                           ", or gatehouse authority init"};
  }
  const auto authority = SiteAuthority::open(config.control.authority);
  if (!authority) return authority.error();
  if (!name.empty()) {
    if (const Status known = check_name(role, name); !known) return known.error();
  }
  const auto self = std::find_if(config.l4_hosts.begin(), config.l4_hosts.end(),
                                 [&](const auto& each) { return each.name == host_.name; });
  if (self == config.l4_hosts.end() || !self->control)
    return Error{"this L4 host has no control address: nobody can join here"};
  const auto secret = tokens().create(role, name, seconds);
  if (!secret) return secret.error();
  report_event("identity", name.empty() ? "any " + std::string(to_string(role)) : name, "may join",
               "an operator made a token");
  const JoinToken token{role, name, host_.name, *self->control, *secret, authority->pin()};
  return Json{{"token", to_string(token)}, {"seconds", seconds}};
}

Result<Issued> JoinDesk::issue(const std::string& request, Role role, const std::string& name) const {
  const config::Control& control = host_.config().control;
  const auto authority = SiteAuthority::open(control.authority);
  if (!authority) return authority.error();
  return authority->issue(request, name, role,
                          std::chrono::duration_cast<std::chrono::seconds>(control.identity_life));
}

Result<Json> JoinDesk::join(const std::string& peer, const Json& params) {
  const std::string source = source_of(peer);
  if (!may_ask(source)) return Error{"refused too often: wait " + std::to_string(kSecondsPerRefusal) + " s"};
  std::string who;
  auto answer = take(peer, params, who);
  if (answer) {
    sources_.erase(source);
    log_info("{} joins the site from {}", who, peer);
    report_event("identity", who, "has joined", "with a token, from " + source);
    return answer;
  }
  note_refusal(source);
  log_warn("{}: join refused: {}", peer, answer.error().message);
  report_event("identity", source, "may not join", answer.error().message);
  return answer;
}

Result<Json> JoinDesk::take(const std::string& peer, const Json& params, std::string& who) {
  Request wanted;
  control::FieldReader reader(params, "join");
  reader.number("protocol", wanted.protocol);
  reader.text("secret", wanted.secret);
  reader.text("name", wanted.name);
  reader.text("request", wanted.request);
  reader.number("time", wanted.time);
  if (const Status read = reader.finish(); !read) return read.error();
  const auto grant = tokens().find(wanted.secret);
  if (!grant) return grant.error();
  if (const Status understood = control::check_protocol(wanted.protocol); !understood)
    return understood.error();
  if (!grant->name.empty() && grant->name != wanted.name)
    return Error{"the token is for \"" + grant->name + "\", not for \"" + wanted.name + "\""};
  if (const Status known = check_name(grant->role, wanted.name); !known) return known.error();
  if (host_.is_there(grant->role, wanted.name)) {
    return Error{"\"" + wanted.name +
                 "\" is there, with a link to this host: two hosts cannot be one; stop that one first"};
  }
  const std::int64_t now = clock_();
  const std::int64_t behind = wanted.time < now ? now - std::max<std::int64_t>(wanted.time, 0) : 0,
                     ahead = wanted.time > now ? wanted.time - now : 0;
  if (behind > kLargestSkew || ahead > kLargestSkew) {
    return Error{"the clock of the host that joins is " + std::to_string(behind + ahead) + " s " +
                 (behind ? "behind" : "ahead of") + " that of this one: set it first"};
  }
  const auto issued = issue(wanted.request, grant->role, wanted.name);
  if (!issued) return issued.error();
  // From here on the token is of no use to anybody else, whatever becomes of the answer.
  if (const Status spent = tokens().spend(*grant, "\"" + wanted.name + "\" from " + source_of(peer)); !spent)
    return spent.error();
  who = std::string(to_string(grant->role)) + " " + wanted.name;
  return Json{{"chain", issued->chain},
              {"ca", issued->ca},
              {"config", host_.config().text},
              {"version", host_.version()}};
}

Result<Json> JoinDesk::renew(Role role, const std::string& name, const Json& params) {
  if (!has_authority()) return Error{"this host has no authority"};
  if (const Status known = check_name(role, name); !known) return known.error();
  std::string request;
  control::FieldReader reader(params, "renew");
  reader.text("request", request);
  if (const Status read = reader.finish(); !read) return read.error();
  const auto issued = issue(request, role, name);
  if (!issued) {
    log_warn("{}: its certificate is not renewed: {}", name, issued.error().message);
    return issued.error();
  }
  log_info("the certificate of {} is renewed", name);
  return Json{{"chain", issued->chain}, {"ca", issued->ca}};
}

bool JoinDesk::may_ask(const std::string& source) {
  const auto found = sources_.find(source);
  if (found == sources_.end()) return true;
  const std::int64_t forgiven = (clock_() - found->second.since) / kSecondsPerRefusal;
  return found->second.refusals - forgiven < kRefusals;
}

void JoinDesk::note_refusal(const std::string& source) {
  const std::int64_t now = clock_();
  std::erase_if(sources_, [now](const auto& each) {
    return (now - each.second.since) / kSecondsPerRefusal >= each.second.refusals;
  });
  if (sources_.size() >= kMostSources) sources_.erase(sources_.begin());
  Source& of = sources_[source];
  const std::int64_t forgiven = of.refusals ? (now - of.since) / kSecondsPerRefusal : 0;
  of = {of.refusals - static_cast<int>(forgiven) + 1,
        of.refusals ? of.since + forgiven * kSecondsPerRefusal : now};
}

}  // namespace gatehouse::identity
