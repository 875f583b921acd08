// One request on an HTTP/2 connection of its own, in the clear with prior knowledge: GET and the like, and
// gRPC's health protocol (grpc.health.v1.Health/Check), which is a request with a message of a few bytes each
// way.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "common/check.h"
#include "l7/health/health_talk.h"

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kGrpcPrefix = 5;  // compressed or not, length
constexpr std::uint8_t kServing = 1;    // HealthCheckResponse.ServingStatus

using FieldList = std::vector<std::pair<std::string, std::string>>;

struct SessionFree {
  void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
};

class Http2Talk : public HealthTalk {
 public:
  Http2Talk(FieldList fields, std::string body) : fields_(std::move(fields)), unsent_(std::move(body)) {}

  void begin(Wire& wire) override {
    nghttp2_session* made = nullptr;
    GH_CHECK(nghttp2_session_client_new(&made, callbacks(), this) == 0);
    session_.reset(made);
    const nghttp2_settings_entry no_push{NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
    GH_CHECK(nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, &no_push, 1) == 0);
    std::vector<nghttp2_nv> values;
    for (auto& [name, value] : fields_)
      values.push_back({bytes_of(name), bytes_of(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    nghttp2_data_provider provider{};
    provider.read_callback = on_read;
    stream_ = nghttp2_submit_request(made, nullptr, values.data(), values.size(),
                                     unsent_.empty() ? nullptr : &provider, nullptr);
    GH_CHECK(stream_ > 0);
    send(wire);
  }

  std::optional<HealthVerdict> hear(Wire& wire) override {
    while (!is_over_ && wire.fill()) {
      const std::string_view bytes = wire.input().view();
      const auto taken = nghttp2_session_mem_recv(
          session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
      if (taken < 0)
        return HealthVerdict::down(std::string("no HTTP/2: ") + nghttp2_strerror(static_cast<int>(taken)));
      wire.input().consume(bytes.size());
      send(wire);
    }
    wire.flush();
    if (is_over_ && error_ != NGHTTP2_NO_ERROR)
      return HealthVerdict::down(std::string("the request was reset: ") + nghttp2_http2_strerror(error_));
    const bool is_cut = wire.is_at_end() || wire.has_failed();
    if (!is_over_ && !is_cut && !nghttp2_session_want_read(session_.get()))
      return HealthVerdict::down("no HTTP/2");
    if (!is_over_ && is_cut) return HealthVerdict::down("the connection was closed without an answer");
    return status_ == 0 ? std::nullopt : judge(is_over_ || body_.size() > kMostCheckedBody);
  }

 protected:
  unsigned status() const { return status_; }
  std::string_view body() const { return body_; }
  std::string_view grpc_status() const { return grpc_status_; }

 private:
  virtual std::optional<HealthVerdict> judge(bool is_whole) const = 0;

  static std::uint8_t* bytes_of(std::string& text) { return reinterpret_cast<std::uint8_t*>(text.data()); }
  static Http2Talk& of(void* talk) { return *static_cast<Http2Talk*>(talk); }

  static nghttp2_session_callbacks* callbacks() {
    static nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* callbacks = nullptr;
      GH_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
      nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
      nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
      return callbacks;
    }();
    return made;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t size, std::uint8_t,
                       void* talk) {
    Http2Talk& self = of(talk);
    const std::string_view field(reinterpret_cast<const char*>(name), name_size),
        text(reinterpret_cast<const char*>(value), size);
    if (frame->hd.stream_id != self.stream_) return 0;
    unsigned status = 0;
    if (field == ":status") std::from_chars(text.data(), text.data() + text.size(), status);
    if (status >= 200) self.status_ = status;
    if (field == "grpc-status") self.grpc_status_ = text;
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* data,
                     std::size_t size, void* talk) {
    Http2Talk& self = of(talk);
    const std::size_t room = kMostCheckedBody + 1 - std::min(self.body_.size(), kMostCheckedBody + 1);
    if (stream == self.stream_) self.body_.append(reinterpret_cast<const char*>(data), std::min(size, room));
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t stream, std::uint32_t error, void* talk) {
    if (stream != of(talk).stream_) return 0;
    of(talk).is_over_ = true;
    of(talk).error_ = error;
    return 0;
  }
  static ssize_t on_read(nghttp2_session*, std::int32_t, std::uint8_t* out, std::size_t room,
                         std::uint32_t* flags, nghttp2_data_source*, void* talk) {
    std::string& unsent = of(talk).unsent_;
    const std::size_t size = std::min(room, unsent.size());
    std::copy_n(unsent.begin(), size, out);
    unsent.erase(0, size);
    if (unsent.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  // All of it is small, and fits into the wire's output.
  void send(Wire& wire) {
    const std::uint8_t* bytes = nullptr;
    for (ssize_t size; (size = nghttp2_session_mem_send(session_.get(), &bytes)) > 0;)
      wire.output().append({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)});
  }

  std::unique_ptr<nghttp2_session, SessionFree> session_;
  FieldList fields_;
  std::string unsent_;
  std::int32_t stream_ = 0;
  unsigned status_ = 0;
  std::string body_;
  std::string grpc_status_;
  bool is_over_ = false;
  std::uint32_t error_ = NGHTTP2_NO_ERROR;
};

FieldList fields_of(const HealthPlan& plan, const std::string& method, const std::string& authority,
                    const std::string& path) {
  return {{":method", method},
          {":scheme", plan.tls.is_on() ? "https" : "http"},
          {":authority", authority},
          {":path", path},
          {"user-agent", "gatehouse-health"}};
}

class PlainTalk final : public Http2Talk {
 public:
  PlainTalk(SharedHealthPlan plan, const std::string& authority)
      : Http2Talk(fields_of(*plan, plan->health.method, authority, plan->health.path), ""),
        plan_(std::move(plan)) {}

 private:
  std::optional<HealthVerdict> judge(bool is_whole) const override {
    return judge_http(*plan_, status(), body(), is_whole);
  }
  const SharedHealthPlan plan_;
};

// HealthCheckRequest {string service = 1}, as Protocol Buffers write it.
std::string health_request(const std::string& service) {
  std::string message;
  if (!service.empty()) message = "\x0a" + std::string(1, static_cast<char>(service.size())) + service;
  std::string framed(kGrpcPrefix - 1, '\0');
  return framed + static_cast<char>(message.size()) + message;
}

class GrpcTalk final : public Http2Talk {
 public:
  GrpcTalk(const HealthPlan& plan, const std::string& authority)
      : Http2Talk(with_type(fields_of(plan, "POST", authority, "/grpc.health.v1.Health/Check")),
                  health_request(plan.health.service)) {}

 private:
  static FieldList with_type(FieldList fields) {
    fields.insert(fields.end(), {{"content-type", "application/grpc"}, {"te", "trailers"}});
    return fields;
  }

  // grpc/health/v1/health.proto: a service that is not known is status 5, NOT_FOUND.
  std::optional<HealthVerdict> judge(bool is_whole) const override {
    if (!is_whole) return std::nullopt;
    if (status() != 200) return HealthVerdict::down("status " + std::to_string(status()));
    if (grpc_status() != "0")
      return HealthVerdict::down("grpc-status " +
                                 std::string(grpc_status().empty() ? "is missing" : grpc_status()));
    const int serving = serving_status(body());
    if (serving == kServing) return HealthVerdict::up();
    constexpr const char* kNames[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
    return HealthVerdict::down(serving < 0 || serving > 3 ? "malformed answer: no HealthCheckResponse"
                                                          : kNames[serving]);
  }

  // HealthCheckResponse {ServingStatus status = 1}: none is 0; -1: malformed.
  static int serving_status(std::string_view body) {
    if (body.size() < kGrpcPrefix || body[0] != '\0') return -1;
    const std::string_view message = body.substr(kGrpcPrefix);
    if (message.empty()) return 0;
    return message.size() == 2 && message[0] == '\x08' ? message[1] : -1;
  }
};

}  // namespace

std::unique_ptr<HealthTalk> make_http2_talk(SharedHealthPlan plan, const std::string& authority) {
  return std::make_unique<PlainTalk>(std::move(plan), authority);
}

std::unique_ptr<HealthTalk> make_grpc_talk(SharedHealthPlan plan, const std::string& authority) {
  return std::make_unique<GrpcTalk>(*plan, authority);
}

}  // namespace gatehouse::l7
