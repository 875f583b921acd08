// gatehouse-l4: attaches the front door, then keeps its tables right.
#include <algorithm>

#include "common/config/findings.h"
#include "common/config/load.h"
#include "common/daemon.h"
#include "common/daemon_flags.h"
#include "common/events.h"
#include "common/inherited.h"
#include "common/limits.h"
#include "common/link_watch.h"
#include "common/log.h"
#include "common/service_manager.h"
#include "common/successor.h"
#include "l4/announcer.h"
#include "l4/control_server.h"
#include "l4/data_plane.h"
#include "l4/director.h"
#include "l4/rosters.h"

namespace {

using namespace gatehouse;

constexpr DaemonFlag kFlags[] = {
    {"config", "FILE", "the site's config", true},
    {"host", "NAME", "which [[l4_host]] this host is", true},
    {"state-dir", "DIR", "control socket and membership log (/run/gatehouse-l4)"},
    {"versions-dir", "DIR", "versions of the config that outlive the host (/var/lib/gatehouse-l4, or versions in --state-dir)"},
    {"bpf-dir", "DIR", "where BPF programs and tables are pinned (/sys/fs/bpf/gatehouse-l4)"},
    {"detach", "", "take the BPF programs off this host and end: forwarding stops"},
    {"help", "", "this text"},
    {"manual", "", ""},
    {"rehearse", "", ""},
};
constexpr DaemonProgram kProgram = {
    "gatehouse-l4", "front door of a Gatehouse site",
    "Attaches an XDP program that spreads the connections of the site's VIPs over its nodes, and keeps its tables right. The program is "
    "pinned: packets are forwarded while the daemon is away, and the next start takes its tables over. Starts as root and keeps "
    "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON.",
    kFlags};

struct Options {
  std::string config_file;
  std::string host;
  std::string state_folder;
  std::string pin_folder;
  std::string versions_folder;
  bool is_detach = false;
  bool is_rehearsal = false;  // of a start: of the config, with all that it names
};

Result<config::L4Host> find_host(const config::Config& config, const std::string& name) {
  std::vector<std::string> names;
  for (const config::L4Host& host : config.l4_hosts) {
    if (host.name == name) return host;
    names.push_back(host.name);
  }
  return Error{config.file + ": there is no [[l4_host]] \"" + name + "\"" + config::suggest(name, names)};
}

// An interface that was taken away takes our programs with it; they follow it back.
void follow(l4::DataPlane& plane, const std::vector<std::string>& ours, const std::string& interface, bool is_there) {
  if (std::find(ours.begin(), ours.end(), interface) == ours.end()) return;
  if (!is_there) return log_warn("{} is gone: nothing is forwarded there until it is back", interface);
  const Status attached = plane.attach_again(interface);
  if (!attached) log_error("{}", attached.error().message);
}

// A probe and a link for each node, a check for each server, and what the daemon itself has.
std::size_t descriptors_for(const config::Config& config) {
  std::size_t servers = 0;
  for (const config::Service& service : config.services) servers += service.servers.size();
  return 256 + 2 * config.nodes.size() + servers;
}

Status rehearse(const config::Config& config) {
  std::uint64_t key[4];
  if (const Status read = l4::read_flow_key(config.site.secret_file, key); !read) return read;
  const auto identity = control::load_tls_identity(config.control);
  return identity ? Status() : identity.error();
}

Status run(const Options& options, Successor& successor) {
  auto versions = versions::HostVersions::open(options.versions_folder);
  if (!versions) return versions.error();
  const config::Loaded loaded = (*versions)->load(options.config_file);
  if (!loaded.is_valid()) return Error{loaded.errors()};
  const auto host = find_host(loaded.config, options.host);
  if (!host) return host.error();
  if (options.is_detach) {
    l4::remove_data_plane(*host, options.pin_folder);
    return {};
  }
  if (options.is_rehearsal) return rehearse(loaded.config);
  for (const config::Finding& finding : loaded.findings) log_warn("{}", finding.text);
  const auto lock = lock_state_folder(options.state_folder);
  if (!lock) return lock.error();

  auto inherited = take_inherited_descriptors();
  const std::string few = raise_descriptor_limit(descriptors_for(loaded.config), "probes and links of its nodes");
  if (!few.empty()) log_warn("{}", few);
  auto plane = l4::open_data_plane(*host, loaded.config, options.pin_folder);
  if (!plane) return plane.error();
  EventLoop loop;
  const auto events = EventLog::open(options.state_folder + "/events");
  use_event_log(events.get());
  l4::Director director(loop, **plane, {*host, options.state_folder + "/membership.json", options.state_folder + "/drains.json"});
  ServiceManager manager(loop);
  l4::Announcer announcer(loop, director, {options.state_folder + "/host_drain", std::move(inherited)});
  l4::ControlServer server(loop, director, manager, **versions, successor, {options.config_file, options.state_folder + "/control.sock", host->name});
  DaemonSignals signals(
      loop,
      [&] {
        report_event("daemon", "gatehouse-l4", "ends", "it was told to by a signal");
        manager.stopping(Duration(0));
        loop.stop();
      },
      [&server] {
        server.reload([](Result<control::Json> result) {
          if (!result) log_error("reload refused:\n{}", result.error().message);
        });
      });
  if (const Status started = director.start(loaded.config); !started) return started;
  if (const Status started = server.start(); !started) return started;
  if (const Status attached = (*plane)->attach(); !attached) return attached;
  server.serve(announcer);
  announcer.set_config(loaded.config);
  LinkWatch links(loop, [&](const std::string& interface, bool is_there) { follow(**plane, host->interfaces, interface, is_there); });
  if (const Status watched = links.start(); !watched) return watched;
  // Tables and programs; marks on probes, tc and XDP; the verifier's pointer arithmetic.
  if (const Status kept = keep_capabilities({"cap_bpf", "cap_net_admin", "cap_perfmon"}); !kept) return kept;
  for (const l4::Port& port : (*plane)->ports()) {
    log_info("forwarding on {} ({}{}){}", port.name, port.mode, port.mode == "DPDK" ? "" : " XDP", (*plane)->was_adopted() ? ", with the tables that were there" : "");
  }
  report_event("daemon", "gatehouse-l4", "serves", "version " GATEHOUSE_VERSION);
  manager.ready(server.summary());
  loop.run();
  log_info("ending; {}", (*plane)->outlives_process() ? "packets are forwarded on (--detach stops that)" : "forwarding stops");
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const DaemonCommand command(argc, argv, kProgram);
  if (command.exit_status()) return *command.exit_status();
  Successor successor(argc, argv);
  if (!command.has("config") || command.value("host").empty()) return command.misused();
  start_log("l4");
  const Status done = run({command.value("config"), command.value("host"), command.value("state-dir", "/run/gatehouse-l4"),
                           command.value("bpf-dir", "/sys/fs/bpf/gatehouse-l4"), command.versions_folder("/var/lib/gatehouse-l4"),
                           command.has("detach"), command.has("rehearse")},
                          successor);
  return done ? 0 : command.failed(done.error());
}
