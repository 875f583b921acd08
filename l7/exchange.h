// One request with its response, from the parsed head to the last byte and the log line. A table of steps (exchange.cc)
// that runs until a step has to wait; every event of either side runs it again. It borrows the client connection, leases
// a backend connection, and always finishes: answered, or aborted with a reason.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "l7/backend/connection.h"
#include "l7/deadline.h"
#include "l7/http/h1_parser.h"
#include "l7/request_id.h"
#include "l7/runtime.h"

namespace gatehouse::l7 {

class ClientConnection;
class Pool;
namespace http {
struct ResponseStyle;
}

class Exchange {
 public:
  enum class Outcome : std::uint8_t {
    kWait,   // run again at the next event
    kDone,   // the whole response is in the client's output
    kAbort,  // the response cannot be completed: the client must see its connection break
  };

  Exchange(WorkerContext& context, ClientConnection& client);
  ~Exchange();

  // `context.request` holds the head, the first `length` bytes of the client's input; they are consumed.
  Outcome start(std::size_t length);
  Outcome run();
  // An answer to bytes that are no request.
  void refuse(std::uint16_t status, std::string_view why);
  // The client is gone, or kept us waiting. Logs.
  void abort(std::string_view why);

  bool is_active() const { return step_ != kIdle; }
  bool is_keep_alive() const { return is_keep_alive_; }
  bool has_unread_body() const { return !is_request_done_; }
  bool has_served() const { return served_ > 0; }
  void on_backend_event();

 private:
  enum Step : std::uint8_t { kMatchRoute, kChooseBackend, kLease, kConnect, kSend, kRelay, kFinish, kIdle };
  enum class Next : std::uint8_t { kGo, kWait, kDone, kAbort };
  struct StepEntry;
  static const StepEntry kSteps[];

  // The steps.
  Next match_route();
  Next choose_backend();
  Next lease();
  Next connect();
  Next send();
  Next relay();
  Next finish();

  void remember_request();
  Next write_backend_head();
  Next go(Step step) {
    step_ = step;
    return Next::kGo;
  }
  Next answer(std::uint16_t status, std::string_view why, std::string_view detail = {});
  Next break_off(std::string_view why);
  Next try_another_backend(std::uint16_t status, std::string_view why);
  Next after_lost_backend();

  // Parts of relay(): each returns whether bytes moved; a decision is left in decided_.
  bool relay_request();
  bool relay_response();
  bool receive_head();
  bool forward_interim(std::size_t length);
  bool start_response(std::size_t length);
  bool end_of_backend();
  void append_body(Buffer& output, std::string_view data, bool is_chunked);
  void decide(Next next) {
    decision_ = next;
    is_decided_ = true;
  }
  void set_wait_limit();
  void on_deadline();
  http::ResponseStyle style() const;
  std::string_view hsts() const;
  void release_backend(bool is_reusable);
  void write_log();
  void count_answer();

  WorkerContext& context_;
  ClientConnection& client_;
  Step step_ = kIdle;
  Next decision_ = Next::kGo;
  bool is_decided_ = false;

  const Runtime* runtime_ = nullptr;
  std::size_t route_ = Router::kNoRoute;
  Pool* pool_ = nullptr;
  std::unique_ptr<BackendConnection> backend_;
  Backend* chosen_ = nullptr;
  static constexpr std::size_t kMaxAttempts = 3;
  std::array<Backend*, kMaxAttempts> tried_{};
  std::size_t attempts_ = 0;
  std::uint16_t unreached_status_ = 502;  // of the last attempt
  bool must_connect_ = false;  // a kept connection was lost under the request: take a new one

  Buffer head_;  // the request head as the backend gets it: kept for another attempt
  http::BodyReader request_reader_;
  http::BodyReader response_reader_;
  http::Framing request_framing_ = http::Framing::kNone;
  std::uint64_t request_bytes_ = 0;
  std::uint64_t response_bytes_ = 0;
  std::size_t scanned_ = 0;
  std::uint16_t status_ = 0;
  bool is_request_done_ = true;
  bool is_response_begun_ = false;  // its head is in the client's output
  bool is_response_done_ = false;
  bool is_response_chunked_ = false;
  bool is_backend_reusable_ = false;
  bool is_keep_alive_ = false;
  bool is_head_request_ = false;
  bool is_idempotent_ = false;
  bool is_minor_version_0_ = false;
  std::uint32_t served_ = 0;  // exchanges before

  RequestId own_id_;
  std::string request_id_;  // only when it is the client's own
  std::string method_, host_, path_, error_;  // for the log
  EventLoop::Clock::time_point started_{};
  Deadline<Exchange, &Exchange::on_deadline> deadline_;
};

}  // namespace gatehouse::l7
