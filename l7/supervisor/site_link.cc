#include "l7/supervisor/site_link.h"

#include <algorithm>

#include "common/log.h"

namespace gatehouse::l7 {
namespace {

constexpr Duration kRedial{300};
constexpr Duration kLongestRedial{2'000};  // to a host that refuses us
constexpr Duration kReportInterval{1'000};

}  // namespace

SiteLink::SiteLink(EventLoop& loop, const config::L4Host& host, std::shared_ptr<control::TlsIdentity> identity, Node node)
    : loop_(loop), host_(host), identity_(std::move(identity)), node_(std::move(node)), redial_delay_(kRedial) {
  dial();
}

void SiteLink::dial() {
  control::Handlers handlers;
  handlers.on_open = [this](control::Channel& channel) { on_open(channel); };
  handlers.on_close = [this](control::Channel&, const std::string& reason) { on_close(reason); };
  handlers.on_request = [this](control::Channel&, std::string_view method, const control::Json& params, control::Reply reply) {
    node_.on_request(method, params, std::move(reply));
  };
  handlers.on_notify = [this](control::Channel&, std::string_view method, const control::Json& params, std::vector<Fd>&) {
    if (method == "weights") node_.on_weights(*this, params);
  };
  channel_ = control::connect_tcp(loop_, *host_.control, identity_, std::move(handlers));
}

void SiteLink::on_open(control::Channel& channel) {
  if (channel.peer_name() != host_.name) {
    return channel.close("its certificate is that of \"" + channel.peer_name() + "\", not of \"" + host_.name + "\"");
  }
  channel.request("hello", to_json(node_.hello()), [this](Result<control::Json> answer) {
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

void SiteLink::on_close(const std::string& reason) {
  // Said once for as long as it is the same: a host may be away for days.
  if (reason != last_failure_) log_warn("no link to L4 host {}: {}", host_.name, reason);
  last_failure_ = reason;
  is_welcome_ = false;
  report_.cancel();
  redial_.arm<&SiteLink::dial>(loop_, redial_delay_, this);
}

void SiteLink::report_now() {
  if (!is_welcome_ || !channel_) return;
  channel_->notify("health", to_json(node_.report()));
  report_.arm<&SiteLink::report_now>(loop_, kReportInterval, this);
}

void SiteLink::pass_on_weights(const control::Json& params) {
  if (is_welcome_ && channel_) channel_->notify("weights", params);
}

}  // namespace gatehouse::l7
