// Everything is checked before the first file is written.
#include "common/cli/join_command.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "common/certificate.h"
#include "common/cli/talk.h"
#include "common/config/load.h"
#include "common/control/messages.h"
#include "common/files.h"
#include "common/identity/certificate_request.h"
#include "common/identity/identity_files.h"
#include "common/identity/joiner.h"
#include "common/identity/site_authority.h"

namespace gatehouse::cli {
namespace {

using identity::Role;

constexpr const char* kSiteFile = "/etc/gatehouse/site.toml";

std::string last(const Invocation& invocation, std::string_view flag, const std::string& otherwise = "") {
  const auto values = invocation.values(flag);
  return values.empty() ? otherwise : values.back();
}

const char* daemon_of(Role role) { return role == Role::kNode ? "gatehouse-l7" : "gatehouse-l4"; }

Result<identity::JoinToken> read_token(const Invocation& invocation) {
  std::string text = invocation.arguments[0];
  if (text == "-") std::getline(std::cin, text);
  auto token = identity::parse_join_token(text);
  if (!token) return token;
  if (invocation.has("--address")) {
    const auto address = Endpoint::parse(last(invocation, "--address"));
    if (!address || address->port == 0)
      return Error{"--address: expected an address with a port such as 192.0.2.11:6082"};
    token->address = *address;
  }
  const std::string name = last(invocation, "--name", token->name);
  if (name.empty())
    return Error{"the token is good for any " + std::string(identity::to_string(token->role)) +
                 " of the config: say with --name which this host is"};
  if (!token->name.empty() && name != token->name)
    return Error{"the token is for \"" + token->name + "\", not for \"" + name + "\""};
  token->name = name;
  return token;
}

bool has_host(const config::Config& config, const identity::JoinToken& token) {
  if (token.role == Role::kNode) {
    return std::any_of(config.nodes.begin(), config.nodes.end(),
                       [&](const auto& node) { return node.name == token.name; });
  }
  return std::any_of(config.l4_hosts.begin(), config.l4_hosts.end(),
                     [&](const auto& host) { return host.name == token.name; });
}

// An earlier file is kept beside: somebody has written it.
Status write_config(const std::string& file, const std::string& text) {
  const auto before = read_file_if_any(file);
  if (!before) return before.error();
  if (*before && **before != text) {
    if (const Status kept = replace_file(file + ".before-join", **before); !kept) return kept;
  }
  return replace_file(file, text);
}

// Which host of the config this one is, as the unit of the daemon reads it. No such file: the daemon is
// started otherwise.
Status write_name(const std::string& file, Role role, const std::string& name) {
  const auto text = read_file_if_any(file);
  if (!text || !*text) return text ? Status() : text.error();
  const std::string variable = role == Role::kNode ? "GATEHOUSE_NODE=" : "GATEHOUSE_HOST=";
  std::string changed;
  std::size_t at = 0;
  bool is_there = false;
  while (at < (*text)->size()) {
    const std::size_t end = std::min((*text)->find('\n', at), (*text)->size());
    std::string line = (*text)->substr(at, end - at);
    if (line.starts_with(variable)) line = variable + name, is_there = true;
    changed += line + "\n";
    at = end + 1;
  }
  if (!is_there) changed += variable + name + "\n";
  return replace_file(file, changed);
}

Status install(const Invocation& invocation, const identity::JoinToken& token,
               const identity::JoinAnswer& answer, const std::string& key) {
  const std::string file = last(invocation, "--config", kSiteFile);
  const config::Loaded loaded = config::load_text(answer.config, file);
  if (!loaded.is_valid())
    return Error{"the site's config is not good for this version of Gatehouse:\n" + loaded.errors()};
  if (!has_host(loaded.config, token)) return Error{"the site's config does not have \"" + token.name + "\""};
  const config::Control& control = loaded.config.control;
  if (control.certificate.empty() || control.ca.empty())
    return Error{"the site's config does not say where certificates are ([control])"};
  if (const Status good = identity::check_identity(answer.chain, answer.ca, key); !good) return good;
  if (const Status written = identity::write_identity(control, answer.chain, answer.ca, key); !written)
    return written;
  if (const Status written = write_config(file, answer.config); !written) return written;
  return write_name(last(invocation, "--defaults", std::string("/etc/default/") + daemon_of(token.role)),
                    token.role, token.name);
}

Status may_write(const std::string& file) {
  const auto folder = std::filesystem::path(file).parent_path();
  if (access(folder.empty() ? "." : folder.c_str(), W_OK) == 0) return {};
  return system_error("cannot write " + file);
}

int make_token(const Invocation& invocation) {
  const auto role = identity::parse_role(last(invocation, "--role", "node"));
  if (!role) return complain("--role: expected node or l4", 2);
  const auto life = parse_duration(last(invocation, "--ttl", "10m"));
  if (!life || *life < Duration(1'000))
    return complain("--ttl: expected a time of a second or more, such as 10m", 2);
  const Result<nlohmann::json> answer = ask(invocation, "token",
                                            {{"role", identity::to_string(*role)},
                                             {"name", last(invocation, "--name")},
                                             {"seconds", life->count() / 1'000}});
  if (!answer) return complain(answer.error().message);
  print(answer->value("token", "") + "\n");
  std::fprintf(stderr, "good for one join within %s: gatehouse join TOKEN on the new host\n",
               to_string(*life).c_str());
  return 0;
}

// The authority, and the identity of the L4 host that has it.
Status begin_site(const config::Config& config, const std::string& host) {
  const config::Control& control = config.control;
  if (std::none_of(config.l4_hosts.begin(), config.l4_hosts.end(),
                   [&](const auto& each) { return each.name == host; })) {
    return Error{config.file + ": there is no [[l4_host]] \"" + host +
                 "\": say with --host which this one is"};
  }
  for (const std::string* file : {&control.certificate, &control.ca}) {
    if (file->empty())
      return Error{config.file + ": [control] needs certificate and ca: where this host's own are to be"};
    if (access(file->c_str(), F_OK) == 0)
      return Error{*file + " is there already: this host has an identity"};
  }
  if (const Status made = identity::SiteAuthority::create(control.authority, config.site.name); !made)
    return made;
  const auto authority = identity::SiteAuthority::open(control.authority);
  if (!authority) return authority.error();
  const PrivateKeyPtr key = identity::make_key();
  const auto life = std::chrono::duration_cast<std::chrono::seconds>(control.identity_life);
  const auto issued = authority->issue(identity::make_request(key.get(), host), host, Role::kL4Host, life);
  if (!issued) return issued.error();
  return identity::write_identity(control, issued->chain, issued->ca, identity::key_to_pem(key.get()));
}

int show_authority(const std::string& folder) {
  const auto authority = identity::SiteAuthority::open(folder);
  if (!authority) return complain(authority.error().message);
  print("authority  " + identity::SiteAuthority::file_of(folder) + "\npin        " + authority->pin() +
        "\ngood for   " + std::to_string(days_left(authority->expiry())) + " days\n" +
        (authority->is_taking_over()
             ? "takes over from an earlier one, which is trusted until gatehouse authority finish\n"
             : ""));
  return 0;
}

}  // namespace

int join(const Invocation& invocation) {
  const auto token = read_token(invocation);
  if (!token) return complain(token.error().message, 2);
  const std::string file = last(invocation, "--config", kSiteFile);
  // The token is spent by asking: what can be known before is.
  if (const Status may = may_write(file); !may)
    return complain(may.error().message + "; nothing has changed");
  const PrivateKeyPtr key = identity::make_key();
  const auto answer =
      identity::ask_to_join(*token, token->name, identity::make_request(key.get(), token->name), kPatience);
  if (!answer) return complain(answer.error().message + "; nothing has changed");
  if (const Status installed = install(invocation, *token, *answer, identity::key_to_pem(key.get()));
      !installed) {
    return complain(installed.error().message + "\nthis host has not joined, and the token is spent");
  }
  const std::string daemon = daemon_of(token->role), flag = token->role == Role::kNode ? "--node" : "--host";
  print(token->name + " is of the site: " + file + " has its config" +
        (answer->version ? ", version " + std::to_string(answer->version) : std::string()) +
        "\nNext: bring the keys and certificates that the config names, then\n  gatehouse doctor " + flag +
        " " + token->name + "\n  systemctl enable --now " + daemon + "\n");
  return 0;
}

int token(const Invocation& invocation) {
  if (invocation.arguments[0] == "create") return make_token(invocation);
  return complain("token: expected create, not \"" + invocation.arguments[0] + "\"", 2);
}

int site_authority(const Invocation& invocation) {
  const config::Loaded loaded = config::load_file(last(invocation, "--config", kSiteFile));
  if (!loaded.is_valid()) return complain(loaded.errors());
  const std::string& folder = loaded.config.control.authority;
  const std::string& action = invocation.arguments[0];
  if (folder.empty())
    return complain(loaded.config.file +
                    ": [control] authority does not say where the site's authority is to be");
  if (action == "show") return show_authority(folder);
  Status done = Error{"authority: expected init, show, rotate or finish, not \"" + action + "\""};
  if (action == "init") {
    const auto& hosts = loaded.config.l4_hosts;
    done = begin_site(loaded.config, last(invocation, "--host", hosts.size() == 1 ? hosts[0].name : ""));
  }
  if (action == "rotate") done = identity::SiteAuthority::rotate(folder, loaded.config.site.name);
  if (action == "finish") done = identity::SiteAuthority::finish(folder);
  return done ? show_authority(folder) : complain(done.error().message);
}

}  // namespace gatehouse::cli
