#include "common/tls_policy.h"

#include <openssl/ssl.h>

#include "common/openssl_ptr.h"

namespace gatehouse {
namespace {

// AES-128 first: it is what every client takes and the cheapest; a client without AES hardware says so by its own order.
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kCiphersuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
// The hybrid group is there from OpenSSL 3.5 on; libraries are chosen when the program starts.
constexpr const char* kHybridGroups = "X25519MLKEM768:X25519:P-256:P-384";
constexpr const char* kGroups = "X25519:P-256:P-384";

Error refusal(const char* option, const std::string& value, const char* expected) {
  ERR_clear_error();
  return Error{std::string(option) + ": expected " + expected + ", found \"" + value + "\""};
}

bool set_groups(SSL_CTX* context, const std::string& groups) {
  if (!groups.empty()) return SSL_CTX_set1_groups_list(context, groups.c_str()) == 1;
  const bool is_set = SSL_CTX_set1_groups_list(context, kHybridGroups) == 1 ||
                      SSL_CTX_set1_groups_list(context, kGroups) == 1;
  ERR_clear_error();
  return is_set;
}

}  // namespace

int tls_version_number(const std::string& version) {
  return version == "1.2" ? TLS1_2_VERSION : version == "1.3" ? TLS1_3_VERSION : 0;
}

Status apply_tls_policy(ssl_ctx_st* context, const config::TlsPolicy& policy) {
  const bool is_modern = policy.policy == "modern";
  if (!is_modern && policy.policy != "intermediate")
    return refusal("policy", policy.policy, "\"modern\" or \"intermediate\"");
  const int version = policy.min_version.empty() ? (is_modern ? TLS1_3_VERSION : TLS1_2_VERSION)
                                                 : tls_version_number(policy.min_version);
  if (version == 0) return refusal("min_version", policy.min_version, "\"1.2\" or \"1.3\"");
  GH_CHECK(SSL_CTX_set_min_proto_version(context, version) == 1);
  if (SSL_CTX_set_cipher_list(context, policy.ciphers.empty() ? kCiphers : policy.ciphers.c_str()) != 1) {
    return refusal("ciphers", policy.ciphers, "ciphers of TLS 1.2 such as \"ECDHE+AESGCM\"");
  }
  if (SSL_CTX_set_ciphersuites(context, policy.ciphersuites.empty() ? kCiphersuites : policy.ciphersuites.c_str()) != 1) {
    return refusal("ciphersuites", policy.ciphersuites,
                   "ciphers of TLS 1.3 such as \"TLS_AES_128_GCM_SHA256\"");
  }
  if (!set_groups(context, policy.groups))
    return refusal("groups", policy.groups, "groups such as \"X25519:P-256\"");
  return {};
}

}  // namespace gatehouse
