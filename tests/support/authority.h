// A certificate authority for tests: issues certificates of any kind, revokes them, answers for them (OCSP).
// Everything is text in memory, as it would be in files.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/openssl_ptr.h"

namespace gatehouse::test {

struct Wanted {
  std::string common_name;
  std::string alternatives;     // as OpenSSL writes them: "DNS:a.example,IP:192.0.2.1"; empty: none
  std::string key_type = "EC";  // or "RSA"
  int days = 90;                // negative: expired so long ago
};

struct Issued {
  std::string chain;  // the certificate, then the authority's
  std::string key;
  std::uint64_t serial = 0;
  X509* certificate() const { return x509.get(); }
  std::shared_ptr<X509> x509;
};

class Authority {
 public:
  explicit Authority(const std::string& name = "test authority");

  const std::string& pem() const { return pem_; }
  Issued issue(const Wanted& wanted);
  // PEM; good for `days`.
  std::string revocation_list(const std::set<std::uint64_t>& serials, int days = 1) const;
  // DER; negative `days`: expired.
  std::string ocsp_response(const Issued& about, int days = 1) const;

 private:
  PrivateKeyPtr key_;
  X509Ptr certificate_;
  std::string pem_;
  std::uint64_t next_serial_ = 100;
};

// "-----BEGIN EC PRIVATE KEY-----" and the like, of a key in PKCS #8.
std::string traditional_key(const std::string& pem);

}  // namespace gatehouse::test
