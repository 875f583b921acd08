// A request of HTTP/1.1 on a connection of its own, which ends with the answer.
#include "l7/health/health_talk.h"
#include "l7/http/h1_parser.h"

namespace gatehouse::l7 {
namespace {

constexpr http::HeadLimits kLimits{BufferPool::kSmall, 0, http::kMaxFields};

class Http1Talk final : public HealthTalk {
 public:
  Http1Talk(SharedHealthPlan plan, const std::string& authority) : plan_(std::move(plan)) {
    request_ = plan_->health.method + " " + plan_->health.path + " HTTP/1.1\r\nHost: " + authority +
               "\r\nUser-Agent: gatehouse-health\r\nConnection: close\r\n\r\n";
  }

  void begin(Wire& wire) override { wire.output().append(request_); }

  std::optional<HealthVerdict> hear(Wire& wire) override {
    for (;;) {
      const bool may_go_on = has_head_ ? read_body(wire) : read_head(wire);
      if (verdict_ || !may_go_on) return std::move(verdict_);
    }
  }

 private:
  // Both return whether there may be more to do.
  bool read_head(Wire& wire) {
    const bool has_bytes = wire.fill();
    const http::ParseResult result =
        http::parse_response(wire.input().view(), kLimits, scanned_, plan_->health.method, response_);
    if (result.status == http::ParseStatus::kNeedMore) {
      const bool is_over = !has_bytes && (wire.is_at_end() || wire.has_failed());
      if (is_over) verdict_ = HealthVerdict::down("the connection was closed without an answer");
      return has_bytes;
    }
    if (result.status != http::ParseStatus::kDone)
      return end(HealthVerdict::down(std::string("malformed answer: ") + result.reason));
    status_ = response_.status;
    reader_ = http::BodyReader(response_.framing, response_.content_length);
    scanned_ = 0;
    wire.input().consume(result.length);
    if (status_ < 200) return true;
    has_head_ = true;
    judge(reader_.is_done());
    return true;
  }

  bool read_body(Wire& wire) {
    if (wire.input().is_empty() && !wire.fill()) {
      judge(wire.is_at_end() || wire.has_failed());
      return false;
    }
    const http::BodyReader::Step step = reader_.next(wire.input().view());
    if (step.is_malformed) return end(HealthVerdict::down(std::string("malformed body: ") + step.reason));
    body_ += step.data;
    wire.input().consume(step.consumed);
    judge(reader_.is_done() || body_.size() > kMostCheckedBody);
    return true;
  }

  void judge(bool is_whole) { verdict_ = judge_http(*plan_, status_, body_, is_whole); }
  bool end(HealthVerdict verdict) {
    verdict_ = std::move(verdict);
    return false;
  }

  const SharedHealthPlan plan_;
  std::string request_;
  http::Response response_;
  http::BodyReader reader_;
  std::size_t scanned_ = 0;
  std::uint16_t status_ = 0;
  bool has_head_ = false;
  std::string body_;
  std::optional<HealthVerdict> verdict_;
};

}  // namespace

std::unique_ptr<HealthTalk> make_http1_talk(SharedHealthPlan plan, const std::string& authority) {
  return std::make_unique<Http1Talk>(std::move(plan), authority);
}

}  // namespace gatehouse::l7
