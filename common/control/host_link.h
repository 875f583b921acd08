// A link to an L4 host, from a node or from another L4 host: dials, says hello, reports once a second and
// after every change, does what it is asked to. Losing it changes nothing; it dials again.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/control/channel.h"

namespace gatehouse::control {

class HostLink {
 public:
  struct Message {
    std::string_view method;
    Json params;
  };
  // What the host behind the links provides; outlives them.
  struct Speaker {
    std::function<Message()> hello;   // a request
    std::function<Message()> report;  // a notification
    std::function<void(const HostLink& from, std::string_view method, const Json& params, Reply reply)>
        on_request;
    std::function<void(const HostLink& from, std::string_view method, const Json& params)> on_notify;
  };
  HostLink(EventLoop& loop, const config::L4Host& host, std::shared_ptr<TlsIdentity> identity,
           const Speaker& speaker);

  void report_now();
  void notify(std::string_view method, const Json& params);  // lost when there is no link
  void request(std::string_view method, Json params, Reply reply);  // an Error when there is no link
  const std::string& host() const { return host_.name; }
  bool is_welcome() const { return is_welcome_; }
  bool leads_to(const config::L4Host& host) const {
    return host.name == host_.name && host.control == host_.control;
  }

 private:
  void dial();
  void on_open(Channel& channel);
  void on_close(const std::string& reason);

  EventLoop& loop_;
  config::L4Host host_;
  std::shared_ptr<TlsIdentity> identity_;
  const Speaker& speaker_;
  std::unique_ptr<Channel> channel_;
  Timer redial_;
  Duration redial_delay_;
  Timer report_;
  bool is_welcome_ = false;
  std::string last_failure_;
};

// Links to all L4 hosts of the config but `self`: those that lead where it says stay as they are.
class HostLinks {
 public:
  HostLinks(EventLoop& loop, HostLink::Speaker speaker) : loop_(loop), speaker_(std::move(speaker)) {}

  void follow(const std::vector<config::L4Host>& hosts, const std::string& self,
              const std::shared_ptr<TlsIdentity>& identity);
  void report_now();
  bool has_welcome() const;
  // Asks one L4 host after the other until one does it; the Error is what all have said.
  void ask_any(const std::string& method, Json params, Reply reply);
  const std::vector<std::unique_ptr<HostLink>>& all() const { return links_; }

 private:
  struct Question;
  void ask_next(const std::shared_ptr<Question>& question);

  EventLoop& loop_;
  HostLink::Speaker speaker_;
  std::vector<std::unique_ptr<HostLink>> links_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::control
