// One connection, one question.
#include "common/identity/joiner.h"

#include <ctime>
#include <optional>

#include "common/control/channel.h"
#include "common/control/field_reader.h"
#include "common/control/messages.h"

namespace gatehouse::identity {
namespace {

using control::Json;

Result<JoinAnswer> answer_from_json(const Json& json) {
  JoinAnswer answer;
  control::FieldReader reader(json, "joined");
  reader.text("chain", answer.chain);
  reader.text("ca", answer.ca);
  reader.text("config", answer.config);
  reader.number("version", answer.version);
  return reader.finish(std::move(answer));
}

// What OpenSSL says, in the words of who joins.
std::string explain(const std::string& reason, const std::string& place) {
  const auto has = [&reason](const char* part) { return reason.find(part) != reason.npos; };
  if (has("application verification failure"))
    return place +
           " does not show the authority that the token names: it is another site's, or somebody is in "
           "between";
  if (has("not yet valid") || has("has expired")) {
    char now[32] = "";
    const std::time_t time = std::time(nullptr);
    std::tm parts{};
    if (gmtime_r(&time, &parts)) std::strftime(now, sizeof now, "%Y-%m-%d %H:%M:%S UTC", &parts);
    return place + ": " + reason + "; is the clock of this host right? It says " + now;
  }
  if (has("certificate required") || has("did not return a certificate")) {
    return place + " lets nobody join now: the token has been over for long, or was made on another L4 host";
  }
  return place + ": " + reason;
}

}  // namespace

Result<JoinAnswer> ask_to_join(const JoinToken& token, const std::string& name, const std::string& request,
                               Duration patience) {
  EventLoop loop;
  std::optional<Result<Json>> answer;
  std::string lost;
  const std::string place = token.host + " at " + gatehouse::to_string(token.address);
  control::Handlers handlers;
  handlers.on_open = [&](control::Channel& channel) {
    if (channel.peer_name() != token.host)
      return channel.close("its certificate is that of \"" + channel.peer_name() + "\"");
    const Json params = {{"protocol", control::kProtocolVersion},
                         {"secret", token.secret},
                         {"name", name},
                         {"request", request},
                         {"time", static_cast<std::int64_t>(std::time(nullptr))}};
    channel.request("join", params, [&](Result<Json> reply) {
      if (lost.empty()) answer.emplace(std::move(reply));
    });
  };
  handlers.on_close = [&lost](control::Channel&, const std::string& reason) { lost = reason; };
  const auto channel = control::connect_tcp(loop, token.address, control::identity_of_stranger(token.pin),
                                            std::move(handlers));
  const auto deadline = EventLoop::Clock::now() + patience;
  while (!answer && lost.empty() && EventLoop::Clock::now() < deadline) loop.turn(Duration(100));
  // The end of the channel answers what was asked on it, too.
  loop.turn(Duration(0));
  if (!lost.empty()) return Error{explain(lost, place)};
  if (!answer) return Error{"no answer from " + place + " within " + gatehouse::to_string(patience)};
  if (!*answer) return Error{place + " refuses: " + answer->error().message};
  return answer_from_json(**answer);
}

}  // namespace gatehouse::identity
