// A lab: a site of network namespaces with native XDP, raised from a Topology, with its own certificates. It
// owns everything that it makes and takes all of it down in its destructor: processes (those that it started
// and any other in its namespaces), namespaces, pins under /sys/fs/bpf/LAB, and its folder
// /run/gatehouse-lab/LAB:
//   owner          pid and start time of the process that raised it, or "kept"
//   topology.toml  the description
//   hosts/HOST/    what is /etc/gatehouse and /run of that host: tls/, site files, state folders
//   log/NAME.log   both outputs of the process called NAME
//   process/NAME   pid, start time, host
// Labs of different names don't touch each other. A lab whose owner died is removed by the next Lab::up of
// anybody.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "tests/lab/process.h"
#include "tests/lab/topology.h"

namespace gatehouse::lab {

enum class Lifetime { kOwned, kKept };  // kKept: stays when this object and its process end

class Lab {
 public:
  // Why no lab can be raised here (no root, no XDP, no tools); nullopt where it can. Tests skip with this
  // text.
  static std::optional<std::string> why_unsupported();
  static std::string unique_name();

  static Result<std::unique_ptr<Lab>> up(Topology topology, const std::string& name = unique_name(),
                                         Lifetime lifetime = Lifetime::kOwned);
  // A kept lab, or that of another process: this object leaves it as it is.
  static Result<std::unique_ptr<Lab>> attach(const std::string& name);
  ~Lab();
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  void down();  // harmless when it is down

  const std::string& name() const { return name_; }
  const Topology& topology() const { return topology_; }
  std::string folder() const;
  std::string host_folder(const std::string& host) const;
  std::string bpf_folder(const std::string& host) const;
  std::string net(const std::string& host) const;  // path of its network namespace
  std::string log_file(const std::string& process) const;
  std::string ca_file() const;

  // Runs a command on a host and waits for its end.
  Output run(const std::string& host, const Arguments& argv) const;
  // Starts a process under a name of its own; the name is free again when it is gone.
  Status start(const std::string& host, const std::string& process, const Arguments& argv);
  // Starts it once more with the arguments that it had. It must be gone.
  Status restart(const std::string& process);
  Status signal(const std::string& process, int number) const;
  Status kill(const std::string& process);  // SIGKILL; returns when it is gone
  void kill_all(const std::string& host);   // every process on the host, as by a power cut
  std::optional<ProcessId> find(const std::string& process) const;  // none: not running
  std::vector<std::string> processes() const;

  // Nothing that the host sends arrives any more; it is not told. mend() undoes it.
  Status cut(const std::string& host);
  Status mend(const std::string& host);
  // What a routing daemon at the router would do: the VIPs by ECMP over these L4 hosts.
  Status route_vips(const std::vector<std::string>& l4_hosts);

 private:
  struct Started {
    std::string host;
    Arguments argv;
  };

  Lab(std::string name, Topology topology) : name_(std::move(name)), topology_(std::move(topology)) {}
  Status build(Lifetime lifetime);
  Status write_certificates() const;
  Status write_host_certificates(const class CertificateAuthority& authority, const Host& host) const;
  Status record(const std::string& process, const Started& started, const ProcessId& id) const;

  std::string name_;
  Topology topology_;
  bool is_owner_ = false;
  std::map<std::string, Started> started_;
};

// Removes the lab called `name`, whoever raised it. False when there is none.
bool remove_lab(const std::string& name);
std::vector<std::string> list_labs();

}  // namespace gatehouse::lab
