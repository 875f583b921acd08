#include "l7/tls/client_certificate.h"

#include <openssl/x509v3.h>

#include "common/hex.h"

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kLongest = 1024;

// What is not printable is written as %XX, and so is '%'.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (line.size() + 3 > kLongest) break;
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte < 0x7f && byte != '%') {
      line += c;
    } else {
      append_escaped(line, byte);
    }
  }
  return line;
}

std::string content_of(const BioPtr& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return one_line({data, static_cast<std::size_t>(size)});
}

std::string subject_of(const X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  return content_of(bio);
}

// A separator within a name would make two of it.
std::string alternative_name(const GENERAL_NAME* name) {
  int kind = 0;
  const auto* value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(name, &kind));
  const bool is_text = kind == GEN_DNS || kind == GEN_URI || kind == GEN_EMAIL;
  if (is_text) {
    std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                     static_cast<std::size_t>(ASN1_STRING_length(value)));
    text = one_line(text);
    for (std::size_t at; (at = text.find(',')) != std::string::npos;) text.replace(at, 1, "%2C");
    return (kind == GEN_DNS ? "DNS:" : kind == GEN_URI ? "URI:" : "email:") + text;
  }
  if (kind != GEN_IPADD) return {};
  const BioPtr bio(BIO_new(BIO_s_mem()));
  GENERAL_NAME_print(bio.get(), const_cast<GENERAL_NAME*>(name));
  return content_of(bio);
}

std::string names_of(const X509* certificate) {
  std::string text;
  auto* names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const std::string name = alternative_name(sk_GENERAL_NAME_value(names, i));
    if (name.empty() || text.size() + name.size() > kLongest) continue;
    text += (text.empty() ? "" : ", ") + name;
  }
  GENERAL_NAMES_free(names);
  return text;
}

std::string fingerprint_of(const X509* certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1) return {};
  return to_hex({digest, size});
}

}  // namespace

std::unique_ptr<ClientCertificate> describe_client(const SSL* ssl) {
  auto client = std::make_unique<ClientCertificate>();
  client->verified = "NONE";
  const X509Ptr certificate(SSL_get1_peer_certificate(ssl));
  if (!certificate) return client;
  const long verdict = SSL_get_verify_result(ssl);
  client->verified =
      verdict == X509_V_OK ? "SUCCESS" : "FAILED: " + one_line(X509_verify_cert_error_string(verdict));
  client->subject = subject_of(certificate.get());
  client->names = names_of(certificate.get());
  client->fingerprint = fingerprint_of(certificate.get());
  ERR_clear_error();
  return client;
}

}  // namespace gatehouse::l7
