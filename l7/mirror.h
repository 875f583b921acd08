// A copy of a request for another pool, whose answer is read and dropped. It goes off when the whole of the
// request is here, and shares nothing with it from then on: what becomes of it is counted, and nobody waits.
// Owned by the exchange until then, and by WorkerContext::mirrors after that.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "l7/backend/backend.h"
#include "l7/backend/backend_side.h"
#include "l7/deadline.h"
#include "l7/http/h1_writer.h"
#include "l7/runtime.h"

namespace gatehouse::l7 {

class Mirror final : public BackendUser {
 public:
  // On their way, of a worker; a further one is dropped.
  static constexpr std::uint32_t kMost = 256;

  // `pool` is of `runtime`. `most_body`: bytes; a longer one is dropped.
  Mirror(WorkerContext& context, std::shared_ptr<const Runtime> runtime, Pool& pool, std::uint64_t most_body);
  ~Mirror();

  // Of context.request, which takes `length` bytes. False: it does not fit, and there is no copy.
  bool copy_head(http::Forwarding forwarding, std::size_t length);
  // False: it has grown too long.
  bool copy_body(std::string_view data);

  void advance();  // for the roster, as the next two
  std::size_t place = 0;
  bool is_resumed = false;

 private:
  enum class Step : std::uint8_t { kEnter, kLease, kOpen, kExchange, kGone };
  void on_backend_event() override { advance(); }
  void on_deadline();
  // Each returns whether there is more to do now.
  bool enter();
  bool lease();
  bool open();
  bool exchange();
  bool send_body();
  bool receive();
  bool end(bool is_complete);
  void leave_pool();

  WorkerContext& context_;
  std::shared_ptr<const Runtime> runtime_;
  Pool& pool_;
  const std::uint64_t most_body_;
  http::RequestHead head_;
  http::Framing framing_ = http::Framing::kNone;
  bool is_head_request_ = false;
  std::string body_;
  std::size_t sent_ = 0;  // of body_
  Step step_ = Step::kEnter;
  bool has_entered_ = false;  // the pool
  bool is_asking_ = false;    // see Pool::counts_asking()
  bool has_head_ = false;     // the answer's
  bool is_running_ = false;
  Backend* chosen_ = nullptr;
  BackendHolds holds_;
  BackendSide* backend_ = nullptr;
  EventLoop::Clock::time_point asked_{};
  Deadline<Mirror, &Mirror::on_deadline> deadline_;
};

}  // namespace gatehouse::l7
