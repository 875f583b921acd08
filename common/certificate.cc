#include "common/certificate.h"

#include <openssl/decoder.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "common/check.h"
#include "common/digest.h"

namespace gatehouse {
namespace {

std::string_view text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

std::chrono::system_clock::time_point time_of(const ASN1_TIME* time) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return {};
  return std::chrono::system_clock::from_time_t(timegm(&fields));
}

// PEM_read_bio_X509 reads to the end of the text and then says that there is no more: that is no error.
X509Ptr read_certificate(BIO* bio) { return X509Ptr(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)); }

bool is_at_end_of_pem() {
  const unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

Result<CertificateChain> read_chain(std::string_view pem) {
  ERR_clear_error();
  const BioPtr bio = bio_over(pem);
  CertificateChain chain;
  chain.leaf = read_certificate(bio.get());
  if (!chain.leaf) return Error{"certificate chain is not usable: " + take_openssl_error("not PEM")};
  while (X509Ptr issuer = read_certificate(bio.get())) chain.issuers.push_back(std::move(issuer));
  if (!is_at_end_of_pem()) return Error{"issuer in the certificate chain: " + take_openssl_error("not PEM")};
  ERR_clear_error();
  return chain;
}

std::vector<std::string> names_of(const X509* certificate) {
  std::vector<std::string> names;
  auto* alternatives =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type == GEN_DNS) names.push_back(lower_case(text_of(name->d.dNSName)));
  }
  const bool has_alternatives = !names.empty();
  GENERAL_NAMES_free(alternatives);
  if (has_alternatives) return names;
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int last = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (last >= 0)
    names.push_back(lower_case(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)))));
  return names;
}

bool is_certificate_name_for(std::string_view certificate_name, std::string_view host) {
  if (certificate_name == host) return true;
  const std::size_t dot = host.find('.');
  return certificate_name.starts_with("*.") && dot != std::string_view::npos && dot > 0 &&
         certificate_name.substr(1) == host.substr(dot);
}

std::string common_name_of(const X509* certificate) {
  if (!certificate) return {};
  char name[256] = "";
  const int length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  return length > 0 ? std::string(name, static_cast<std::size_t>(length)) : std::string();
}

std::string key_type_of(X509* certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  const char* name = key ? EVP_PKEY_get0_type_name(key) : nullptr;
  return name ? name : "";
}

std::string pin_of(const X509* certificate) {
  unsigned char* der = nullptr;
  const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  GH_CHECK(length > 0);
  const std::string pin = sha256_hex({reinterpret_cast<const char*>(der), static_cast<std::size_t>(length)});
  OPENSSL_free(der);
  return pin;
}

std::chrono::system_clock::time_point expiry_of(const CertificateChain& chain) {
  auto first = time_of(X509_get0_notAfter(chain.leaf.get()));
  for (const X509Ptr& issuer : chain.issuers)
    first = std::min(first, time_of(X509_get0_notAfter(issuer.get())));
  return first;
}

std::chrono::system_clock::time_point beginning_of(const CertificateChain& chain) {
  return time_of(X509_get0_notBefore(chain.leaf.get()));
}

std::int64_t days_left(std::chrono::system_clock::time_point expiry) {
  return std::chrono::floor<std::chrono::days>(expiry - std::chrono::system_clock::now()).count();
}

struct PrivateKeyReader::Decoder {
  EVP_PKEY* key = nullptr;
  OSSL_DECODER_CTX* context =
      OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", nullptr, nullptr, EVP_PKEY_KEYPAIR, nullptr, nullptr);
  ~Decoder() { OSSL_DECODER_CTX_free(context); }
};

PrivateKeyReader::PrivateKeyReader() : decoder_(std::make_unique<Decoder>()) { GH_CHECK(decoder_->context); }
PrivateKeyReader::~PrivateKeyReader() = default;

Result<PrivateKeyPtr> PrivateKeyReader::read(std::string_view pem) {
  ERR_clear_error();
  const auto* data = reinterpret_cast<const unsigned char*>(pem.data());
  std::size_t size = pem.size();
  decoder_->key = nullptr;
  const bool is_read = OSSL_DECODER_from_data(decoder_->context, &data, &size) == 1 && decoder_->key;
  PrivateKeyPtr key(std::exchange(decoder_->key, nullptr));
  if (!is_read) return Error{"key is not usable: " + take_openssl_error("not PEM")};
  ERR_clear_error();
  return key;
}

Status check_key_of(const CertificateChain& chain, EVP_PKEY* key) {
  if (X509_check_private_key(chain.leaf.get(), key) == 1) return {};
  return Error{"key does not belong to the certificate: " + take_openssl_error("another key")};
}

}  // namespace gatehouse
