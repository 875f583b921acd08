// Who this host is to the others, and who may become one of them.
#include "l4/control_server.h"

namespace gatehouse::l4 {

using control::Json;
using identity::Role;

identity::JoinDesk::Host ControlServer::desk_host() {
  identity::JoinDesk::Host host;
  host.name = options_.host;
  host.config = [this]() -> const config::Config& { return director_.config(); };
  host.version = [this] { return versions_.state().committed.number; };
  host.is_there = [this](Role role, const std::string& name) {
    return role == Role::kNode ? relay_.link_of(name) != nullptr : name == options_.host || hosts_.contains(name);
  };
  return host;
}

control::Strangers ControlServer::strangers() {
  return {
      [this] { return desk_.is_open(); },
      [this](control::Channel& channel, std::string_view method, const Json& params, control::Reply reply) {
        if (method != "join")
          return channel.close("a host without a certificate may join, not \"" + std::string(method) + "\"");
        reply(desk_.join(channel.peer(), params));
      }};
}

// Of a host that has said hello: its name and what it is have been looked at.
void ControlServer::on_renew(control::Channel& channel, const Json& params, control::Reply reply) {
  const std::string& name = channel.peer_name();
  const auto other = hosts_.find(name);
  if (other != hosts_.end() && other->second == &channel)
    return reply(desk_.renew(Role::kL4Host, name, params));
  if (relay_.link_of(name) == &channel) return reply(desk_.renew(Role::kNode, name, params));
  reply(Error{"hello comes first"});
}

// Hosts whose certificates are of an earlier authority have them renewed.
void ControlServer::tell_authority() {
  const std::string pin = desk_.pin();
  if (pin.empty() || !identity_.identity() || std::exchange(told_authority_, pin) == pin) return;
  identity_.hear_authority({{"pin", pin}});
  for (const auto& [id, channel] : connected_) tell_authority(*channel);
  for (const auto& [name, channel] : hosts_) tell_authority(*channel);
}

void ControlServer::tell_authority(control::Channel& channel) const {
  if (!told_authority_.empty()) channel.notify("authority", {{"pin", told_authority_}});
}

void ControlServer::ask_for_certificate(const std::string& request, control::Reply reply) {
  const Json params = {{"request", request}};
  if (desk_.has_authority()) return reply(desk_.renew(Role::kL4Host, options_.host, params));
  links_.ask_any("renew", params, std::move(reply));
}

}  // namespace gatehouse::l4
