// One client's connection: reads requests, runs their exchanges one after the other, decides how the connection goes on.
// Owned by WorkerContext::clients; it retires itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "l7/arrival.h"
#include "l7/exchange.h"
#include "l7/handshake_queue.h"

namespace gatehouse::l7 {

class ClientConnection {
 public:
  ClientConnection(WorkerContext& context, std::string listener, std::unique_ptr<Stream> stream, Arrival arrival);
  ~ClientConnection();

  void advance();
  // The worker is leaving: closes now when idle, else after the exchange.
  void drain();
  // Ends at once, so that the client sees that what it has is not the whole.
  void break_off();

  Wire& wire() { return wire_; }
  const Runtime& runtime() const { return *runtime_; }
  const Runtime::Listener& listener() const { return *listener_; }
  std::string_view address() const { return address_; }  // of the client, without port
  const Arrival& arrival() const { return arrival_; }
  bool is_trusted() const { return is_trusted_; }

  std::size_t place = 0;      // in WorkerContext::clients
  bool is_resumed = false;    // in WorkerContext's list of those to go on
  std::optional<HandshakeQueue::Place> handshake_place;

 private:
  enum class Phase : std::uint8_t { kHandshake, kRequest, kExchange, kClosing, kLingering, kGone };

  void on_event(std::uint32_t events);
  void on_deadline();
  // Each returns whether the phase changed, so that advance() goes on.
  bool shake_hands();
  bool read_request();
  bool must_wait_for_output();
  bool run_exchange();
  bool finish_closing();
  bool discard_rest();
  bool take(Exchange::Outcome outcome);
  bool wait_for_request();
  bool refuse(std::uint16_t status, std::string_view why);
  bool enter(Phase phase);
  void leave();
  void take_runtime();
  void count_connection(int change);

  WorkerContext& context_;
  std::string listener_name_;
  std::shared_ptr<const Runtime> runtime_;
  const Runtime::Listener* listener_ = nullptr;
  Arrival arrival_;
  Wire wire_;
  std::string address_;
  bool is_trusted_ = false;
  Phase phase_ = Phase::kHandshake;
  bool must_linger_ = false;
  bool has_begun_head_ = false;
  std::size_t scanned_ = 0;
  Watch watch_;
  Deadline<ClientConnection, &ClientConnection::on_deadline> deadline_;
  Exchange exchange_;
};

}  // namespace gatehouse::l7
