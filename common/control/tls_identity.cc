// What a TLS channel shows and whom it believes: a host of the site, or one that is about to join it.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "common/certificate.h"
#include "common/check.h"
#include "common/control/transport.h"

namespace gatehouse::control {
namespace {

SSL_CTX* new_context() {
  SSL_CTX* context = SSL_CTX_new(TLS_method());
  GH_CHECK(context && SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context,
                      SSL_OP_IGNORE_UNEXPECTED_EOF);  // a frame is whole or it is not: that is enough
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  return context;
}

Error tls_file_error(const std::string& what, const std::string& file) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return Error{"[control] " + what + " " + file + ": " + (reason ? reason : "not usable")};
}

// Of what the peer shows, the certificate of the pinned key is the only authority; OpenSSL does the rest, as
// always.
int verify_by_pin(X509_STORE_CTX* context, void* argument) {
  const auto& pin = *static_cast<const std::string*>(argument);
  STACK_OF(X509)* shown = X509_STORE_CTX_get0_untrusted(context);
  for (int i = 0; i < sk_X509_num(shown); ++i) {
    X509* authority = sk_X509_value(shown, i);
    if (pin_of(authority) != pin) continue;
    STACK_OF(X509)* trusted = sk_X509_new_null();
    GH_CHECK(trusted && sk_X509_push(trusted, authority) > 0);
    X509_STORE_CTX_set0_trusted_stack(context, trusted);
    X509_STORE_CTX_set_flags(context, X509_V_FLAG_PARTIAL_CHAIN);
    const int verified = X509_verify_cert(context);
    sk_X509_free(trusted);
    return verified;
  }
  X509_STORE_CTX_set_error(context, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

}  // namespace

TlsIdentity::~TlsIdentity() { SSL_CTX_free(context_); }

void replace_identity(TlsIdentity& identity, TlsIdentity& next) { identity.swap(next); }

Result<std::shared_ptr<TlsIdentity>> load_tls_identity(const config::Control& control) {
  if (control.certificate.empty()) return std::shared_ptr<TlsIdentity>();
  ERR_clear_error();
  auto identity = std::make_shared<TlsIdentity>(new_context());
  SSL_CTX* context = identity->context();
  const std::string& key = control.key.empty() ? control.certificate : control.key;
  if (SSL_CTX_use_certificate_chain_file(context, control.certificate.c_str()) != 1) {
    return tls_file_error("certificate", control.certificate);
  }
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return tls_file_error("key", key);
  }
  if (SSL_CTX_load_verify_file(context, control.ca.c_str()) != 1) return tls_file_error("ca", control.ca);
  return identity;
}

std::shared_ptr<TlsIdentity> identity_of_stranger(const std::string& pin) {
  auto kept = std::make_shared<const std::string>(pin);
  SSL_CTX* context = new_context();
  SSL_CTX_set_cert_verify_callback(context, verify_by_pin, const_cast<std::string*>(kept.get()));
  return std::make_shared<TlsIdentity>(context, std::move(kept));
}

}  // namespace gatehouse::control
