// gatehouse-l7: the supervisor of a node, or (by --worker, from the supervisor only) one of its workers.
#include <cstdio>
#include <cstdlib>

#include "common/daemon.h"
#include "common/log.h"
#include "l7/supervisor/supervisor.h"
#include "l7/worker_main.h"

namespace {

using namespace gatehouse;

constexpr const char* kUsage =
    "usage: gatehouse-l7 --config FILE [--node NAME] [--state-dir DIR] [--bpf-dir DIR] [--detach]\n"
    "  --config FILE    the site's config\n"
    "  --node NAME      which [[node]] this host is; without it: no L4 tier, only listeners with addresses\n"
    "  --state-dir DIR  sockets and shared memory (/run/gatehouse-l7)\n"
    "  --bpf-dir DIR    where BPF programs are pinned (/sys/fs/bpf/gatehouse-l7)\n"
    "  --detach         take the BPF programs off this host and end\n";

int supervise(const std::map<std::string, std::string>& flags) {
  const auto value = [&flags](const char* name, const char* otherwise) {
    const auto found = flags.find(name);
    return found == flags.end() ? std::string(otherwise) : found->second;
  };
  const l7::Supervisor::Options options{value("config", ""), value("node", ""), value("state-dir", "/run/gatehouse-l7"),
                                        value("bpf-dir", "/sys/fs/bpf/gatehouse-l7")};
  if (flags.contains("detach")) {
    l7::Steering::detach(options.pin_folder);
    return 0;
  }
  if (options.config_file.empty()) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  start_log("l7");
  raise_descriptor_limit();  // workers inherit it
  EventLoop loop;
  l7::Supervisor supervisor(loop, options);
  DaemonSignals signals(loop, [&] { supervisor.stop([&] { loop.stop(); }); }, [&] { supervisor.reload_by_signal(); },
                        [&] { supervisor.reopen_access_log(); });
  if (const Status started = supervisor.start(); !started) {
    std::fprintf(stderr, "gatehouse-l7: cannot start:\n%s\n", started.error().message.c_str());
    return 1;
  }
  loop.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto flags = parse_daemon_flags(argc, argv, {"config", "node", "state-dir", "bpf-dir", "worker", "user"}, {"detach", "help"});
  if (!flags) {
    std::fprintf(stderr, "gatehouse-l7: %s\n", flags.error().message.c_str());
    return 2;
  }
  if (flags->contains("help")) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  const auto worker = flags->find("worker");
  if (worker == flags->end()) return supervise(*flags);
  const auto text = [&flags](const char* name) { return flags->contains(name) ? flags->at(name) : std::string(); };
  return l7::worker_main({static_cast<std::uint32_t>(std::atoi(worker->second.c_str())), text("state-dir"), text("user"), text("node")});
}
