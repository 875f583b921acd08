// A LoopbackWorker whose clients speak HTTP/2 with prior knowledge.
#pragma once

#include <memory>

#include "tests/l7/support/loopback_worker.h"
#include "tests/support/h2_peer.h"

namespace gatehouse::test {

class H2Site : public LoopbackWorker {
 public:
  H2Site() { config.listeners[0].h2c = true; }

  std::unique_ptr<H2Peer> connect_h2(H2Peer::Options options = {}, int receive_buffer = 0) {
    return std::make_unique<H2Peer>(connect(receive_buffer), std::move(options));
  }
  // The answer on a stream, once it is over in whatever way.
  H2Message& ended(H2Peer& client, std::int32_t id) {
    H2Message& message = client.message(id);
    EXPECT_TRUE(until([&] { return message.is_ended || message.is_closed || client.is_ended(); })) << "stream " << id;
    return message;
  }
  std::uint64_t offences(l7::H2Offence offence) { return board->worker(0).h2_offences[static_cast<std::size_t>(offence)]; }
};

}  // namespace gatehouse::test
