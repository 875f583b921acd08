// The client's half of one exchange: where its request's body comes from and where its response goes. It hides from
// Exchange which protocol the client speaks; there is one implementation for each (http/h1_client.h, http/h2_client.h).
// Owned by the client connection; it outlives the exchange. Nothing here blocks: what cannot be taken now says so, and the
// exchange is run again when it can.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "l7/http/h1_writer.h"
#include "l7/http/message.h"

namespace gatehouse::l7 {

class ClientConnection;

class ClientSide {
 public:
  ClientSide() = default;
  virtual ~ClientSide() = default;
  ClientSide(const ClientSide&) = delete;

  ClientConnection& connection() { return *connection_; }

  // The request. Its head, in WorkerContext::request, is void after consume_head(), a piece after consume_body().
  virtual void consume_head() = 0;
  virtual http::BodyPiece read_body(std::size_t most) = 0;
  virtual void consume_body() = 0;

  // The response: interim ones, then a head, then its body unless that `is_last`. `length` bounds the head's size.
  enum class Sent : std::uint8_t { kDone, kNoRoom, kTooLarge };
  virtual Sent send_interim(const http::Response& response, std::size_t length, const http::ResponseStyle& style) = 0;
  virtual Sent send_head(const http::Response& response, std::size_t length, const http::ResponseStyle& style, bool is_last) = 0;
  // Instead of send_head(): the client has what it asked for (Request::upgrade), and both bodies are bytes until their end.
  virtual Sent start_tunnel(http::Response& response, std::size_t length, const http::ResponseStyle& style) = 0;
  // Bytes that send_body() takes now.
  virtual std::size_t body_room() = 0;
  virtual void send_body(std::string_view data, bool is_last) = 0;
  virtual void send_trailers(const http::Fields& trailers) = 0;  // they end the body

  virtual bool flush() = 0;             // writes what it can; whether anything left
  virtual bool has_unsent() const = 0;
  virtual bool speaks_h2() const = 0;
  virtual bool is_lost() const = 0;     // nobody is there to answer

  // What the exchange asks of its owner, who calls Exchange::run(): because the backend side moved; in the next turn,
  // because it went on for long; and to break the response off, so that the client sees that it is not whole.
  virtual void on_backend_event() = 0;
  virtual void resume_later() = 0;
  virtual void break_off() = 0;

 protected:
  void set_connection(ClientConnection* connection) { connection_ = connection; }

 private:
  ClientConnection* connection_ = nullptr;
};

}  // namespace gatehouse::l7
