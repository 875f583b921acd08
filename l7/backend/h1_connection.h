// An HTTP/1.1 connection to a backend: idle in its Backend, or leased to one exchange as its backend side.
#pragma once

#include "l7/backend/backend_side.h"
#include "l7/backend/connection.h"
#include "l7/http/h1_body.h"

namespace gatehouse::l7 {

struct WorkerContext;

class H1Connection final : public BackendSide, public BackendConnection {
 public:
  H1Connection(WorkerContext& context, Backend& backend, std::unique_ptr<Stream> stream);

  void lease_to(BackendUser& user);
  // Whether it may be leased again; if so it waits for that.
  bool rest_after_lease(const config::Pool& pool);
  // Nobody waits for it: it is idle when it is connected.
  void go_on_alone(const config::Pool& pool);

  StreamStatus open() override { return wire().open(); }
  std::string failure() const override;
  void send_first(std::string_view bytes) override { wire().output().append(bytes); }
  void send_head(const http::RequestHead& head, http::Framing framing, bool is_last) override;
  std::size_t body_room() override;
  void send_body(std::string_view data, bool is_last) override;
  void send_trailers(const http::Fields& trailers) override;
  bool flush() override;
  bool has_unsent() const override;
  Head receive_head(bool is_head_request) override;
  void consume_head() override;
  void start_tunnel() override;
  http::BodyPiece read_body(std::size_t most) override;
  void consume_body() override;
  bool is_refused() const override { return false; }
  bool is_leaving() const override { return false; }
  bool is_reused() const override { return is_reused_; }
  void release(bool is_complete, const config::Pool& pool) override;
  void leave_behind(const config::Pool& pool) override;

 private:
  void on_ready() override;
  void on_idle_timeout() override;
  void connect_alone();

  WorkerContext& context_;
  BackendUser* user_ = nullptr;  // that it is leased to
  http::H1BodyOutput request_body_;
  http::H1BodyInput response_body_;
  std::size_t scanned_ = 0;
  std::size_t head_length_ = 0;
  bool is_keep_alive_ = false;  // says the response
  bool is_reused_ = false;
  bool is_tunnel_ = false;
  bool is_alone_ = false;     // go_on_alone(), until it is connected
  bool ends_output_ = false;  // of a tunnel: when it has left
};

}  // namespace gatehouse::l7
