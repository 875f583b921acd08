// One client's connection, from the handshake to the last byte: owns the socket and the codec that speaks over it, knows
// by which listener and config it is served, and ends it in the way that lets the client have everything that was written.
// Owned by WorkerContext::clients; it retires itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "l7/arrival.h"
#include "l7/deadline.h"
#include "l7/handshake_queue.h"
#include "l7/http/codec.h"
#include "l7/runtime.h"
#include "l7/wire.h"

namespace gatehouse::l7 {

class ClientConnection {
 public:
  ClientConnection(WorkerContext& context, std::string listener, std::unique_ptr<Stream> stream, Arrival arrival);
  ~ClientConnection();

  void advance();
  // The worker is leaving: closes now when idle, else after what is in flight.
  void drain();
  // Ends at once, so that the client sees that what it has is not the whole.
  void break_off();

  Wire& wire() { return wire_; }
  const std::shared_ptr<const Runtime>& runtime() const { return runtime_; }
  const Runtime::Listener& listener() const { return *listener_; }
  std::string_view address() const { return address_; }  // of the client, without port
  const Arrival& arrival() const { return arrival_; }
  bool is_trusted() const { return is_trusted_; }
  bool is_aged() const {  // it has had its time: listener.max_age
    const Duration limit = listener_->config.max_age;
    return limit.count() > 0 && is_older_than(limit);
  }

  // For the codec: what the next request is served by, and how long the next event may take to come.
  void take_runtime();
  void set_deadline(Duration limit) { deadline_.set(limit); }
  void clear_deadline() { deadline_.clear(); }
  // What the codec decided outside advance().
  void act(Codec::Next next);

  std::size_t place = 0;      // in WorkerContext::clients
  bool is_resumed = false;    // in WorkerContext's list of those to go on
  std::optional<HandshakeQueue::Place> handshake_place;

 private:
  enum class Phase : std::uint8_t { kHandshake, kPreface, kServing, kClosing, kLingering, kGone };

  void on_event(std::uint32_t events);
  void on_deadline();
  // Each returns whether the phase changed, so that advance() goes on.
  bool shake_hands();
  bool read_preface();
  bool speak_h1();
  bool speak_h2();
  bool take(Codec::Next next);
  bool finish_closing();
  bool discard_rest();
  bool enter(Phase phase);
  void reset();
  void leave();
  void count_connection(int change);
  bool is_older_than(Duration limit) const;

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
  const std::uint32_t born_ms_;  // the loop's clock, the lower half: enough for the longest max_age
  Watch watch_;
  Deadline<ClientConnection, &ClientConnection::on_deadline> deadline_;
  std::unique_ptr<Codec> codec_;  // once the handshake is done
};

}  // namespace gatehouse::l7
