// A lab of two L4 hosts, plain servers on b1 and b2 (gatehouse-echo) and clients (gatehouse-flows): no node
// anywhere. The router sends what servers say to clients through l4b, which is what translation needs;
// tunnelled servers don't mind.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/integration/site.h"

namespace gatehouse::test {

// A number of flows on the client, running until stop().
class Flows {
 public:
  struct Shape {
    std::string target;  // address:port
    bool is_udp = false;
    int flows = 40;
    int port_base = 0;
    std::string request_hex;
  };
  // Returns when each flow has been answered.
  Flows(lab::Lab& lab, const Shape& shape);
  ~Flows();

  Json report() const;
  // Each flow has been answered once more since the call.
  bool are_answered() const;
  Json stop();

 private:
  lab::Lab& lab_;
  std::string name_;
  std::string report_file_;
};

class ServiceSiteTest : public testing::Test {
 protected:
  // Servers called s1 and s2 (and so on) listen where `servers` says.
  virtual std::string services() = 0;
  virtual void start_servers() = 0;

  void SetUp() override;
  void TearDown() override;

  void start_server(const std::string& host, const std::string& name, const lab::Arguments& listen);
  void write_config(const std::string& services);
  Status start_l4(const std::string& host);
  Json status(const std::string& host) const;
  // Both L4 hosts say that of the server.
  bool wait_for_state(const std::string& server, const std::string& state) const;
  void on_both(const lab::Arguments& command);
  // Runs `ip` on a host.
  void ip(const std::string& host, const std::string& arguments);

  std::unique_ptr<lab::Lab> lab_;
};

}  // namespace gatehouse::test
