// Who the patient is, the examination, the report.
#include "common/cli/doctor.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "common/cli/local_network.h"
#include "common/config/findings.h"
#include "common/fd.h"
#include "common/files.h"

namespace gatehouse::cli {
namespace {

// The daemon that holds the state folder; 0: none does.
int daemon_of(const std::string& state_folder) {
  const std::string file = state_folder + "/lock";
  const Fd lock(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!lock.is_open() || flock(lock.get(), LOCK_SH | LOCK_NB) == 0) return 0;
  const auto text = read_file(file);
  return text ? std::atoi(text->c_str()) : 0;
}

template <typename Entry>
Result<const Entry*> find(const std::vector<Entry>& entries, const std::string& name, const char* table) {
  std::vector<std::string> names;
  for (const Entry& entry : entries) {
    if (entry.name == name) return &entry;
    names.push_back(entry.name);
  }
  return Error{"there is no [[" + std::string(table) + "]] \"" + name + "\"" + config::suggest(name, names)};
}

template <typename Entry>
const Entry* find_local(const std::vector<Entry>& entries) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [](const Entry& entry) { return is_local(entry.address); });
  return found == entries.end() ? nullptr : &*found;
}

Status identify(Patient& patient, const DoctorOptions& options) {
  const config::Config& config = patient.loaded.config;
  if (!options.host.empty()) {
    const auto host = find(config.l4_hosts, options.host, "l4_host");
    if (!host) return host.error();
    patient.l4_host = *host;
  } else if (!options.node.empty()) {
    const auto node = find(config.nodes, options.node, "node");
    if (!node) return node.error();
    patient.node = *node;
  } else {
    patient.l4_host = find_local(config.l4_hosts);
    if (!patient.l4_host) patient.node = find_local(config.nodes);
  }
  const std::string name = patient.l4_host ? "gatehouse-l4" : "gatehouse-l7";
  patient.state_folder = options.state_folder.empty() ? "/run/" + name : options.state_folder;
  patient.pin_folder = options.pin_folder.empty() ? "/sys/fs/bpf/" + name : options.pin_folder;
  patient.bird_socket = options.bird_socket.empty() ? "/run/bird/bird.ctl" : options.bird_socket;
  patient.daemon = daemon_of(patient.state_folder);
  return {};
}

std::string describe(const Patient& patient) {
  std::string text = patient.l4_host ? "L4 host " + patient.l4_host->name
                     : patient.node  ? "node " + patient.node->name
                                     : "a host without L4 tier";
  return text + (patient.daemon ? ", pid " + std::to_string(patient.daemon) : ", not running");
}

}  // namespace

int doctor(const DoctorOptions& options) {
  const config::Loaded loaded = config::load_file(options.config_file);
  if (!loaded.is_valid()) {
    std::printf("FAULT config: %s\n", loaded.errors().c_str());
    return 1;
  }
  Patient patient{loaded};
  if (const Status identified = identify(patient, options); !identified) {
    std::fprintf(stderr, "gatehouse: %s: %s\n", options.config_file.c_str(),
                 identified.error().message.c_str());
    return 2;
  }
  std::printf("%s: %s\n", options.config_file.c_str(), describe(patient).c_str());
  std::vector<Diagnosis> all;
  Findings findings(all);
  std::string fine;
  for (const auto& checks : {host_checks(), network_checks(), site_checks(), bgp_checks()}) {
    for (const Check& check : checks) {
      const std::size_t before = all.size();
      findings.begin(check.name);
      check.run(patient, findings);
      if (all.size() == before) fine += std::string(fine.empty() ? "" : ", ") + check.name;
    }
  }
  std::stable_partition(all.begin(), all.end(), [](const Diagnosis& each) { return each.is_fault; });
  for (const Diagnosis& each : all) {
    std::printf("%s %s: %s\n      %s\n", each.is_fault ? "FAULT" : "note ", each.check.c_str(),
                each.what.c_str(), each.cure.c_str());
  }
  std::printf("fine  %s\n", fine.c_str());
  return std::any_of(all.begin(), all.end(), [](const Diagnosis& each) { return each.is_fault; }) ? 1 : 0;
}

}  // namespace gatehouse::cli
