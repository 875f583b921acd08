#include "common/daemon.h"

#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>

namespace gatehouse {

Result<std::map<std::string, std::string>> parse_daemon_flags(int argc, char** argv, const std::vector<std::string>& names,
                                                              const std::vector<std::string>& switches) {
  std::map<std::string, std::string> flags;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const std::string name = flag.starts_with("--") ? flag.substr(2) : "";
    if (std::find(switches.begin(), switches.end(), name) != switches.end()) {
      flags[name] = "true";
    } else if (std::find(names.begin(), names.end(), name) == names.end()) {
      std::string known;
      for (const std::string& each : names) known += " --" + each + " VALUE";
      for (const std::string& each : switches) known += " --" + each;
      return Error{"unknown flag \"" + flag + "\"; known:" + known};
    } else if (i + 1 == argc) {
      return Error{flag + " needs a value"};
    } else {
      flags[name] = argv[++i];
    }
  }
  return flags;
}

Status keep_capabilities(const std::vector<std::string>& names) {
  std::string text = "=";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i ? "," : " ") + names[i];
  if (!names.empty()) text += "+ep";
  cap_t kept = cap_from_text(text.c_str());
  if (!kept) return system_error("capabilities \"" + text + "\"");
  const bool is_set = cap_set_proc(kept) == 0;
  cap_free(kept);
  if (!is_set) return system_error("this process lacks one of the capabilities \"" + text + "\"");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error("cannot set no_new_privs");
  return {};
}

DaemonSignals::DaemonSignals(EventLoop& loop, std::function<void()> on_end, std::function<void()> on_reload)
    : on_end_(std::move(on_end)), on_reload_(std::move(on_reload)) {
  signal(SIGPIPE, SIG_IGN);
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&wanted, number);
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
  fd_ = Fd(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  GH_CHECK(fd_.is_open());
  watch_.start<&DaemonSignals::on_ready>(loop, fd_.get(), EPOLLIN, this);
}

void DaemonSignals::on_ready(std::uint32_t) {
  signalfd_siginfo info;
  while (read(fd_.get(), &info, sizeof info) == sizeof info) info.ssi_signo == SIGHUP ? on_reload_() : on_end_();
}

}  // namespace gatehouse
