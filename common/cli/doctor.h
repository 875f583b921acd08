// `gatehouse doctor`: looks at this host as a daemon would find it, and says what is wrong with a cure for
// each fault. It changes nothing and asks no daemon; it may run before the first start, beside one that runs,
// or after one that died. Checks are a table; each has a name that stays.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/config/load.h"

namespace gatehouse::cli {

struct Diagnosis {
  std::string check;  // "mtu"
  bool is_fault;      // false: worth knowing, and may be meant
  std::string what;
  std::string cure;
};

// The host, as what the config takes it for. Neither an L4 host nor a node: one with only listeners of its
// own.
struct Patient {
  const config::Loaded& loaded;
  const config::L4Host* l4_host = nullptr;
  const config::Node* node = nullptr;
  std::string state_folder;
  std::string pin_folder;
  std::string bird_socket;
  int daemon = 0;  // pid; 0: none runs

  bool has_workers() const { return !l4_host; }
  const std::vector<std::string> interfaces() const {
    return l4_host ? l4_host->interfaces : node ? std::vector{node->interface} : std::vector<std::string>();
  }
};

// What one check has found.
class Findings {
 public:
  explicit Findings(std::vector<Diagnosis>& all) : all_(all) {}
  void begin(const char* check) { check_ = check; }
  void fault(std::string what, std::string cure) {
    all_.push_back({check_, true, std::move(what), std::move(cure)});
  }
  void note(std::string what, std::string cure) {
    all_.push_back({check_, false, std::move(what), std::move(cure)});
  }

 private:
  std::vector<Diagnosis>& all_;
  const char* check_ = "";
};

struct Check {
  const char* name;
  void (*run)(const Patient& patient, Findings& findings);
};
std::vector<Check> host_checks();     // the kernel and its limits
std::vector<Check> network_checks();  // interfaces, addresses, sysctl
std::vector<Check> site_checks();     // files, ports, what was left behind
std::vector<Check> bgp_checks();      // who tells the routers

struct DoctorOptions {
  std::string config_file;
  std::string host;  // either, or neither: found by the addresses that this host has
  std::string node;
  std::string state_folder;  // empty: the daemon's default
  std::string pin_folder;
  std::string bird_socket;
};
// Prints to standard output; the exit code of the command.
int doctor(const DoctorOptions& options);

}  // namespace gatehouse::cli
