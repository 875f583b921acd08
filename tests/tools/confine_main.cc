// gatehouse-confine UNIT [--writable PATH]... -- PROGRAM ARGUMENT...: becomes PROGRAM under the restrictions
// of a systemd unit, where no systemd runs: capabilities, system calls, address families, executable memory,
// namespaces, and a file system that can be read. What systemd would answer with an error ends the process
// here, so that a test cannot miss it.
#include <fcntl.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

using Words = std::vector<std::string>;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "gatehouse-confine: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(126);
}

void must(bool is_done, const std::string& what) {
  if (!is_done) fail(what);
}

Words words_of(const std::string& text) {
  std::istringstream stream(text);
  Words words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// The values of each setting, in order.
std::map<std::string, Words> read_unit(const std::string& file) {
  std::ifstream stream(file);
  must(stream.is_open(), file);
  std::map<std::string, Words> settings;
  for (std::string line; std::getline(stream, line);) {
    const std::size_t equals = line.find('=');
    if (equals != line.npos && line[0] != '#')
      settings[line.substr(0, equals)].push_back(line.substr(equals + 1));
  }
  return settings;
}

// systemd's own groups of system calls, as it prints them.
std::map<std::string, Words> read_groups() {
  FILE* pipe = popen("systemd-analyze --no-pager syscall-filter", "r");
  must(pipe, "systemd-analyze");
  std::map<std::string, Words> groups;
  std::string group;
  char line[256];
  while (std::fgets(line, sizeof line, pipe)) {
    const Words words = words_of(line);
    if (words.empty() || words[0][0] == '#') continue;
    if (line[0] == '@') group = words[0];
    if (line[0] == ' ' && !group.empty()) groups[group].push_back(words[0]);
  }
  pclose(pipe);
  return groups;
}

void expand(const std::map<std::string, Words>& groups, const std::string& name,
            std::set<std::string>& calls) {
  if (name[0] != '@') {
    calls.insert(name);
    return;
  }
  const auto group = groups.find(name);
  must(group != groups.end(), name);
  for (const std::string& member : group->second) expand(groups, member, calls);
}

std::set<std::string> allowed_calls(const Words& filters) {
  const auto groups = read_groups();
  std::set<std::string> allowed;
  expand(groups, "@default", allowed);
  for (const std::string& filter : filters) {
    const bool is_denied = filter[0] == '~';
    std::set<std::string> calls;
    for (const std::string& name : words_of(filter.substr(is_denied ? 1 : 0))) expand(groups, name, calls);
    for (const std::string& call : calls) is_denied ? (void)allowed.erase(call) : (void)allowed.insert(call);
  }
  return allowed;
}

void load(scmp_filter_ctx filter) {
  must(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 && seccomp_load(filter) == 0, "seccomp");
  seccomp_release(filter);
}

int family_named(const std::string& name) {
  const std::map<std::string, int> known = {{"AF_UNIX", AF_UNIX},
                                            {"AF_INET", AF_INET},
                                            {"AF_INET6", AF_INET6},
                                            {"AF_NETLINK", AF_NETLINK},
                                            {"AF_PACKET", AF_PACKET}};
  const auto found = known.find(name);
  must(found != known.end(), name);
  return found->second;
}

void forbid_families(const std::string& setting) {
  std::set<int> allowed;
  for (const std::string& name : words_of(setting)) allowed.insert(family_named(name));
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  for (int family = 0; family < AF_MAX; ++family) {
    if (allowed.contains(family)) continue;
    must(seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(socket), 1,
                          SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family))) == 0,
         "families");
  }
  load(filter);
}

void forbid_new_code_and_namespaces() {
  constexpr scmp_datum_t kBoth = PROT_WRITE | PROT_EXEC, kCode = PROT_EXEC;
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  int failed = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(mmap), 1,
                                SCMP_A2(SCMP_CMP_MASKED_EQ, kBoth, kBoth));
  failed |= seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(mprotect), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, kCode, kCode));
  for (const int call : {SCMP_SYS(unshare), SCMP_SYS(setns)})
    failed |= seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, call, 0);
  must(failed == 0, "rules");
  load(filter);
}

void allow_calls(const Words& filters) {
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
  for (const std::string& name : allowed_calls(filters)) {
    const int number = seccomp_syscall_resolve_name(name.c_str());
    if (number >= 0) must(seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0) == 0, name);
  }
  load(filter);
}

void keep_capabilities(const std::string& setting) {
  std::set<int> kept;
  for (std::string name : words_of(setting)) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char letter) { return std::tolower(letter); });
    cap_value_t value = 0;
    must(cap_from_name(name.c_str(), &value) == 0, name);
    kept.insert(value);
  }
  for (int value = 0; prctl(PR_CAPBSET_READ, value) >= 0; ++value) {
    if (!kept.contains(value) && prctl(PR_CAPBSET_READ, value) == 1)
      must(prctl(PR_CAPBSET_DROP, value) == 0, "capabilities");
  }
}

void set_writable(const std::string& path, bool is_writable, bool is_mount) {
  if (!is_mount) must(mount(path.c_str(), path.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0, path);
  mount_attr attributes{};
  (is_writable ? attributes.attr_clr : attributes.attr_set) = MOUNT_ATTR_RDONLY;
  must(mount_setattr(AT_FDCWD, path.c_str(), AT_RECURSIVE, &attributes, sizeof attributes) == 0, path);
}

void make_files_read_only(std::map<std::string, Words>& unit, const Words& writable) {
  must(unshare(CLONE_NEWNS) == 0 && mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0,
       "a mount namespace");
  if (unit["ProtectSystem"] == Words{"strict"}) {
    set_writable("/", false, true);
    for (const char* path : {"/dev", "/proc", "/sys"}) set_writable(path, true, true);
  }
  for (const std::string& line : unit["ReadOnlyPaths"]) {
    for (const std::string& path : words_of(line)) set_writable(path, false, false);
  }
  for (const std::string& line : unit["ReadWritePaths"]) {
    for (const std::string& path : words_of(line)) set_writable(path, true, false);
  }
  for (const std::string& path : writable) set_writable(path, true, false);
}

}  // namespace

int main(int argc, char** argv) {
  Words writable;
  int next = 2;
  for (; next + 1 < argc && std::string(argv[next]) == "--writable"; next += 2)
    writable.push_back(argv[next + 1]);
  if (next >= argc - 1 || std::string(argv[next]) != "--") {
    std::fputs("usage: gatehouse-confine UNIT [--writable PATH]... -- PROGRAM ARGUMENT...\n", stderr);
    return 126;
  }
  auto unit = read_unit(argv[1]);
  const Words filters = unit["SystemCallFilter"];
  make_files_read_only(unit, writable);
  for (const std::string& setting : unit["CapabilityBoundingSet"]) keep_capabilities(setting);
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  for (const std::string& setting : unit["RestrictAddressFamilies"]) forbid_families(setting);
  if (unit["MemoryDenyWriteExecute"] == Words{"yes"}) forbid_new_code_and_namespaces();
  allow_calls(filters);
  execvp(argv[next + 1], argv + next + 1);
  fail(argv[next + 1]);
}
