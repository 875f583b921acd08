#include "common/control/channel.h"

#include <arpa/inet.h>

#include <cstring>
#include <deque>
#include <iterator>
#include <map>

#include "common/check.h"
#include "common/control/transport.h"
#include "common/json_fields.h"

namespace gatehouse::control {
namespace {

constexpr Duration kOpenTimeout{5'000};
constexpr std::size_t kHeader = 4;
constexpr std::size_t kMaxQueued = 4 * kMaxFrame;

// Nothing that is said nests deeper; a peer's depth must not become our stack's.
constexpr int kMostDepth = 32;

bool is_too_deep(std::string_view text) {
  int depth = 0;
  bool is_in_text = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && is_in_text) ++i;
    if (c == '"') is_in_text = !is_in_text;
    if (is_in_text) continue;
    if ((c == '[' || c == '{') && ++depth > kMostDepth) return true;
    if (c == ']' || c == '}') --depth;
  }
  return false;
}

class FrameChannel final : public Channel {
 public:
  FrameChannel(EventLoop& loop, std::unique_ptr<Transport> transport, Handlers handlers)
      : loop_(loop), transport_(std::move(transport)), handlers_(std::make_shared<const Handlers>(std::move(handlers))) {
    watch_.start<&FrameChannel::on_event>(loop, transport_->fd(), EventLoop::kEdge, this);
    open_timer_.arm<&FrameChannel::on_open_timeout>(loop, kOpenTimeout, this);
    // An accepted or adopted socket may be open already, without any event to come.
    later(&FrameChannel::advance);
  }
  ~FrameChannel() override { fail_pending("the channel is gone"); }

  void request(std::string_view method, Json params, Reply reply) override {
    if (params.is_null()) params = Json::object();
    const std::uint64_t id = ++last_id_;
    pending_.emplace(id, std::move(reply));
    send({{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}}, {});
  }
  void notify(std::string_view method, Json params, const std::vector<int>& descriptors) override {
    if (params.is_null()) params = Json::object();
    std::vector<Fd> copies;
    for (const int fd : descriptors) {
      copies.emplace_back(dup(fd));
      if (!copies.back().is_open()) return close(system_error("cannot pass a descriptor").message);
    }
    Json message = {{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}};
    if (!copies.empty()) message["descriptors"] = copies.size();
    send(message, std::move(copies));
  }
  void close(const std::string& reason) override {
    if (is_closed_) return;
    is_closed_ = true;
    reason_ = reason;
    watch_.stop();
    open_timer_.cancel();
    end_timer_.cancel();
    later(&FrameChannel::finish_close);
  }
  const std::string& peer() const override { return peer_; }
  const std::string& peer_name() const override { return peer_name_; }
  int peer_pid() const override { return transport_->peer_pid(); }
  int peer_uid() const override { return transport_->peer_uid(); }
  void confine(std::size_t longest_frame, Duration longest_life) override {
    longest_frame_ = longest_frame;
    end_timer_.arm<&FrameChannel::on_end>(loop_, longest_life, this);
  }

 private:
  struct Outgoing {
    std::string bytes;
    std::vector<Fd> descriptors;
  };

  // Runs `method` at the end of the turn, unless this channel is gone by then.
  void later(void (FrameChannel::*method)()) {
    loop_.defer([this, method, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) (this->*method)();
    });
  }

  void on_event(std::uint32_t) { advance(); }
  void on_end() { close("its time is over"); }
  void on_open_timeout() { close("no connection within " + to_string(kOpenTimeout)); }

  void advance() {
    if (is_closed_ || (!is_open_ && !try_open())) return;
    const std::weak_ptr<bool> alive = alive_;
    const auto keep = handlers_;
    flush();
    if (!is_closed_) read_all(alive);
  }

  bool try_open() {
    const IoStatus status = transport_->open();
    if (status == IoStatus::kWait) return false;
    if (status != IoStatus::kDone) {
      close(transport_->failure());
      return false;
    }
    is_open_ = true;
    open_timer_.cancel();
    peer_ = transport_->peer();
    peer_name_ = transport_->peer_name();
    const std::weak_ptr<bool> alive = alive_;
    const auto keep = handlers_;
    if (keep->on_open) keep->on_open(*this);
    return !alive.expired() && !is_closed_;
  }

  void read_all(const std::weak_ptr<bool>& alive) {
    char chunk[16 * 1024];
    for (;;) {
      const IoResult result = transport_->read(chunk, sizeof chunk, descriptors_);
      if (result.status == IoStatus::kWait) return;
      if (result.status != IoStatus::kDone) {
        return close(result.status == IoStatus::kClosed ? "closed by the peer" : transport_->failure());
      }
      input_.append(chunk, result.bytes);
      // Those of an unfinished frame, and of the one after it.
      if (descriptors_.size() > 2 * kMaxDescriptors) return close("more descriptors than its frames have");
      while (take_frame()) {
        if (alive.expired() || is_closed_) return;
      }
      if (alive.expired() || is_closed_) return;
    }
  }

  // Handles one whole frame of the input; false when there is none. May destroy this.
  bool take_frame() {
    if (input_.size() < kHeader) return false;
    std::uint32_t length = 0;
    std::memcpy(&length, input_.data(), kHeader);
    length = ntohl(length);
    if (length > longest_frame_) {
      close("frame of " + std::to_string(length) + " bytes; expected at most " + std::to_string(longest_frame_));
      return false;
    }
    if (input_.size() < kHeader + length) return false;
    const std::string_view frame = std::string_view(input_).substr(kHeader, length);
    if (is_too_deep(frame)) {
      close("frame nests deeper than " + std::to_string(kMostDepth));
      return false;
    }
    const Json message = parse_json(frame);
    input_.erase(0, kHeader + length);
    if (!message.is_object() || message.value("jsonrpc", Json()) != "2.0") {
      close("frame is not a JSON-RPC 2.0 object");
      return false;
    }
    handle(message);
    return true;
  }

