// A host may be away for days: it is dialled on and on, and talked of once.
#include "common/control/host_link.h"

#include <algorithm>

#include "common/log.h"

namespace gatehouse::control {
namespace {

constexpr Duration kRedial{300};
constexpr Duration kLongestRedial{2'000};  // to a host that refuses us
constexpr Duration kReportInterval{1'000};

}  // namespace

HostLink::HostLink(EventLoop& loop, const config::L4Host& host, std::shared_ptr<TlsIdentity> identity,
                   const Speaker& speaker)
    : loop_(loop), host_(host), identity_(std::move(identity)), speaker_(speaker), redial_delay_(kRedial) {
  dial();
}

void HostLink::dial() {
  Handlers handlers;
  handlers.on_open = [this](Channel& channel) { on_open(channel); };
  handlers.on_close = [this](Channel&, const std::string& reason) { on_close(reason); };
  handlers.on_request = [this](Channel&, std::string_view method, const Json& params, Reply reply) {
    speaker_.on_request(*this, method, params, std::move(reply));
  };
  handlers.on_notify = [this](Channel&, std::string_view method, const Json& params, std::vector<Fd>&) {
    speaker_.on_notify(*this, method, params);
  };
  channel_ = connect_tcp(loop_, *host_.control, identity_, std::move(handlers));
}

void HostLink::on_open(Channel& channel) {
  if (channel.peer_name() != host_.name) {
    return channel.close("its certificate is that of \"" + channel.peer_name() + "\", not of \"" +
                         host_.name + "\"");
  }
  Message hello = speaker_.hello();
  channel.request(hello.method, std::move(hello.params), [this](Result<Json> answer) {
    if (!answer) {
      redial_delay_ = std::min(redial_delay_ * 2, kLongestRedial);
      if (channel_) channel_->close(answer.error().message);
      return;
    }
    redial_delay_ = kRedial;
    log_info("joined L4 host {}", host_.name);
    last_failure_.clear();
    is_welcome_ = true;
    report_now();
  });
}

void HostLink::on_close(const std::string& reason) {
  // Said once for as long as it is the same: a host may be away for days.
  if (reason != last_failure_) log_warn("no link to L4 host {}: {}", host_.name, reason);
  last_failure_ = reason;
  is_welcome_ = false;
  report_.cancel();
  redial_.arm<&HostLink::dial>(loop_, redial_delay_, this);
}

void HostLink::report_now() {
  if (!is_welcome_ || !channel_) return;
  Message report = speaker_.report();
  channel_->notify(report.method, std::move(report.params));
  report_.arm<&HostLink::report_now>(loop_, kReportInterval, this);
}

void HostLink::notify(std::string_view method, const Json& params) {
  if (is_welcome_ && channel_) channel_->notify(method, params);
}

void HostLink::request(std::string_view method, Json params, Reply reply) {
  if (!is_welcome_ || !channel_) return reply(Error{"no link"});
  channel_->request(method, std::move(params), std::move(reply));
}

void HostLinks::follow(const std::vector<config::L4Host>& hosts, const std::string& self,
                       const std::shared_ptr<TlsIdentity>& identity) {
  std::erase_if(links_, [&](const auto& link) {
    return std::none_of(hosts.begin(), hosts.end(), [&](const auto& host) { return link->leads_to(host); });
  });
  for (const config::L4Host& host : hosts) {
    const bool is_linked =
        std::any_of(links_.begin(), links_.end(), [&](const auto& link) { return link->leads_to(host); });
    if (is_linked || host.name == self || !host.control || !identity) continue;
    links_.push_back(std::make_unique<HostLink>(loop_, host, identity, speaker_));
  }
}

void HostLinks::report_now() {
  for (const auto& link : links_) link->report_now();
}

struct HostLinks::Question {
  std::string method;
  Json params;
  Reply reply;
  std::vector<std::string> hosts;  // still to be asked, the last one first
  std::string refusals;
};

void HostLinks::ask_any(const std::string& method, Json params, Reply reply) {
  auto question = std::make_shared<Question>(Question{method, std::move(params), std::move(reply), {}, {}});
  for (const auto& link : links_) question->hosts.push_back(link->host());
  ask_next(question);
}

void HostLinks::ask_next(const std::shared_ptr<Question>& question) {
  if (question->hosts.empty()) {
    return question->reply(Error{question->refusals.empty() ? "there is no other L4 host" : question->refusals});
  }
  const std::string host = question->hosts.back();
  question->hosts.pop_back();
  const auto hear = [this, question, host, alive = std::weak_ptr<bool>(alive_)](Result<Json> answer) {
    if (answer) return question->reply(std::move(answer));
    question->refusals += (question->refusals.empty() ? "" : "; ") + host + ": " + answer.error().message;
    // Later: this may be the end of that link, in the middle of a change of all.
    if (alive.expired()) return;
    loop_.defer([this, question, alive] {
      if (!alive.expired()) ask_next(question);
    });
  };
  for (const auto& link : links_) {
    if (link->host() == host) return link->request(question->method, question->params, hear);
  }
  hear(Error{"it is in the config no more"});
}

bool HostLinks::has_welcome() const {
  return std::any_of(links_.begin(), links_.end(), [](const auto& link) { return link->is_welcome(); });
}

}  // namespace gatehouse::control
