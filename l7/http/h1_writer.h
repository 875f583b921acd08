// Heads that go out, written anew from the parsed form: hop-by-hop fields are gone, framing and forwarding fields are
// ours, everything else keeps its name, value and order (RFC 9110 §7.6, RFC 9112 §6).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "l7/buffer.h"
#include "l7/http/field_edits.h"
#include "l7/http/message.h"
#include "l7/tls/client_certificate.h"

namespace gatehouse::l7::http {

// What we tell a backend about the client.
struct Forwarding {
  std::string_view client;      // address without port: "203.0.113.7", "2001:db8::7"
  std::string_view protocol;    // "http" or "https"
  std::string_view via;         // "1.1 n1"
  std::string_view request_id;  // ours, or the client's when it is trusted
  bool is_trusted = false;      // the client is a proxy whose forwarding fields are kept and added to
  std::string_view websocket_key;  // of an upgrade that came without one
  const ClientCertificate* certificate = nullptr;  // nullptr: the listener asks for none
  bool tells_attempts = false;  // X-Attempt-Count: 1, as the last field
  bool is_early = false;        // it came as early data (RFC 8470)
  std::string_view host;        // in place of the request's authority; empty: that
  const FieldEdits* edits = nullptr;  // of the route
};

// How a response's connection goes on, for its Connection field.
enum class Persistence : std::uint8_t { kSilent, kKeepAlive, kClose, kUpgrade };

struct ResponseStyle {
  Framing framing = Framing::kNone;  // on the client side; kNone keeps a Content-Length (HEAD, 304)
  Persistence persistence = Persistence::kSilent;
  std::string_view via;
  std::string_view request_id;
  std::string_view date;  // for a response that came without one (RFC 9110 §6.6.1); empty: none
  std::string_view hsts;  // Strict-Transport-Security in place of the backend's; empty: none of ours
  const FieldEdits* edits = nullptr;  // of the route
};

// Both append to `output` and return false, leaving it as it was, when the head does not fit even a large block.
// `length` is that of the received head: it bounds what is written.
bool write_request_head(Buffer& output, const Request& request, std::size_t length, const Forwarding& forwarding);
bool write_response_head(Buffer& output, const Response& response, std::size_t length, const ResponseStyle& style);

// The standard phrase: "Not Found". Empty for codes that only a config or a backend names.
std::string_view reason_phrase(std::uint16_t status);

// The framing of a chunk of `size` bytes into `out` (at least 18 bytes); returns its length.
std::size_t write_chunk_size(char* out, std::size_t size);
inline constexpr std::size_t kMaxChunkFraming = 18 + 2;  // size line and the CRLF after the data
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace gatehouse::l7::http