  void handle(const Json& message) {
    const auto method = message.find("method");
    const auto id = message.find("id");
    if (method == message.end()) return handle_reply(message);
    if (!method->is_string()) return close("frame's method is not a text");
    const Json params = message.value("params", Json::object());
    if (!params.is_object()) return close("frame's params are not an object");
    const std::string name = method->get<std::string>();
    if (id == message.end()) {
      std::vector<Fd> descriptors;
      if (!take_descriptors(message, descriptors)) return close("frame came without its descriptors");
      if (handlers_->on_notify) handlers_->on_notify(*this, name, params, descriptors);
      return;
    }
    if (!id->is_number_unsigned()) return close("frame's id is not a number");
    Reply reply = [this, alive = std::weak_ptr<bool>(alive_), number = id->get<std::uint64_t>()](Result<Json> result) {
      if (!alive.expired()) answer(number, std::move(result));
    };
    if (!handlers_->on_request) return reply(Error{"nothing is asked for on this channel"});
    handlers_->on_request(*this, name, params, std::move(reply));
  }

  // One read may bring the end of a frame and, with its descriptors, the next: each frame says how many are its own.
  bool take_descriptors(const Json& message, std::vector<Fd>& out) {
    const auto count = message.find("descriptors");
    if (count == message.end()) return true;
    if (!count->is_number_unsigned() || count->get<std::uint64_t>() > descriptors_.size()) return false;
    const auto end = descriptors_.begin() + static_cast<std::ptrdiff_t>(count->get<std::uint64_t>());
    std::move(descriptors_.begin(), end, std::back_inserter(out));
    descriptors_.erase(descriptors_.begin(), end);
    return true;
  }

  void handle_reply(const Json& message) {
    const auto id = message.find("id");
    if (id == message.end() || !id->is_number_unsigned()) return close("frame is neither request nor reply");
    auto pending = pending_.extract(id->get<std::uint64_t>());
    if (pending.empty()) return close("reply to nothing that was asked");
    const auto error = message.find("error");
    if (error == message.end()) return pending.mapped()(message.value("result", Json()));
    const bool has_text = error->is_object() && error->contains("message") && (*error)["message"].is_string();
    pending.mapped()(Error{has_text ? (*error)["message"].get<std::string>() : "refused without a reason"});
  }

  void answer(std::uint64_t id, Result<Json> result) {
    Json message = {{"jsonrpc", "2.0"}, {"id", id}};
    if (result) {
      message["result"] = std::move(*result);
    } else {
      message["error"] = {{"code", -32000}, {"message", result.error().message}};
    }
    send(message, {});
  }

  void send(const Json& message, std::vector<Fd> descriptors) {
    if (is_closed_) return;
    std::string body = message.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (body.size() > kMaxFrame) return close("a frame to the peer would be too long");
    const std::uint32_t length = htonl(static_cast<std::uint32_t>(body.size()));
    std::string bytes(reinterpret_cast<const char*>(&length), kHeader);
    bytes += body;
    queued_ += bytes.size();
    output_.push_back({std::move(bytes), std::move(descriptors)});
    if (queued_ > kMaxQueued) return close("the peer does not read");
    if (is_open_) flush();
  }

  void flush() {
    static const std::vector<Fd> kNone;
    while (!output_.empty()) {
      Outgoing& frame = output_.front();
      const IoResult result = transport_->write(frame.bytes.data() + written_, frame.bytes.size() - written_,
                                                written_ == 0 ? frame.descriptors : kNone);
      if (result.status == IoStatus::kWait) return;
      if (result.status != IoStatus::kDone) return close(transport_->failure());
      written_ += result.bytes;
      queued_ -= result.bytes;
      if (written_ < frame.bytes.size()) continue;
      output_.pop_front();
      written_ = 0;
    }
  }

  void finish_close() {
    // Whoever is called may destroy this.
    const std::weak_ptr<bool> alive = alive_;
    const auto keep = handlers_;
    const std::string reason = reason_;
    fail_pending(reason);
    if (!alive.expired() && keep->on_close) keep->on_close(*this, reason);
  }
  void fail_pending(const std::string& reason) {
    const std::string text = "no answer from " + peer_ + ": " + reason;
    for (auto& [id, reply] : std::exchange(pending_, {})) reply(Error{text});
  }

  EventLoop& loop_;
  std::unique_ptr<Transport> transport_;
  std::shared_ptr<const Handlers> handlers_;  // kept by what calls one: it may destroy this
  Watch watch_;
  Timer open_timer_, end_timer_;
  std::size_t longest_frame_ = kMaxFrame;  // to us
  std::string peer_ = "the peer";
  std::string peer_name_;
  std::string input_;
  std::vector<Fd> descriptors_;  // came with the bytes of `input_`
  std::deque<Outgoing> output_;
  std::size_t written_ = 0;  // of the first frame
  std::size_t queued_ = 0;
  std::map<std::uint64_t, Reply> pending_;
  std::uint64_t last_id_ = 0;
  bool is_open_ = false;
  bool is_closed_ = false;
  std::string reason_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<Channel> make_channel(EventLoop& loop, std::unique_ptr<Transport> transport, Handlers handlers) {
  return std::make_unique<FrameChannel>(loop, std::move(transport), std::move(handlers));
}

}  // namespace gatehouse::control
