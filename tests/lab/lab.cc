#include "tests/lab/lab.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "common/fd.h"
#include "tests/lab/certificates.h"
#include "tests/lab/network.h"

namespace gatehouse::lab {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFolder = "/run/gatehouse-lab";
constexpr const char* kBpfFolder = "/sys/fs/bpf";
constexpr const char* kKept = "kept";

// Held while labs are raised and removed: mounting /run/netns and sweeping are not made for company.
Fd take_lock() {
  std::error_code ignored;
  fs::create_directories(kFolder, ignored);
  Fd fd(::open((std::string(kFolder) + "/.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (fd.is_open()) ::flock(fd.get(), LOCK_EX);
  return fd;
}

std::optional<ProcessId> read_process(const fs::path& file) {
  std::ifstream stream(file);
  ProcessId id;
  if (!(stream >> id.pid >> id.started)) return std::nullopt;
  return id;
}

Status write_text(const fs::path& file, const std::string& text) {
  std::ofstream stream(file);
  stream << text;
  stream.close();
  return stream ? Status() : Status(Error{"cannot write " + file.string()});
}

std::string to_text(const ProcessId& id) {
  return std::to_string(id.pid) + " " + std::to_string(id.started) + "\n";
}

// Death of one may make another appear (a supervisor replaces its workers), hence until none is left.
void kill_everything_in(const std::string& net) {
  wait_until(
      [&] {
        const auto processes = processes_in(net);
        for (const ProcessId& id : processes) {
          if (id.is_alive()) ::kill(id.pid, SIGKILL);
        }
        for (const ProcessId& id : processes) kill_and_wait(id);
        return processes.empty();
      },
      std::chrono::seconds(10), std::chrono::milliseconds(1));
}

bool has_dead_owner(const fs::path& folder) {
  std::ifstream stream(folder / "owner");
  std::string first;
  stream >> first;
  if (first == kKept) return false;
  const auto owner = read_process(folder / "owner");
  return !owner || !owner->is_alive();
}

void remove_folder(const fs::path& folder) {
  const std::string name = folder.filename();
  if (auto topology = load_topology(folder / "topology.toml")) {
    for (const Host& host : topology->hosts) kill_everything_in(namespace_of(name, host.name));
    remove_network(name, *topology);
  }
  std::error_code ignored;
  fs::remove_all(fs::path(kBpfFolder) / name, ignored);
  fs::remove_all(folder, ignored);
}

void sweep() {
  for (const std::string& name : list_labs()) {
    const fs::path folder = fs::path(kFolder) / name;
    if (has_dead_owner(folder)) remove_folder(folder);
  }
}

}  // namespace

std::optional<std::string> Lab::why_unsupported() {
  if (::geteuid() != 0) return "a lab needs root";
  for (const char* tool : {"/sbin/ip", "/usr/sbin/ip", "/bin/ip"}) {
    if (::access(tool, X_OK) != 0) continue;
    Fd lock = take_lock();
    if (!lock.is_open()) return std::string("a lab needs to write ") + kFolder;
    if (Status status = mount_bpf_filesystem(); !status) return "a lab needs BPF: " + status.error().message;
    return std::nullopt;
  }
  return "a lab needs the command ip (package iproute2)";
}

std::string Lab::unique_name() {
  static int count = 0;
  return "gh" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

Result<std::unique_ptr<Lab>> Lab::up(Topology topology, const std::string& name, Lifetime lifetime) {
  if (const auto reason = why_unsupported()) return Error{*reason};
  Fd lock = take_lock();
  sweep();
  if (fs::exists(fs::path(kFolder) / name)) return Error{"there is a lab " + name + " already"};
  std::unique_ptr<Lab> lab(new Lab(name, std::move(topology)));
  if (Status status = lab->build(lifetime); !status) {
    remove_folder(lab->folder());
    return status.error();
  }
  lab->is_owner_ = lifetime == Lifetime::kOwned;
  return lab;
}

Status Lab::build(Lifetime lifetime) {
  std::error_code error;
  fs::create_directories(folder() + "/log", error);
  fs::create_directories(folder() + "/process", error);
  if (error) return Error{folder() + ": " + error.message()};
  const std::string owner =
      lifetime == Lifetime::kKept ? std::string(kKept) + "\n" : to_text(ProcessId::self());
  if (Status status = write_text(folder() + "/owner", owner); !status) return status;
  if (Status status = write_text(folder() + "/topology.toml", topology_.text); !status) return status;
  for (const Host& host : topology_.hosts) {
    fs::create_directories(host_folder(host.name) + "/tls", error);
    fs::create_directories(bpf_folder(host.name), error);
    if (error) return Error{host.name + ": " + error.message()};
  }
  if (Status status = write_certificates(); !status) return status;
  return create_network(name_, topology_);
}

Status Lab::write_certificates() const {
  const CertificateAuthority authority("Gatehouse lab " + name_);
  if (Status status = authority.write_certificate(ca_file()); !status) return status;
  const fs::path shared = folder() + "/tls";
  fs::create_directories(shared);
  for (const ServerCertificate& server : topology_.certificates) {
    const CertificateFiles files{shared / (server.name + ".crt"), shared / (server.name + ".key")};
    if (Status status = authority.issue(server.name, server.hosts, {}, files); !status) return status;
  }
  std::array<unsigned char, 32> secret;
  GH_CHECK(RAND_bytes(secret.data(), secret.size()) == 1);
  const std::string secret_text(secret.begin(), secret.end());
  for (const Host& host : topology_.hosts) {
    if (Status status = write_host_certificates(authority, host); !status) return status;
    const std::string file = host_folder(host.name) + "/tls/site.secret";
    if (Status status = write_text(file, secret_text); !status) return status;
    fs::permissions(file, fs::perms::owner_read);
  }
  return {};
}

Status Lab::write_host_certificates(const CertificateAuthority& authority, const Host& host) const {
  const fs::path tls = host_folder(host.name) + "/tls";
  std::error_code error;
  fs::copy_file(ca_file(), tls / "ca.crt", error);
  if (host.role == Role::kNode) {
    for (const auto& entry : fs::directory_iterator(folder() + "/tls")) {
      fs::copy_file(entry.path(), tls / entry.path().filename(), error);
    }
  }
  if (error) return Error{tls.string() + ": " + error.message()};
  std::vector<IpAddress> addresses;
  for (const LinkAddress& address : host.addresses) addresses.push_back(address.address);
  return authority.issue(host.name, {host.name}, addresses, {tls / "control.crt", tls / "control.key"});
}

Result<std::unique_ptr<Lab>> Lab::attach(const std::string& name) {
  auto topology = load_topology(std::string(kFolder) + "/" + name + "/topology.toml");
  if (!topology) return Error{"there is no lab " + name};
  return std::unique_ptr<Lab>(new Lab(name, std::move(*topology)));
}

Lab::~Lab() {
  if (is_owner_) down();
}

void Lab::down() {
  is_owner_ = false;
  remove_lab(name_);
}

std::string Lab::folder() const { return std::string(kFolder) + "/" + name_; }
std::string Lab::host_folder(const std::string& host) const { return folder() + "/hosts/" + host; }
std::string Lab::bpf_folder(const std::string& host) const {
  return std::string(kBpfFolder) + "/" + name_ + "/" + host;
}
std::string Lab::net(const std::string& host) const { return namespace_of(name_, host); }
std::string Lab::log_file(const std::string& process) const { return folder() + "/log/" + process + ".log"; }
std::string Lab::ca_file() const { return folder() + "/ca.crt"; }

Output Lab::run(const std::string& host, const Arguments& argv) const { return lab::run(net(host), argv); }

Status Lab::start(const std::string& host, const std::string& process, const Arguments& argv) {
  if (!topology_.find(host)) return Error{"no host " + host + " in lab " + name_};
  if (find(process)) return Error{process + " is running already"};
  auto id = lab::start(net(host), argv, log_file(process));
  if (!id) return id.error();
  started_[process] = {host, argv};
  return record(process, started_[process], *id);
}

Status Lab::record(const std::string& process, const Started& started, const ProcessId& id) const {
  return write_text(folder() + "/process/" + process, to_text(id) + started.host + "\n");
}

Status Lab::restart(const std::string& process) {
  const auto known = started_.find(process);
  if (known == started_.end()) return Error{process + " was not started by this object"};
  const Started started = known->second;
  return start(started.host, process, started.argv);
}

Status Lab::signal(const std::string& process, int number) const {
  const auto id = find(process);
  if (!id) return Error{process + " is not running"};
  return ::kill(id->pid, number) == 0 ? Status() : Status(system_error("signal " + process));
}

Status Lab::kill(const std::string& process) {
  const auto id = find(process);
  if (!id) return Error{process + " is not running"};
  kill_and_wait(*id);
  return {};
}

void Lab::kill_all(const std::string& host) { kill_everything_in(net(host)); }

std::optional<ProcessId> Lab::find(const std::string& process) const {
  const auto id = read_process(folder() + "/process/" + process);
  if (!id) return std::nullopt;
  if (!id->is_alive()) {
    ::waitpid(id->pid, nullptr, WNOHANG);
    return std::nullopt;
  }
  return id;
}

std::vector<std::string> Lab::processes() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder() + "/process"))
    names.push_back(entry.path().filename());
  return names;
}

Status Lab::cut(const std::string& host) { return set_uplink(name_, topology_, host, Uplink::kDropProgram); }
Status Lab::mend(const std::string& host) { return set_uplink(name_, topology_, host, Uplink::kPlain); }
Status Lab::route_vips(const std::vector<std::string>& l4_hosts) {
  return lab::route_vips(name_, topology_, l4_hosts);
}

bool remove_lab(const std::string& name) {
  Fd lock = take_lock();
  const fs::path folder = fs::path(kFolder) / name;
  if (!fs::exists(folder)) return false;
  remove_folder(folder);
  return true;
}

std::vector<std::string> list_labs() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(kFolder, ignored)) {
    if (entry.is_directory(ignored)) names.push_back(entry.path().filename());
  }
  return names;
}

}  // namespace gatehouse::lab
