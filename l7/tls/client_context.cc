#include "l7/tls/client_context.h"

#include <openssl/x509v3.h>

#include "common/check.h"
#include "common/digest.h"
#include "common/tls_policy.h"
#include "l7/tls/key_schedule.h"
#include "l7/tls/session_slot.h"
#include "l7/tls/trust.h"

namespace gatehouse::l7 {
namespace {

// Whether a session is new is not asked: the connection that it came on knows whose it is.
int on_new_session(SSL* ssl, SSL_SESSION* session) {
  TlsSessions* sessions = sessions_of(ssl);
  if (!sessions) return 0;
  sessions->put(session);
  return 1;
}

Status show_certificate(SSL_CTX* context, const config::BackendTls& tls, const TlsFiles& files,
                        PrivateKeyReader& keys) {
  auto chain = read_chain(files.text_of(tls.certificate));
  if (!chain) return Error{tls.certificate + ": " + chain.error().message};
  auto key = keys.read(files.text_of(tls.key));
  if (!key) return Error{tls.key + ": " + key.error().message};
  if (const Status fits = check_key_of(*chain, key->get()); !fits)
    return Error{tls.key + ": " + fits.error().message};
  STACK_OF(X509)* issuers = sk_X509_new_null();
  for (const X509Ptr& issuer : chain->issuers) sk_X509_push(issuers, issuer.get());
  const bool is_taken = SSL_CTX_use_cert_and_key(context, chain->leaf.get(), key->get(), issuers, 1) == 1;
  sk_X509_free(issuers);
  return is_taken ? Status()
                  : Status(Error{tls.certificate + ": " + take_openssl_error("OpenSSL refuses it")});
}

Status trust_authorities(SSL_CTX* context, const config::BackendTls& tls, const TlsFiles& files) {
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (tls.ca.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    ERR_clear_error();
    return {};
  }
  auto trust = make_trust(files.text_of(tls.ca), {});
  if (!trust) return Error{tls.ca + ": " + trust.error().message};
  SSL_CTX_set_cert_store(context, trust->release());
  return {};
}

std::string alpn_list(const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& protocol : protocols) list += static_cast<char>(protocol.size()) + protocol;
  return list;
}

std::string identity_of(const config::BackendTls& tls, const TlsFiles& files, const std::string& protocols) {
  std::string identity;
  const std::string_view parts[] = {tls.verify ? "verify" : "trust",
                                    tls.server_name,
                                    tls.sni,
                                    tls.min_version,
                                    protocols,
                                    files.text_of(tls.ca),
                                    files.text_of(tls.certificate),
                                    files.text_of(tls.key)};
  for (const std::string_view part : parts)
    identity.append(std::to_string(part.size())).append(1, ':').append(part);
  return sha256(identity);
}

}  // namespace

Result<TlsClientContext> TlsClientContext::make(const std::string& pool, const config::BackendTls& tls,
                                                const TlsFiles& files, PrivateKeyReader& keys,
                                                std::vector<std::string> protocols) {
  TlsClientContext made;
  if (!tls.enabled) return made;
  SslContextPtr context(SSL_CTX_new_ex(nullptr, kPreferOwn, TLS_client_method()));
  GH_CHECK(context && SSL_CTX_set_min_proto_version(context.get(), tls_version_number(tls.min_version)) == 1);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context.get(), on_new_session);
  if (!tls.alpn.empty()) protocols = tls.alpn;
  const std::string offered = alpn_list(protocols);
  if (!offered.empty()) {
    SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(offered.data()),
                            static_cast<unsigned>(offered.size()));
  }
  Status done;
  if (tls.verify) done = trust_authorities(context.get(), tls, files);
  if (done && !tls.certificate.empty()) done = show_certificate(context.get(), tls, files, keys);
  if (!done) return Error{"[[pool]] \"" + pool + "\".tls: " + done.error().message};
  made.context_ = SharedContext(std::move(context));
  made.identity_ = identity_of(tls, files, offered);
  made.server_name_ = tls.server_name;
  made.sni_ = tls.sni.empty() ? tls.server_name : tls.sni;
  made.is_verifying_ = tls.verify;
  return made;
}

void TlsClientContext::prepare(SSL* ssl, const Endpoint& backend) const {
  // RFC 6066 §3: a server name is never an address.
  if (!sni_.empty() && !IpAddress::parse(sni_)) SSL_set_tlsext_host_name(ssl, sni_.c_str());
  if (!is_verifying_) return;
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const std::string name = expected_name(backend);
  const bool is_set = IpAddress::parse(name)
                          ? X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str()) == 1
                          : X509_VERIFY_PARAM_set1_host(expected, name.data(), name.size()) == 1;
  GH_CHECK(is_set);
}

std::string TlsClientContext::expected_name(const Endpoint& backend) const {
  return server_name_.empty() ? to_string(backend.address) : server_name_;
}

void TlsSessions::put(SSL_SESSION* session) {
  if (sessions_.size() == kMost) sessions_.pop_front();
  sessions_.emplace_back(session);
}

SSL_SESSION* TlsSessions::take() {
  while (!sessions_.empty()) {
    auto session = std::move(sessions_.back());
    sessions_.pop_back();
    if (!SSL_SESSION_is_resumable(session.get())) continue;
    // Only tickets of TLS 1.3 are for one use (RFC 8446 §C.4).
    if (SSL_SESSION_get_protocol_version(session.get()) < TLS1_3_VERSION &&
        SSL_SESSION_up_ref(session.get())) {
      sessions_.emplace_front(session.get());
    }
    return session.release();
  }
  return nullptr;
}

}  // namespace gatehouse::l7
