// A node's link to one L4 host: dials, says hello, reports health once a second and after every change, does what it is
// asked to. Losing it changes nothing on the node; it dials again.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/config/model.h"
#include "common/control/channel.h"
#include "common/control/messages.h"

namespace gatehouse::l7 {

class SiteLink {
 public:
  // What the node behind the link provides; outlives it.
  struct Node {
    std::function<control::Hello()> hello;
    std::function<control::NodeReport()> report;
    std::function<void(std::string_view method, const control::Json& params, control::Reply reply)> on_request;
    // What the L4 host tells the others by way of the node.
    std::function<void(const SiteLink& from, const control::Json& params)> on_weights;
  };
  SiteLink(EventLoop& loop, const config::L4Host& host, std::shared_ptr<control::TlsIdentity> identity, Node node);

  void report_now();
  void pass_on_weights(const control::Json& params);
  const std::string& host() const { return host_.name; }
  bool is_welcome() const { return is_welcome_; }
  bool leads_to(const config::L4Host& host) const { return host.name == host_.name && host.control == host_.control; }

 private:
  void dial();
  void on_open(control::Channel& channel);
  void on_close(const std::string& reason);

  EventLoop& loop_;
  config::L4Host host_;
  std::shared_ptr<control::TlsIdentity> identity_;
  Node node_;
  std::unique_ptr<control::Channel> channel_;
  Timer redial_;
  Duration redial_delay_;
  Timer report_;
  bool is_welcome_ = false;
  std::string last_failure_;
};

}  // namespace gatehouse::l7
