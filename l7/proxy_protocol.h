// The PROXY protocol (haproxy's proxy-protocol.txt), versions 1 and 2: who a connection is from, said by the
// proxy before us or to the backend behind us. Parser and writer of one struct; neither knows sockets.
// Whoever reads a header must have decided to trust its sender; whoever writes one must give the connection
// to that client alone (§2).
//
// The parser is given all bytes that have come so far, each time from the first. What is malformed stays
// malformed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/address.h"

namespace gatehouse::l7 {

enum class ProxyVersion : std::uint8_t { kNone, kV1, kV2 };

ProxyVersion parse_proxy_version(std::string_view name);  // "v1", "v2"; else none

struct ProxyHeader {
  bool names_client = false;  // else LOCAL, UNKNOWN or no TCP: the connection's own addresses hold
  Endpoint source;
  Endpoint destination;
  // Version 2 only; they point into the bytes that were parsed. Empty: absent.
  std::string_view authority;  // the name that the client asked for: SNI
  std::string_view alpn;
  bool is_tls = false;  // the client spoke TLS to the sender
  std::string_view tls_version;
  std::string_view tls_cipher;
};

enum class ProxyStatus : std::uint8_t { kDone, kNeedMore, kMalformed };
struct ProxyResult {
  ProxyStatus status = ProxyStatus::kNeedMore;
  std::size_t length = 0;   // of a header that is done
  const char* reason = "";  // of one that is malformed
};

inline constexpr std::size_t kLongestProxyHeader =
    4096;  // that is taken; the protocol means 536 to be plenty (§2)
inline constexpr std::size_t kMostProxyHeader = 1024;  // that is written

ProxyResult parse_proxy_header(std::string_view bytes, ProxyHeader& header);

// Returns the length. What a version cannot say is left out: version 1 says UNKNOWN, version 2 LOCAL for a
// header that names no client. Version 2 has a checksum.
std::size_t write_proxy_header(ProxyVersion version, const ProxyHeader& header,
                               std::span<char, kMostProxyHeader> out);

// CRC32c (RFC 4960 Appendix B), of bytes that may come in parts: the value after the part before; 0 at first.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

}  // namespace gatehouse::l7
