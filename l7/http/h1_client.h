// HTTP/1.x towards a client (RFC 9112): reads its requests one after the other, each the client side of one exchange, and
// decides whether the connection goes on after it. Owned by its ClientConnection.
#pragma once

#include <memory>

#include "l7/client_side.h"
#include "l7/exchange.h"
#include "l7/http/codec.h"
#include "l7/http/h1_body.h"

namespace gatehouse::l7 {

class H1Client final : public ClientSide, public Codec {
 public:
  H1Client(WorkerContext& context, ClientConnection& connection);
  ~H1Client() override;

  Next advance() override;
  Next on_deadline() override;
  void drain() override;
  void abort(std::string_view why) override;

  void consume_head() override;
  http::BodyPiece read_body(std::size_t most) override;
  void consume_body() override;
  Sent send_interim(const http::Response& response, std::size_t length, const http::ResponseStyle& style) override;
  Sent send_head(const http::Response& response, std::size_t length, const http::ResponseStyle& style, bool is_last) override;
  Sent start_tunnel(http::Response& response, std::size_t length, const http::ResponseStyle& style) override;
  std::size_t body_room() override;
  void send_body(std::string_view data, bool is_last) override;
  void send_trailers(const http::Fields& trailers) override;
  bool flush() override;
  bool has_unsent() const override;
  bool speaks_h2() const override { return false; }
  bool is_lost() const override;
  void on_backend_event() override;
  void resume_later() override;
  void break_off() override;

 private:
  Next read_request();
  Next start_exchange(std::size_t length);
  Next run_exchange();
  Next take(Exchange::Outcome outcome);
  Next wait_for_request();
  Next refuse(std::uint16_t status, std::string_view why);
  bool must_wait_for_output();
  void finish_exchange();

  WorkerContext& context_;
  Wire& wire_;
  std::unique_ptr<Exchange> exchange_;  // while there is a request
  http::H1BodyInput body_;
  http::H1BodyOutput response_body_;
  std::size_t scanned_ = 0;
  std::size_t head_length_ = 0;
  std::uint32_t served_ = 0;  // exchanges before
  bool has_begun_head_ = false;
  bool is_keep_alive_ = false;
  bool is_minor_version_0_ = false;
  bool takes_trailers_ = false;
  bool is_tunnel_ = false;
  bool ends_output_ = false;  // of a tunnel: when it has left
};

}  // namespace gatehouse::l7
