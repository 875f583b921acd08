#include "tests/lab/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <thread>

#include "common/fd.h"

namespace gatehouse::lab {

namespace {

// "pid (name) state ppid …": the name may hold anything, so fields are counted from the last parenthesis.
std::optional<std::uint64_t> start_time(pid_t pid) {
  std::ifstream stream("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(stream, line);  // which, unlike an iterator, survives a process that ends now: the read fails with ESRCH
  const std::size_t end_of_name = line.rfind(')');
  if (end_of_name == line.npos || end_of_name + 2 >= line.size()) return std::nullopt;
  if (line[end_of_name + 2] == 'Z' || line[end_of_name + 2] == 'X') return std::nullopt;
  const char* field = line.c_str() + end_of_name + 2;  // field 3
  for (int number = 3; number < 22 && field; ++number) {
    field = std::strchr(field, ' ');
    if (field) ++field;
  }
  return field ? std::optional(std::strtoull(field, nullptr, 10)) : std::nullopt;
}

bool enter(const std::string& net) {
  if (net.empty()) return true;
  Fd fd(::open(net.c_str(), O_RDONLY | O_CLOEXEC));
  return fd.is_open() && ::setns(fd.get(), CLONE_NEWNET) == 0;
}

[[noreturn]] void fail_child(const std::string& what) {
  const std::string line = what + ": " + std::strerror(errno) + "\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  ::_exit(127);
}

[[noreturn]] void exec_child(const std::string& net, const Arguments& argv) {
  if (!enter(net)) fail_child("enter " + net);
  ::signal(SIGPIPE, SIG_DFL);
  std::vector<char*> pointers;
  for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  ::execvp(pointers[0], pointers.data());
  fail_child(argv[0]);
}

int exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return exit_code(status);
}

struct Pipe {
  Fd read;
  Fd write;
  Pipe() {
    int ends[2];
    GH_CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    read = Fd(ends[0]);
    write = Fd(ends[1]);
  }
};

// Writes `input` and reads both outputs at the same time, until the child has closed them.
void exchange(Fd input_fd, std::string_view input, Pipe& out, Pipe& err, Output& output) {
  std::array<pollfd, 3> fds = {pollfd{out.read.get(), POLLIN, 0}, pollfd{err.read.get(), POLLIN, 0},
                               pollfd{input_fd.get(), POLLOUT, 0}};
  if (input.empty()) fds[2].fd = -1, input_fd.reset();
  std::array<char, 65536> buffer;
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[2].fd >= 0 && fds[2].revents) {
      const ssize_t sent = ::write(fds[2].fd, input.data(), input.size());
      input.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : input.size());
      if (input.empty()) fds[2].fd = -1, input_fd.reset();
    }
    for (int i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || !fds[i].revents) continue;
      const ssize_t got = ::read(fds[i].fd, buffer.data(), buffer.size());
      if (got <= 0) fds[i].fd = -1;
      if (got > 0)
        (i == 0 ? output.text : output.errors).append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
}

}  // namespace

ProcessId ProcessId::self() { return *of(::getpid()); }

std::optional<ProcessId> ProcessId::of(pid_t pid) {
  const auto started = start_time(pid);
  if (!started) return std::nullopt;
  return ProcessId{pid, *started};
}

bool ProcessId::is_alive() const { return pid > 0 && start_time(pid) == started; }

Output run(const std::string& net, const Arguments& argv, const std::string& input) {
  Pipe in, out, err;
  ::signal(SIGPIPE, SIG_IGN);
  const pid_t pid = ::fork();
  GH_CHECK(pid >= 0);
  if (pid == 0) {
    ::dup2(in.read.get(), STDIN_FILENO);
    ::dup2(out.write.get(), STDOUT_FILENO);
    ::dup2(err.write.get(), STDERR_FILENO);
    exec_child(net, argv);
  }
  in.read.reset();
  out.write.reset();
  err.write.reset();
  Output output;
  exchange(std::move(in.write), input, out, err, output);
  output.exit_code = wait_for(pid);
  return output;
}

Result<ProcessId> start(const std::string& net, const Arguments& argv, const std::string& log) {
  Fd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!output.is_open()) return system_error(log);
  Pipe started;  // ends, unwritten, when the child has become `argv`
  const pid_t pid = ::fork();
  if (pid < 0) return system_error("fork");
  if (pid == 0) {
    ::setsid();
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, STDIN_FILENO);
    ::dup2(output.get(), STDOUT_FILENO);
    ::dup2(output.get(), STDERR_FILENO);
    // Nothing else of the starter's may live on in a daemon: a lock or a pipe that it holds open would never
    // end.
    ::close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    exec_child(net, argv);
  }
  started.write.reset();
  char nothing;
  [[maybe_unused]] const ssize_t end = ::read(started.read.get(), &nothing, 1);
  const auto id = ProcessId::of(pid);
  if (!id) return Error{argv[0] + ": ended at once, see " + log};
  return *id;
}

Error become(const std::string& net, const Arguments& argv) {
  if (!enter(net)) return system_error("enter " + net);
  exec_child({}, argv);
}

Status in_namespace(const std::string& net, const std::function<Status()>& task) {
  Pipe pipe;
  const pid_t pid = ::fork();
  if (pid < 0) return system_error("fork");
  if (pid == 0) {
    Status status = enter(net) ? task() : Status(system_error("enter " + net));
    if (!status) {
      const std::string& text = status.error().message;
      [[maybe_unused]] const auto written = ::write(pipe.write.get(), text.data(), text.size());
    }
    ::_exit(status ? 0 : 1);
  }
  pipe.write.reset();
  std::string text(4096, '\0');
  const ssize_t got = ::read(pipe.read.get(), text.data(), text.size());
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  if (wait_for(pid) == 0) return {};
  return Error{text.empty() ? "a child of the lab died" : text};
}

void kill_and_wait(const ProcessId& process) {
  if (!process.is_alive()) {
    ::waitpid(process.pid, nullptr, WNOHANG);
    return;
  }
  ::kill(process.pid, SIGKILL);
  // Our own child is reaped here; for another's, wait until the kernel has taken it down.
  if (::waitpid(process.pid, nullptr, 0) == process.pid) return;
  wait_until([&] { return !process.is_alive(); }, std::chrono::seconds(10), std::chrono::milliseconds(1));
}

std::vector<ProcessId> processes_in(const std::string& net) {
  std::vector<ProcessId> result;
  struct stat wanted;
  if (::stat(net.c_str(), &wanted) != 0) return result;
  DIR* proc = ::opendir("/proc");
  if (!proc) return result;
  while (const dirent* entry = ::readdir(proc)) {
    const pid_t pid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    struct stat found;
    const std::string path = std::string("/proc/") + entry->d_name + "/ns/net";
    if (pid <= 0 || ::stat(path.c_str(), &found) != 0 || found.st_ino != wanted.st_ino) continue;
    if (found.st_dev != wanted.st_dev) continue;
    if (const auto id = ProcessId::of(pid)) result.push_back(*id);
  }
  ::closedir(proc);
  return result;
}

bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds limit,
                std::chrono::milliseconds interval) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(interval);
  }
  return true;
}

}  // namespace gatehouse::lab
