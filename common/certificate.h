// Certificates and keys as they come in PEM files: read, understood, checked against each other. Errors say
// what is wrong with the text; who calls knows which file it is of.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/openssl_ptr.h"
#include "common/result.h"

namespace gatehouse {

struct CertificateChain {
  X509Ptr leaf;
  std::vector<X509Ptr> issuers;
};

// The certificate, then its issuers.
Result<CertificateChain> read_chain(std::string_view pem);

// DNS names that a certificate is for, in lower case: its alternative names, or the common name of an old one
// that has none.
std::vector<std::string> names_of(const X509* certificate);
// "*.shop.example" is for names of one label more.
bool is_certificate_name_for(std::string_view certificate_name, std::string_view host);
std::string common_name_of(const X509* certificate);  // nullptr has none
std::string key_type_of(X509* certificate);  // "EC", "RSA", "ED25519"
// SHA-256 of its public key (SubjectPublicKeyInfo), in hexadecimal digits.
std::string pin_of(const X509* certificate);
// Of the chain's certificate that expires first.
std::chrono::system_clock::time_point expiry_of(const CertificateChain& chain);
// When its leaf begins to be good.
std::chrono::system_clock::time_point beginning_of(const CertificateChain& chain);
std::int64_t days_left(std::chrono::system_clock::time_point expiry);

// Reads private keys, PKCS #8 or traditional, without a passphrase. One reader for many: OpenSSL 3.0 takes
// half a millisecond to find out how a key is written, most of which is preparation.
class PrivateKeyReader {
 public:
  PrivateKeyReader();
  ~PrivateKeyReader();
  PrivateKeyReader(const PrivateKeyReader&) = delete;

  Result<PrivateKeyPtr> read(std::string_view pem);

 private:
  struct Decoder;
  std::unique_ptr<Decoder> decoder_;
};

Status check_key_of(const CertificateChain& chain, EVP_PKEY* key);

std::string lower_case(std::string_view text);

}  // namespace gatehouse
