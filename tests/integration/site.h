// Gatehouse itself in a lab: backends, nodes and L4 hosts run from one config text, each host with its own
// copy, keys and state folder under the lab's folder. Owns the lab, hence everything. Helpers for tests only
// read what an operator can read: the daemons' control sockets, logs and access logs.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/lab/lab.h"

namespace gatehouse::test {

using Json = nlohmann::json;

// config/quickstart.toml, the config of most tests.
std::string quickstart_config();
// `text` with the one occurrence of `from` replaced; it must be there.
std::string replaced(std::string text, const std::string& from, const std::string& to);

class Site {
 public:
  // Raises all of it and waits until every node is active at both L4 hosts and every backend is healthy.
  static Result<std::unique_ptr<Site>> up(const std::string& config);

  // The lab, with the config on all hosts; nothing runs.
  static Result<std::unique_ptr<Site>> raise(const std::string& config);

  lab::Lab& lab() { return *lab_; }

  // Processes are called like their host (l4a, n1), backends like their host and port (b1-9001).
  Status start_l4(const std::string& host);
  Status start_node(const std::string& node);
  Status start_backends();
  Status start_backend(const std::string& host, const std::string& address, int port);
  bool is_ready();
  bool wait_until_ready(std::chrono::seconds limit = std::chrono::seconds(20));
  std::string why_not_ready() const { return why_not_ready_; }

  std::string config_file(const std::string& host) const;
  // Writes the config file of `host`, or of all hosts; nobody is told.
  void write_config(const std::string& text, const std::string& host = {});

  // The command line on `host`, speaking to that host's daemon.
  lab::Output cli(const std::string& host, const lab::Arguments& arguments) const;
  Json status(const std::string& host) const;                         // null when the daemon doesn't answer
  Json node(const std::string& host, const std::string& name) const;  // of status(host)
  std::vector<Json> workers(const std::string& node) const;           // as the node itself says
  std::vector<Json> access_log(const std::string& node) const;
  std::string log(const std::string& process) const;

  // curl on the client: shop.example, www.shop.example and blog.example are the VIP of either family.
  lab::Output curl(const lab::Arguments& arguments, bool is_v6 = false) const;

 private:
  explicit Site(std::unique_ptr<lab::Lab> lab) : lab_(std::move(lab)) {}
  Status start_all();
  bool is_l4_host_ready(const std::string& host, std::size_t nodes);
  bool are_backends_healthy(const std::string& node);

  std::unique_ptr<lab::Lab> lab_;
  std::string why_not_ready_;
};

// The value of a field in the output of `curl -D-`, of whatever version of HTTP; empty: absent.
std::string field_of(const std::string& head, const std::string& name);
// The node that an answer came through, by its Via; empty: none.
std::string node_of(const std::string& head);
// A binary of this build.
std::string binary(const std::string& name);

}  // namespace gatehouse::test
