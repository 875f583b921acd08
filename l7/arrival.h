// A connection that was accepted: who it is from, whom it was for, and its place in the limits. Made by
// Listener, completed by Intake from what the connection's first bytes say, kept by whoever serves it.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "common/address.h"
#include "l7/admission.h"
#include "l7/proxy_protocol.h"

namespace gatehouse::l7 {

class Wire;

// What the first bytes of a connection said. Few connections have that: it is kept apart.
struct Introduction {
  Endpoint destination;     // of a PROXY header; port 0: the socket knows it
  std::string server_name;  // of a ClientHello or PROXY header, before any TLS of ours
  std::string alpn;         // that a ClientHello likes best
};

struct Arrival {
  Endpoint client;  // the peer, or whom its PROXY header names
  Seat seat;
  std::unique_ptr<Introduction> introduction;
};

// What tells a backend of it. `client`: its wire.
std::size_t write_proxy_header(ProxyVersion version, const Arrival& arrival, const Wire& client,
                               std::span<char, kMostProxyHeader> out);

}  // namespace gatehouse::l7
