// What a TLS ClientHello says before anything is encrypted: the server name and the protocols that the client
// offers. Reads raw bytes as they come from the wire; the hello may be split over any number of TLS records
// and TCP segments. It decides nothing but whether the bytes are a hello: versions, ciphers and whatever else
// are between client and backend.
//
// read() gets all bytes that have come so far, each time from the first; one reader may be used for many
// hellos.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gatehouse::l7::tcp {

inline constexpr std::size_t kLongestHello =
    16 * 1024;  // the message; some 2 KiB with the key shares of today
inline constexpr std::size_t kLongestHelloBytes = 16 * 1024;  // on the wire, with the headers of its records

class ClientHello {
 public:
  enum class Status : std::uint8_t { kDone, kNeedMore, kMalformed };

  Status read(std::string_view bytes);
  // Views into the reader, until the next read(). Empty: the client said none.
  std::string_view server_name() const { return server_name_; }
  std::string_view first_protocol() const { return first_protocol_; }  // of ALPN: the one that it likes best
  const char* reason() const { return reason_; }                       // of what is malformed

 private:
  Status join_records(std::string_view bytes);
  bool parse(std::string_view message);
  bool parse_extensions(std::string_view extensions);
  bool parse_server_names(std::string_view list);
  bool parse_protocols(std::string_view list);
  Status malformed(const char* reason);
  bool refuse(const char* reason);

  std::string message_;  // the handshake message, without the headers of records
  std::string_view server_name_;
  std::string_view first_protocol_;
  const char* reason_ = "";
};

}  // namespace gatehouse::l7::tcp
