// What a client connection speaks over its stream: HTTP/1.1 (h1_client.h) or HTTP/2 (h2_client.h). It reads requests,
// runs their exchanges and writes the answers; how the connection begins and ends is ClientConnection's.
#pragma once

#include <cstdint>
#include <string_view>

namespace gatehouse::l7 {

class Codec {
 public:
  enum class Next : std::uint8_t {
    kGo,
    kWait,      // for an event
    kClose,     // when what has been written has left
    kLinger,    // the same, and take what still comes: it would reset the connection
    kBreakOff,  // at once, so that the client sees that what it has is not the whole
    kLost,      // the client is gone
  };

  virtual ~Codec() = default;
  virtual Next advance() = 0;
  virtual Next on_deadline() = 0;  // of ClientConnection::set_deadline()
  // The worker is leaving: nothing new is begun once the client can know.
  virtual void drain() = 0;
  // The connection ends now: so do its exchanges.
  virtual void abort(std::string_view why) = 0;
};

}  // namespace gatehouse::l7
