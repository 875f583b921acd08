// The backend's half of one exchange: where its request goes and where the response comes from. It is what an exchange
// leases from Backend, and hides whether that is a connection of its own (HTTP/1.1) or a stream of a shared one (HTTP/2).
// Valid until release(). Nothing here blocks; every event is told to the user, an exchange or a mirror.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/config/model_http.h"
#include "l7/http/message.h"
#include "l7/http/request_head.h"
#include "l7/stream.h"

namespace gatehouse::l7 {

class Backend;

// Who leases one.
class BackendUser {
 public:
  // The backend's side has moved, or has room.
  virtual void on_backend_event() = 0;

 protected:
  ~BackendUser() = default;
};

class BackendSide {
 public:
  BackendSide() = default;
  virtual ~BackendSide() = default;
  BackendSide(const BackendSide&) = delete;

  Backend& backend() { return *backend_; }

  virtual StreamStatus open() = 0;  // connected; called at every event until then
  virtual std::string failure() const = 0;

  // Before anything else, on a new connection of HTTP/1: a PROXY header.
  virtual void send_first(std::string_view bytes) = 0;
  // The request: its head, then its body unless that `is_last`.
  virtual void send_head(const http::RequestHead& head, http::Framing framing, bool is_last) = 0;
  virtual std::size_t body_room() = 0;
  virtual void send_body(std::string_view data, bool is_last) = 0;
  virtual void send_trailers(const http::Fields& trailers) = 0;
  virtual bool flush() = 0;  // writes what it can; whether anything left
  virtual bool has_unsent() const = 0;

  // The response. A head that is kDone is in WorkerContext::response until consume_head() (the next may be asked for after
  // an interim one), a piece is valid until consume_body().
  enum class HeadStatus : std::uint8_t {
    kDone,
    kNothing,    // for now
    kLost,       // the backend ended the connection without a byte of an answer
    kCut,        // within it
    kMalformed,
  };
  struct Head {
    HeadStatus status = HeadStatus::kNothing;
    std::size_t length = 0;
    const char* reason = "";
  };
  virtual Head receive_head(bool is_head_request) = 0;
  virtual void consume_head() = 0;
  virtual void start_tunnel() = 0;  // instead of consume_head(), after 101: both bodies are bytes until their end
  virtual http::BodyPiece read_body(std::size_t most) = 0;
  virtual void consume_body() = 0;

  // Of one that is kLost: whether the backend cannot have seen the request, or may have closed just as it left.
  virtual bool is_refused() const = 0;
  virtual bool is_leaving() const = 0;  // refused not for its load: the connection is ending, or had no room
  virtual bool is_reused() const = 0;

  // Ends the lease; `is_complete`: both messages went through whole, so that a connection can be used again.
  virtual void release(bool is_complete, const config::Pool& pool) = 0;
  // The same of one that is not open() yet: the connection goes on to come about, for others.
  virtual void leave_behind(const config::Pool& pool) = 0;

 protected:
  void set_backend(Backend& backend) { backend_ = &backend; }

 private:
  Backend* backend_ = nullptr;
};

}  // namespace gatehouse::l7
