#include "common/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/config/findings.h"

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
      std::vector<std::string> known = names;
      known.insert(known.end(), switches.begin(), switches.end());
      for (std::string& each : known) each.insert(0, "--");
      return Error{"unknown flag \"" + flag + "\"" + config::suggest(flag, known)};
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

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

Result<Fd> lock_state_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Error{"cannot make the state folder " + folder + ": " + error.message()};
  const std::string file = folder + "/lock";
  Fd fd(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.is_open()) return system_error("cannot open " + file);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
    const std::string pid = std::to_string(getpid()) + "\n";
    if (ftruncate(fd.get(), 0) != 0 || write(fd.get(), pid.data(), pid.size()) < 0) return system_error("cannot write " + file);
    return fd;
  }
  char holder[16] = {};
  const ssize_t length = read(fd.get(), holder, sizeof holder - 1);
  const std::string pid(holder, length > 0 ? static_cast<std::size_t>(length - 1) : 0);
  return Error{"the state folder " + folder + " is served by another process (pid " + pid + ")"};
}

DaemonSignals::DaemonSignals(EventLoop& loop, std::function<void()> on_end, std::function<void()> on_reload, std::function<void()> on_rotated)
    : on_end_(std::move(on_end)), on_reload_(std::move(on_reload)), on_rotated_(std::move(on_rotated)) {
  signal(SIGPIPE, SIG_IGN);
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&wanted, number);
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
  fd_ = Fd(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  GH_CHECK(fd_.is_open());
  watch_.start<&DaemonSignals::on_ready>(loop, fd_.get(), EPOLLIN, this);
}

void DaemonSignals::on_ready(std::uint32_t) {
  signalfd_siginfo info;
  while (read(fd_.get(), &info, sizeof info) == sizeof info) {
    info.ssi_signo == SIGHUP ? on_reload_() : info.ssi_signo == SIGUSR1 ? on_rotated_() : on_end_();
  }
}

}  // namespace gatehouse
