// gatehouse-l7: the supervisor of a node, or (by --worker, from the supervisor only) one of its workers.
#include <cstdlib>

#include "common/daemon.h"
#include "common/daemon_flags.h"
#include "common/events.h"
#include "common/log.h"
#include "l7/supervisor/supervisor.h"
#include "l7/worker_main.h"

namespace {

using namespace gatehouse;

constexpr DaemonFlag kFlags[] = {
    {"config", "FILE", "the site's config", true},
    {"node", "NAME", "which [[node]] this host is; without it: no L4 tier, only listeners with addresses"},
    {"state-dir", "DIR", "sockets and shared memory (/run/gatehouse-l7)"},
    {"versions-dir", "DIR", "versions of the config that outlive the host (/var/lib/gatehouse-l7, or versions in --state-dir)"},
    {"bpf-dir", "DIR", "where BPF programs are pinned (/sys/fs/bpf/gatehouse-l7)"},
    {"detach", "", "take the BPF programs off this host and end"},
    {"help", "", "this text"},
    {"manual", "", ""},
    {"rehearse", "", ""},
    {"worker", "INDEX", ""},
    {"user", "NAME", ""},
};
constexpr DaemonProgram kProgram = {
    "gatehouse-l7", "node of a Gatehouse site",
    "Supervises worker processes that terminate TLS, parse HTTP/1.1 and HTTP/2 and route requests to pools of backends. Workers are an "
    "unprivileged user; they serve on when the supervisor dies, and the next one takes them over. At SIGTERM they finish what is in "
    "flight first.",
    kFlags};

int supervise(const DaemonCommand& command, Successor& successor) {
  const l7::Supervisor::Options options{command.value("config"), command.value("node"), command.value("state-dir", "/run/gatehouse-l7"),
                                        command.value("bpf-dir", "/sys/fs/bpf/gatehouse-l7"), command.versions_folder("/var/lib/gatehouse-l7")};
  if (command.has("detach")) {
    l7::Steering::detach(options.pin_folder);
    return 0;
  }
  if (options.config_file.empty()) return command.misused();
  if (command.has("rehearse")) {
    const Status rehearsed = l7::Supervisor::rehearse(options);
    return rehearsed ? 0 : command.failed(rehearsed.error());
  }
  start_log("l7");
  EventLoop loop;
  const auto events = EventLog::open(options.state_folder + "/events");
  use_event_log(events.get());
  l7::Supervisor supervisor(loop, successor, options);
  DaemonSignals signals(loop, [&] {
    report_event("daemon", "gatehouse-l7", "ends", "it was told to by a signal");
    supervisor.stop([&] { loop.stop(); });
  }, [&] { supervisor.reload_by_signal(); },
                        [&] { supervisor.reopen_access_log(); });
  if (const Status started = supervisor.start(); !started) return command.failed(started.error());
  report_event("daemon", "gatehouse-l7", "serves", "version " GATEHOUSE_VERSION);
  loop.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const DaemonCommand command(argc, argv, kProgram);
  if (command.exit_status()) return *command.exit_status();
  Successor successor(argc, argv);
  if (!command.has("worker")) return supervise(command, successor);
  const auto index = static_cast<std::uint32_t>(std::atoi(command.value("worker").c_str()));
  return l7::worker_main({index, command.value("state-dir"), command.value("user"), command.value("node")});
}
