// gatehouse-l4: attaches the front door, then keeps its tables right.
#include <algorithm>
#include <cstdio>

#include "common/config/findings.h"
#include "common/config/load.h"
#include "common/daemon.h"
#include "common/inherited.h"
#include "common/link_watch.h"
#include "common/log.h"
#include "common/service_manager.h"
#include "l4/announcer.h"
#include "l4/control_server.h"
#include "l4/data_plane.h"
#include "l4/director.h"
#include "l4/rosters.h"

namespace {

using namespace gatehouse;

constexpr const char* kUsage =
    "usage: gatehouse-l4 --config FILE --host NAME [--state-dir DIR] [--bpf-dir DIR] [--detach]\n"
    "  --config FILE    the site's config\n"
    "  --host NAME      which [[l4_host]] this host is\n"
    "  --state-dir DIR  control socket and membership log (/run/gatehouse-l4)\n"
    "  --bpf-dir DIR    where BPF programs and tables are pinned (/sys/fs/bpf/gatehouse-l4)\n"
    "  --detach         take the BPF programs off this host and end: forwarding stops\n";

struct Options {
  std::string config_file;
  std::string host;
  std::string state_folder;
  std::string pin_folder;
  bool is_detach = false;
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

Status run(const Options& options) {
  config::Loaded loaded = config::load_file(options.config_file);
  if (!loaded.is_valid()) return Error{loaded.errors()};
  const auto host = find_host(loaded.config, options.host);
  if (!host) return host.error();
  if (options.is_detach) {
    l4::remove_data_plane(*host, options.pin_folder);
    return {};
  }
  for (const config::Finding& finding : loaded.findings) log_warn("{}", finding.text);
  const auto lock = lock_state_folder(options.state_folder);
  if (!lock) return lock.error();

  auto inherited = take_inherited_descriptors();
  raise_descriptor_limit();  // a probe and a link for each node
  auto plane = l4::open_data_plane(*host, loaded.config, options.pin_folder);
  if (!plane) return plane.error();
  EventLoop loop;
  l4::Director director(loop, **plane, {*host, options.state_folder + "/membership.json", options.state_folder + "/drains.json"});
  ServiceManager manager(loop);
  l4::Announcer announcer(loop, director, {options.state_folder + "/host_drain", std::move(inherited)});
  l4::ControlServer server(loop, director, manager, {options.config_file, options.state_folder + "/control.sock", host->name});
  DaemonSignals signals(
      loop,
      [&] {
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
  manager.ready(server.summary());
  loop.run();
  log_info("ending; {}", (*plane)->outlives_process() ? "packets are forwarded on (--detach stops that)" : "forwarding stops");
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const auto flags = parse_daemon_flags(argc, argv, {"config", "host", "state-dir", "bpf-dir"}, {"detach", "help"});
  if (!flags) {
    std::fprintf(stderr, "gatehouse-l4: %s\n", flags.error().message.c_str());
    return 2;
  }
  const auto value = [&flags](const char* name, const char* otherwise) { return flags->contains(name) ? flags->at(name) : otherwise; };
  const bool is_complete = flags->contains("config") && !std::string_view(value("host", "")).empty();
  if (flags->contains("help") || !is_complete) {
    std::fputs(kUsage, flags->contains("help") ? stdout : stderr);
    return flags->contains("help") ? 0 : 2;
  }
  start_log("l4");
  const Status done = run({flags->at("config"), flags->at("host"), value("state-dir", "/run/gatehouse-l4"),
                           value("bpf-dir", "/sys/fs/bpf/gatehouse-l4"), flags->contains("detach")});
  if (done) return 0;
  std::fprintf(stderr, "gatehouse-l4: cannot start:\n%s\n", done.error().message.c_str());
  return 1;
}
