// What an HTTP/1.1 WebSocket handshake proves (RFC 6455 §1.3), for clients that began theirs in HTTP/2, where it has none.
#pragma once

#include <string>
#include <string_view>

namespace gatehouse::l7::http {

// A key made of `nonce`, of at least 16 characters.
std::string websocket_key(std::string_view nonce);
// The value of Sec-WebSocket-Accept that answers a key.
std::string websocket_accept(std::string_view key);

}  // namespace gatehouse::l7::http
