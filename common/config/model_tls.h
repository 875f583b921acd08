// The part of the config model that is about TLS, of listeners and towards backends: see model.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/units.h"

namespace gatehouse::config {

struct Certificate {
  std::string chain;  // PEM file, leaf first
  std::string key;    // PEM file
  std::string ocsp;   // DER file: the authority's OCSP response; empty: none is stapled
};

// What a listener speaks. Explicit options replace that part of the policy.
struct TlsPolicy {
  std::string policy = "intermediate";  // modern | intermediate
  std::string min_version;              // 1.2 | 1.3
  std::string ciphers;                  // of TLS 1.2, as OpenSSL writes them
  std::string ciphersuites;             // of TLS 1.3
  std::string groups;                   // for the key exchange, preferred first
  bool operator==(const TlsPolicy&) const = default;
};

// TLS to the backends of a pool.
struct BackendTls {
  bool enabled = false;
  bool verify = true;       // chain and name
  std::string ca;           // PEM file; empty: the host's authorities
  std::string server_name;  // that the certificate must have; empty: the backend's address
  std::string sni;          // that is sent; empty: server_name
  std::vector<std::string> alpn;
  std::string certificate;  // PEM file, shown to backends that ask for one
  std::string key;
  std::string min_version = "1.2";
};

// TLS of the whole node.
struct Tls {
  std::string ticket_secret_file;  // the same on all nodes: tickets of one resume on another
  Duration ticket_lifetime{12 * 3'600'000};
  std::uint32_t handshakes_per_turn = 8;
};

}  // namespace gatehouse::config
