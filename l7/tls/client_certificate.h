// What is known of a client by its certificate, as backends are told. Every value is printable ASCII on one
// line, of bounded length: names in certificates may contain anything.
#pragma once

#include <memory>
#include <string>

#include "common/openssl_ptr.h"

namespace gatehouse::l7 {

struct ClientCertificate {
  std::string verified;     // "SUCCESS", "FAILED: reason", "NONE"
  std::string subject;      // RFC 2253
  std::string names;        // alternative names: "DNS:a.example, URI:spiffe://…"
  std::string fingerprint;  // SHA-256, hexadecimal
};

// After the handshake, on a listener that asks for certificates.
std::unique_ptr<ClientCertificate> describe_client(const SSL* ssl);

}  // namespace gatehouse::l7
