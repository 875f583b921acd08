// fork and exec for the rehearsal, whose words come by a pipe; exec alone for the real thing.
#include "common/successor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>

#include "common/events.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/units.h"

namespace gatehouse {
namespace {

constexpr Duration kRehearsalTime{30'000};
constexpr Duration kFarewell{50};  // for the answer to leave
constexpr std::size_t kMostWords = 16 * 1024;
constexpr int kFirst = 3;  // sd_listen_fds(3)
constexpr int kAside = 512;

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

struct Successor::Rehearsal {
  Successor& owner;
  std::function<void(Status)> on_done;
  pid_t pid = 0;
  Fd process;
  Fd words;
  Watch watch;
  Timer limit;

  void on_exit(std::uint32_t) {
    int status = 0;
    waitpid(pid, &status, 0);
    std::string said(kMostWords, '\0');
    const ssize_t length = read(words.get(), said.data(), said.size());
    said.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    while (said.ends_with('\n')) said.pop_back();
    if (said.empty())
      said = WIFSIGNALED(status) ? "it was ended by signal " + std::to_string(WTERMSIG(status))
                                 : "it ended without a word";
    const bool is_good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    const auto done = std::move(on_done);
    const std::string program = owner.program_;
    owner.rehearsal_.reset();
    done(is_good ? Status() : Status(Error{program + " would not start:\n" + said}));
  }
  void on_limit() { syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0); }
};

Successor::Successor(int argc, char** argv)
    : began_ms_(unix_milliseconds()),
      arguments_(argv, argv + argc) {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  program_ = length > 0 ? std::string(path, static_cast<std::size_t>(length)) : arguments_[0];
}
Successor::~Successor() = default;

void Successor::rehearse(EventLoop& loop, std::function<void(Status)> on_done) {
  if (rehearsal_) return on_done(Error{"an upgrade has begun already"});
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return on_done(system_error("cannot make a pipe"));
  Fd words(ends[0]);
  const Fd output(ends[1]);
  std::vector<std::string> arguments = arguments_;
  arguments.push_back("--rehearse");
  const std::vector<char*> argv = pointers_to(arguments);
  const pid_t pid = fork();
  if (pid < 0) return on_done(system_error("cannot start " + program_));
  if (pid == 0) {
    dup2(output.get(), STDERR_FILENO);
    execv(program_.c_str(), argv.data());
    dprintf(STDERR_FILENO, "%s\n", std::strerror(errno));
    _exit(127);
  }
  rehearsal_.reset(new Rehearsal{*this, std::move(on_done), pid});
  rehearsal_->process = Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  rehearsal_->words = std::move(words);
  rehearsal_->watch.start<&Rehearsal::on_exit>(loop, rehearsal_->process.get(), EPOLLIN, rehearsal_.get());
  rehearsal_->limit.arm<&Rehearsal::on_limit>(loop, kRehearsalTime, rehearsal_.get());
}

void Successor::upgrade(EventLoop& loop, std::function<Kept()> kept,
                        std::function<void(Status)> on_rehearsed) {
  if (farewell_.is_armed()) return on_rehearsed(Error{"an upgrade has begun already"});
  rehearse(loop, [this, &loop, kept = std::move(kept), on_rehearsed = std::move(on_rehearsed)](Status good) {
    if (good) {
      kept_ = kept;
      farewell_.arm<&Successor::become>(loop, kFarewell, this);
    }
    on_rehearsed(std::move(good));
  });
}

void Successor::become() {
  const Kept kept = kept_();
  std::string names;
  std::vector<int> aside;  // none may be overwritten before it is moved
  for (const auto& [name, fd] : kept) {
    names += (names.empty() ? "" : ":") + name;
    aside.push_back(fcntl(fd, F_DUPFD_CLOEXEC, kAside));
  }
  for (std::size_t i = 0; i < aside.size(); ++i) dup2(aside[i], kFirst + static_cast<int>(i));
  if (!kept.empty()) {
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    setenv("LISTEN_FDS", std::to_string(kept.size()).c_str(), 1);
    setenv("LISTEN_FDNAMES", names.c_str(), 1);
  }
  log_info("becoming {}", program_);
  report_event("daemon", program_, "takes this process over", "an operator wants an upgrade");
  execv(program_.c_str(), pointers_to(arguments_).data());
  log_error("cannot become {}: {}", program_, std::strerror(errno));
  _exit(1);
}

}  // namespace gatehouse
