// The variables LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES; descriptors begin at 3.
#include "common/inherited.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

namespace gatehouse {
namespace {

constexpr int kFirst = 3;
constexpr int kMost = 4096;  // systemd's own bound is far below

int number_of(const char* variable) {
  const char* text = std::getenv(variable);
  const std::string_view digits = text ? text : "";
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() ? number : 0;
}

// Cuts the next name off.
std::string next_name(std::string_view& names) {
  const std::size_t colon = names.find(':');
  std::string name(names.substr(0, colon));
  names = colon == names.npos ? std::string_view() : names.substr(colon + 1);
  return name.empty() ? "unknown" : name;
}

}  // namespace

std::map<std::string, Fd> take_inherited_descriptors() {
  std::map<std::string, Fd> descriptors;
  const bool is_ours = number_of("LISTEN_PID") == getpid();
  const int count = is_ours ? number_of("LISTEN_FDS") : 0;
  const char* variable = std::getenv("LISTEN_FDNAMES");
  const std::string all_names = variable ? variable : "";
  std::string_view names = all_names;
  for (int fd = kFirst; fd < kFirst + count && count <= kMost; ++fd) {
    std::string name = next_name(names);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) descriptors.insert_or_assign(std::move(name), Fd(fd));
  }
  for (const char* each : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(each);
  return descriptors;
}

}  // namespace gatehouse
