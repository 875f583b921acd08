#include "l7/tls_context.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <functional>

#include "common/check.h"

namespace gatehouse::l7 {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

struct BioReader {
  explicit BioReader(const std::string& text) : bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))) {}
  ~BioReader() { BIO_free(bio); }
  BIO* bio;
};

Error tls_error(const std::string& listener, const std::string& what) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  const std::string why = reason ? reason : "not PEM";
  ERR_clear_error();
  return Error{"[[listener]] \"" + listener + "\": " + what + ": " + why};
}

// Names of a certificate: its DNS alternative names, or the common name of an old one that has none.
std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  auto* alternatives = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type != GEN_DNS) continue;
    const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    names.push_back(lower({text, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))}));
  }
  GENERAL_NAMES_free(alternatives);
  if (!names.empty()) return names;
  char common_name[256];
  const int length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common_name, sizeof common_name);
  if (length > 0) names.push_back(lower({common_name, static_cast<std::size_t>(length)}));
  return names;
}

int on_server_name(SSL* ssl, int*, void* argument) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (!name) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_SSL_CTX(ssl, static_cast<const TlsContext*>(argument)->choose(name));
  return SSL_TLSEXT_ERR_OK;
}

// What ALPN chooses from, preferred first.
constexpr unsigned char kProtocols[] = "\x02h2\x08http/1.1";
constexpr std::size_t kLengthOfH2 = 3;

int on_alpn(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in, unsigned in_length, void* offers_h2) {
  const std::size_t skipped = offers_h2 ? 0 : kLengthOfH2;
  const int found = SSL_select_next_proto(const_cast<unsigned char**>(out), out_length, kProtocols + skipped,
                                          static_cast<unsigned>(sizeof kProtocols - 1 - skipped), in, in_length);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

SSL_CTX* make_context(bool offers_h2) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  GH_CHECK(context && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
  GH_CHECK(SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets only: a worker keeps no state
  static constexpr unsigned char kSessionContext[] = "gatehouse";
  SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1);
  SSL_CTX_set_alpn_select_cb(context, on_alpn, offers_h2 ? context : nullptr);
  return context;
}

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::make(const std::string& listener, const std::vector<KeyPair>& pairs, bool offers_h2) {
  std::unique_ptr<TlsContext> made(new TlsContext(offers_h2));
  for (const KeyPair& pair : pairs) {
    if (const Status added = made->add(listener, pair); !added) return added.error();
  }
  GH_CHECK(!made->contexts_.empty());
  SSL_CTX_set_tlsext_servername_callback(made->context(), on_server_name);
  SSL_CTX_set_tlsext_servername_arg(made->context(), made.get());
  return made;
}

TlsContext::~TlsContext() {
  // A handshake that began before a reload may outlive this object: it keeps the default certificate.
  SSL_CTX_set_tlsext_servername_callback(contexts_.front(), nullptr);
  for (SSL_CTX* context : contexts_) SSL_CTX_free(context);
}

Status TlsContext::add(const std::string& listener, const KeyPair& pair) {
  ERR_clear_error();
  SSL_CTX* context = make_context(offers_h2_);
  contexts_.push_back(context);
  const BioReader chain(pair.chain);
  X509* leaf = PEM_read_bio_X509_AUX(chain.bio, nullptr, nullptr, nullptr);
  if (!leaf || SSL_CTX_use_certificate(context, leaf) != 1) {
    X509_free(leaf);
    return tls_error(listener, "certificate chain is not usable");
  }
  for (const std::string& name : names_of(leaf)) by_name_.emplace(name, context);
  X509_free(leaf);
  while (X509* issuer = PEM_read_bio_X509(chain.bio, nullptr, nullptr, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, issuer) != 1) return tls_error(listener, "issuer in the certificate chain");
  }
  ERR_clear_error();  // the end of the chain is an error to the reader
  const BioReader reader(pair.key);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(reader.bio, nullptr, nullptr, nullptr);
  if (!key) return tls_error(listener, "key is not usable");
  const bool is_taken = SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
  EVP_PKEY_free(key);
  if (!is_taken) return tls_error(listener, "key does not belong to the certificate");
  return {};
}

ssl_ctx_st* TlsContext::choose(std::string_view server_name) const {
  const std::string name = lower(server_name);
  if (const auto exact = by_name_.find(name); exact != by_name_.end()) return exact->second;
  const std::size_t dot = name.find('.');
  if (dot != std::string::npos) {
    if (const auto wildcard = by_name_.find("*" + name.substr(dot)); wildcard != by_name_.end()) return wildcard->second;
  }
  return context();
}

}  // namespace gatehouse::l7
