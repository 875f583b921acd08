// OpenSSL reads and writes; the rules are ours.
#include "common/identity/certificate_request.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstring>

namespace gatehouse::identity {
namespace {

constexpr std::size_t kLongestName = 64;  // ub-common-name, RFC 5280 appendix A.1

std::string quoted(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, kLongestName)) shown += c >= 0x20 && c < 0x7f ? c : '?';
  return "\"" + shown + "\"";
}

Status check_key(EVP_PKEY* key) {
  if (!key)
    return Error{"certificate request: its key is not usable: " + take_openssl_error("of an unknown kind")};
  if (EVP_PKEY_is_a(key, "RSA")) {
    const int bits = EVP_PKEY_get_bits(key);
    if (bits >= kLeastRsaBits && bits <= kMostRsaBits) return {};
    return Error{"certificate request: expected an RSA key of 2048 to 8192 bits, found " +
                 std::to_string(bits)};
  }
  char group[32] = "";
  const bool is_named =
      EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, nullptr) == 1;
  if (is_named && std::strcmp(group, "prime256v1") == 0) return {};
  return Error{"certificate request: expected a key of P-256 or RSA"};
}

Status check_subject(const X509_NAME* subject, std::string_view name) {
  const std::string expected = "certificate request: expected one for " + quoted(name) + " alone";
  if (X509_NAME_entry_count(subject) != 1) return Error{expected};
  const X509_NAME_ENTRY* entry = X509_NAME_get_entry(subject, 0);
  const ASN1_STRING* data = X509_NAME_ENTRY_get_data(entry);
  const std::string_view found(reinterpret_cast<const char*>(ASN1_STRING_get0_data(data)),
                               static_cast<std::size_t>(ASN1_STRING_length(data)));
  const bool is_text =
      ASN1_STRING_type(data) == V_ASN1_UTF8STRING || ASN1_STRING_type(data) == V_ASN1_PRINTABLESTRING;
  const bool is_name = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) == NID_commonName;
  if (is_name && is_text && found == name) return {};
  return Error{expected + ", found " + quoted(found)};
}

// Extensions are ours to write: what is asked for is left out. Who asks to be an authority is not one of our
// hosts.
Status check_extensions(X509_REQ* request) {
  STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(request);
  int is_critical = 0;
  auto* constraints = static_cast<BASIC_CONSTRAINTS*>(
      X509V3_get_d2i(extensions, NID_basic_constraints, &is_critical, nullptr));
  const bool wants_authority = constraints && constraints->ca;
  BASIC_CONSTRAINTS_free(constraints);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  ERR_clear_error();
  return wants_authority ? Status(Error{"certificate request: it asks for an authority (CA:TRUE)"})
                         : Status();
}

}  // namespace

PrivateKeyPtr make_key() {
  PrivateKeyPtr key(EVP_EC_gen("P-256"));
  GH_CHECK(key);
  return key;
}

std::string key_to_pem(EVP_PKEY* key) {
  return written_by(
      [&](BIO* bio) { return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr); });
}

std::string make_request(EVP_PKEY* key, const std::string& name) {
  const X509RequestPtr request(X509_REQ_new());
  GH_CHECK(request && X509_REQ_set_version(request.get(), 0) == 1);
  const auto* text = reinterpret_cast<const unsigned char*>(name.c_str());
  // A name too long for a certificate is refused by whoever checks the request.
  X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request.get()), "CN", MBSTRING_UTF8, text, -1, -1, 0);
  ERR_clear_error();
  GH_CHECK(X509_REQ_set_pubkey(request.get(), key) == 1 &&
           X509_REQ_sign(request.get(), key, EVP_sha256()) > 0);
  return written_by([&](BIO* bio) { return PEM_write_bio_X509_REQ(bio, request.get()); });
}

Result<X509RequestPtr> check_request(std::string_view pem, std::string_view name) {
  ERR_clear_error();
  if (name.empty() || name.size() > kLongestName) {
    return Error{"certificate request: expected a name of 1 to 64 bytes, as certificates can have"};
  }
  if (pem.size() > kLongestRequest) return Error{"certificate request: expected at most 8192 bytes"};
  const BioPtr bio = bio_over(pem);
  X509RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (!request) return Error{"certificate request is not usable: " + take_openssl_error("not PEM")};
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (const Status good = check_key(key); !good) return good.error();
  if (X509_REQ_verify(request.get(), key) != 1) {
    return Error{"certificate request is not signed with its key: " + take_openssl_error("wrong signature")};
  }
  if (const Status good = check_subject(X509_REQ_get_subject_name(request.get()), name); !good)
    return good.error();
  if (const Status good = check_extensions(request.get()); !good) return good.error();
  return request;
}

}  // namespace gatehouse::identity
