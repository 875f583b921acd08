// The doctor's checks of what the config names: files, users, ports; and of what an earlier daemon has left.
#include <pwd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "common/certificate.h"
#include "common/cli/doctor.h"
#include "common/config/check_certificates.h"
#include "common/config/check_discovery.h"
#include "common/config/check_files.h"
#include "common/config/check_prefix_lists.h"
#include "common/control/channel.h"
#include "common/fd.h"
#include "common/identity/identity_files.h"
#include "common/identity/site_authority.h"

namespace gatehouse::cli {
namespace {

void check_certificates(const Patient& patient, Findings& findings) {
  if (!patient.has_workers()) return;
  for (const config::Finding& finding : config::check_certificates(patient.loaded)) {
    findings.fault(finding.text, "a changed file is taken up without a reload; gatehouse check looks again");
  }
}

// Who this host is to the others of its site.
void check_control(const Patient& patient, Findings& findings) {
  const config::Control& control = patient.loaded.config.control;
  const char* cure = "gatehouse join TOKEN, or a certificate of the site's authority for this host, with its key";
  if (const auto identity = control::load_tls_identity(control); !identity) {
    return findings.fault(identity.error().message, cure);
  }
  const std::string name = patient.l4_host ? patient.l4_host->name : patient.node ? patient.node->name : "";
  for (const std::string& problem : identity::identity_problems(control, name)) findings.fault(problem, cure);
  if (!patient.l4_host || !identity::SiteAuthority::is_there(control.authority)) return;
  if (const auto authority = identity::SiteAuthority::open(control.authority); !authority) {
    findings.fault(authority.error().message, "the copy of the folder that you keep");
  } else if (days_left(authority->expiry()) < 90) {
    findings.fault("the site's authority ends in " + std::to_string(days_left(authority->expiry())) + " days", "gatehouse authority rotate");
  }
}

void check_prefixes(const Patient& patient, Findings& findings) {
  if (!patient.l4_host) return;
  for (const config::Finding& finding : config::check_prefix_lists(patient.loaded.config)) {
    findings.fault(finding.text, "gatehouse check FILE looks again");
  }
}

void check_backend_lists(const Patient& patient, Findings& findings) {
  if (!patient.has_workers()) return;
  for (const config::Finding& finding : config::check_discovery(patient.loaded.config)) {
    findings.fault(finding.text, "the program that writes it, or an empty list: the line \"none\"");
  }
}

void check_files(const Patient& patient, Findings& findings) {
  if (!patient.has_workers()) return;
  for (const config::Finding& finding : config::check_files(patient.loaded)) {
    findings.fault(finding.text, "a changed file is taken up without a reload; gatehouse check looks again");
  }
}

void check_user(const Patient& patient, Findings& findings) {
  if (!patient.has_workers()) return;
  const std::string& user = patient.loaded.config.workers.user;
  const passwd* entry = getpwnam(user.c_str());
  if (!entry)
    return findings.fault("there is no user \"" + user + "\", whom workers are to be",
                          "adduser --system " + user + ", or workers.user");
  if (entry->pw_uid == 0)
    findings.fault("workers are to be root", "workers.user = \"nobody\", or a user of its own");
}

// Whether a listener could have it; a daemon that runs has it already.
void check_port(const Endpoint& endpoint, const std::string& what, Findings& findings) {
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr(endpoint, storage);
  const Fd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0 &&
      listen(socket.get(), 1) == 0)
    return;
  const bool is_taken = errno == EADDRINUSE;
  findings.fault(what + " cannot have " + to_string(endpoint) + ": " + std::strerror(errno),
                 is_taken ? "ss -ltnp 'sport = :" + std::to_string(endpoint.port) + "' says who has it"
                          : "ip address add it, or another address in the config");
}

void check_ports(const Patient& patient, Findings& findings) {
  if (patient.daemon != 0) return;
  if (patient.l4_host) {
    if (patient.l4_host->control)
      check_port(*patient.l4_host->control, "the control socket of nodes", findings);
    return;
  }
  for (const config::Listener& listener : patient.loaded.config.listeners) {
    for (const Endpoint& endpoint : listener.addresses)
      check_port(endpoint, "[[listener]] \"" + listener.name + "\"", findings);
  }
}

void check_pins(const Patient& patient, Findings& findings) {
  std::error_code error;
  if (patient.daemon != 0 || !std::filesystem::exists(patient.pin_folder, error)) return;
  if (std::filesystem::is_empty(patient.pin_folder, error) || error) return;
  const std::string program = patient.l4_host ? "gatehouse-l4" : "gatehouse-l7";
  findings.fault(patient.pin_folder + " has programs of a " + program +
                     " that runs no more: they go on with what it knew",
                 "start " + program + ", or take them off: " + program + " --detach");
}

}  // namespace

std::vector<Check> site_checks() {
  return {{"certificates", check_certificates},
          {"control", check_control},
          {"prefix-lists", check_prefixes},
          {"backend-lists", check_backend_lists},
          {"files", check_files},
          {"user", check_user},
          {"ports", check_ports},
          {"pins", check_pins}};
}

}  // namespace gatehouse::cli
