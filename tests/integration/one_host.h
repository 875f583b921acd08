// gatehouse-l7 on this host, without an L4 tier and without namespaces: real processes, files and clients on
// loopback addresses of its own (127.x.y.z, made from the test's pid, so that tests may run side by side).
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/lab/process.h"

namespace gatehouse::test {

using Json = nlohmann::json;

class OneHost {
 public:
  OneHost();
  ~OneHost();  // ends what it started, removes its folder

  const std::string& folder() const { return folder_; }
  const std::string& address() const { return address_; }
  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  // As careful programs do: never half a file. Keys are for root alone.
  void write(const std::string& name, const std::string& text, int mode = 0600) const;

  // The config is `folder()`/site.toml. `prefix`: words of a command that becomes the daemon.
  void start(const lab::Arguments& prefix = {});
  void kill_supervisor();  // SIGKILL; workers stay
  void stop();             // SIGTERM, and waits for all to end
  lab::ProcessId start_backend(int port);
  lab::ProcessId start_process(const lab::Arguments& argv, const std::string& name);

  lab::Output cli(const lab::Arguments& arguments) const;
  Json status() const;  // null when nobody answers
  bool wait_until_serving() const;
  std::vector<Json> access_log() const;
  std::string log(const std::string& name = "gatehouse") const;

  // curl to https://NAME:8443PATH, at this host; the CA is `ca.pem`.
  lab::Output curl(const std::string& name, const std::string& path,
                   const lab::Arguments& arguments = {}) const;
  // openssl s_client to port 8443, which says `request`.
  lab::Output s_client(const lab::Arguments& arguments, const std::string& request = "") const;

 private:
  std::string folder_;
  std::string address_;
  lab::ProcessId supervisor_;
  std::vector<lab::ProcessId> others_;
};

}  // namespace gatehouse::test
