// gatehouse-lab: a lab for people and scripts. It stays until `down`.
#include <signal.h>

#include <cstdio>
#include <cstring>
#include <filesystem>

#include "tests/lab/lab.h"

namespace gatehouse::lab {

namespace {

constexpr const char* kUsage =
    "gatehouse-lab up NAME [TOPOLOGY]              raise a lab; it stays until `down`\n"
    "gatehouse-lab down NAME                       end its processes, remove all of it\n"
    "gatehouse-lab exec NAME HOST COMMAND...       run a command on a host\n"
    "gatehouse-lab start NAME HOST PROCESS COMMAND...  start a process there, log in its folder\n"
    "gatehouse-lab kill NAME PROCESS|HOST          SIGKILL a process, or all on a host\n"
    "gatehouse-lab status [NAME]                   hosts, addresses, processes\n"
    "The folder of a lab is /run/gatehouse-lab/NAME.\n";

int complain(const Error& error) {
  std::fprintf(stderr, "gatehouse-lab: %s\n", error.message.c_str());
  return 1;
}

int usage() {
  std::fputs(kUsage, stderr);
  return 2;
}

int up(const std::string& name, const std::string& file) {
  auto topology = load_topology(file);
  if (!topology) return complain(topology.error());
  auto lab = Lab::up(std::move(*topology), name, Lifetime::kKept);
  return lab ? 0 : complain(lab.error());
}

int print_status(const std::string& name) {
  auto lab = Lab::attach(name);
  if (!lab) return complain(lab.error());
  std::printf("lab %s in %s\n", name.c_str(), (*lab)->folder().c_str());
  for (const Host& host : (*lab)->topology().hosts) {
    std::printf("  %-8s %-8s", host.name.c_str(), std::string(to_string(host.role)).c_str());
    for (const LinkAddress& address : host.addresses) std::printf(" %s", to_string(address.address).c_str());
    std::printf("\n");
  }
  for (const std::string& process : (*lab)->processes()) {
    const auto id = (*lab)->find(process);
    std::printf("  process %-8s %s\n", process.c_str(), id ? std::to_string(id->pid).c_str() : "gone");
  }
  return 0;
}

int list() {
  for (const std::string& name : list_labs()) std::printf("%s\n", name.c_str());
  return 0;
}

int kill(Lab& lab, const std::string& target) {
  if (lab.topology().find(target)) {
    lab.kill_all(target);
    return 0;
  }
  const Status status = lab.kill(target);
  return status ? 0 : complain(status.error());
}

int dispatch(const Arguments& arguments) {
  const std::size_t count = arguments.size();
  const std::string command = count > 0 ? arguments[0] : "";
  if (command == "status") return count > 1 ? print_status(arguments[1]) : list();
  if (count < 2) return usage();
  const std::string& name = arguments[1];
  if (command == "up")
    return up(name, count > 2 ? arguments[2] : GATEHOUSE_SOURCE_DIR "/tests/lab/site.toml");
  if (command == "down") return remove_lab(name) ? 0 : complain(Error{"there is no lab " + name});
  auto lab = Lab::attach(name);
  if (!lab) return complain(lab.error());
  if (command == "exec" && count > 3) {
    return complain(become((*lab)->net(arguments[2]), Arguments(arguments.begin() + 3, arguments.end())));
  }
  if (command == "start" && count > 4) {
    const Arguments argv(arguments.begin() + 4, arguments.end());
    const Status status = (*lab)->start(arguments[2], arguments[3], argv);
    return status ? 0 : complain(status.error());
  }
  if (command == "kill" && count == 3) return kill(**lab, arguments[2]);
  return usage();
}

}  // namespace

}  // namespace gatehouse::lab

int main(int argc, char** argv) {
  return gatehouse::lab::dispatch(gatehouse::lab::Arguments(argv + 1, argv + argc));
}
