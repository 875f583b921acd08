#include "l7/tls/context.h"

#include <openssl/ssl.h>
#include <openssl/tls1.h>

#include <algorithm>

#include "common/check.h"
#include "common/digest.h"
#include "common/log.h"
#include "common/ocsp.h"
#include "common/tls_policy.h"
#include "l7/tls/key_schedule.h"

namespace gatehouse::l7 {
namespace {

constexpr std::uint32_t kMostEarlyData = 16 * 1024;
constexpr std::size_t kLongestName = 255;

enum KeyKind : std::size_t { kEc, kRsa, kOther };

KeyKind kind_of(std::string_view key_type) {
  return key_type == "EC" ? kEc : key_type == "RSA" ? kRsa : kOther;
}

Error listener_error(const config::Listener& listener, const std::string& what) {
  return Error{"[[listener]] \"" + listener.name + "\": " + what};
}

std::string alpn_list(const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& protocol : protocols) list += static_cast<char>(protocol.size()) + protocol;
  return list;
}

// The verdict is told to the backend; it does not end the handshake (client_certificates = "request").
int accept_any(int, X509_STORE_CTX*) { return 1; }

}  // namespace

// What a context's callbacks need: it lives as long as the context does, which may be longer than its
// TlsContext.
struct TlsContext::Attachment {
  struct Staple {
    X509* certificate;  // the context's own
    std::string response;
    std::chrono::system_clock::time_point expiry;
  };
  TlsContext* owner;  // nullptr after a reload
  std::string protocols;
  std::vector<Staple> staples;

  static int index() {
    static const int index = SSL_CTX_get_ex_new_index(
        0, nullptr, nullptr, nullptr, [](void*, void* attachment, CRYPTO_EX_DATA*, int, long, void*) {
          delete static_cast<Attachment*>(attachment);
        });
    return index;
  }
};

TlsContext::TlsContext(const config::Listener& listener, TlsResources& resources, Options options)
    : listener_(listener),
      resources_(resources),
      options_(std::move(options)),
      protocols_(alpn_list(options_.protocols)) {}

Result<std::unique_ptr<TlsContext>> TlsContext::make(const config::Listener& listener, const TlsFiles& files,
                                                     TlsResources& resources, Options options) {
  std::unique_ptr<TlsContext> made(new TlsContext(listener, resources, std::move(options)));
  if (const Status prepared = made->prepare_client_certificates(files); !prepared) return prepared.error();
  made->session_context_ = made->session_context(files);
  for (const config::Certificate& certificate : listener.certificates) {
    if (const Status added = made->add(certificate, files); !added) return added.error();
  }
  GH_CHECK(!made->identities_.empty());
  const auto context = made->make_context(made->default_choice());
  if (!context) return context.error();
  made->default_ = *context;
  return made;
}

TlsContext::~TlsContext() {
  // A handshake that began before a reload may outlive this object: it keeps the default certificate.
  for (const auto& [choice, context] : contexts_) {
    attachment_of(context)->owner = nullptr;
    SSL_CTX_free(context);
  }
}

TlsContext::Attachment* TlsContext::attachment_of(const SSL_CTX* context) {
  return static_cast<Attachment*>(SSL_CTX_get_ex_data(context, Attachment::index()));
}

Status TlsContext::add(const config::Certificate& certificate, const TlsFiles& files) {
  const TlsFile* chain = files.find(certificate.chain);
  if (!chain || !files.find(certificate.key))
    return listener_error(listener_, certificate.chain + " was not handed over");
  const auto index = static_cast<std::uint32_t>(identities_.size());
  const KeyKind kind = kind_of(chain->key_type);
  identities_.push_back({certificate.chain, chain->text, std::string(files.text_of(certificate.key)),
                         std::string(files.text_of(certificate.ocsp))});
  kinds_.push_back(kind);
  for (const std::string& name : chain->names) {
    Choice& choice = by_name_.try_emplace(name, Choice{kNoIdentity, kNoIdentity, kNoIdentity}).first->second;
    if (choice[kind] == kNoIdentity) choice[kind] = index;
  }
  return {};
}

// The first certificate, and those of other kinds that have a name with it in common.
TlsContext::Choice TlsContext::default_choice() const {
  Choice best{kNoIdentity, kNoIdentity, kNoIdentity};
  best[kinds_.front()] = 0;
  for (const auto& [name, choice] : by_name_) {
    if (choice[kinds_.front()] != 0) continue;
    for (std::size_t kind = 0; kind < kKeyKinds; ++kind) best[kind] = std::min(best[kind], choice[kind]);
  }
  return best;
}

Status TlsContext::prepare_client_certificates(const TlsFiles& files) {
  if (listener_.client_certificates == "none") return {};
  client_authorities_ = files.text_of(listener_.client_ca);
  auto trust = make_trust(client_authorities_, files.text_of(listener_.client_crl));
  if (!trust) return listener_error(listener_, "client certificates: " + trust.error().message);
  client_trust_ = std::move(*trust);
  return {};
}

// Sessions are resumed where they could have been begun: on this listener, by clients whom the same
// authorities vouch for.
std::string TlsContext::session_context(const TlsFiles& files) const {
  std::string text = listener_.name + '\0' + listener_.client_certificates + '\0';
  if (client_trust_)
    text.append(files.text_of(listener_.client_ca))
        .append(1, '\0')
        .append(files.text_of(listener_.client_crl));
  static_assert(kDigestBytes == SSL_MAX_SID_CTX_LENGTH);
  return sha256(text);
}

Result<SSL_CTX*> TlsContext::make_context(const Choice& choice) {
  if (const auto known = contexts_.find(choice); known != contexts_.end()) return known->second;
  SslContextPtr context(SSL_CTX_new_ex(nullptr, kPreferOwn, TLS_server_method()));
  SSL_CTX* raw = context.get();
  GH_CHECK(raw && SSL_CTX_set_ex_data(raw, Attachment::index(), new Attachment{this, protocols_, {}}) == 1);
  if (const Status applied = apply_tls_policy(raw, listener_.tls); !applied)
    return listener_error(listener_, applied.error().message);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF |
                               SSL_OP_NO_ANTI_REPLAY);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);  // tickets only: a worker keeps no state
  SSL_CTX_set_session_id_context(raw, reinterpret_cast<const unsigned char*>(session_context_.data()),
                                 static_cast<unsigned>(session_context_.size()));
  if (options_.ticket_lifetime.count() > 0) resources_.tickets.attach(raw, options_.ticket_lifetime);
  if (options_.takes_early_data) SSL_CTX_set_max_early_data(raw, kMostEarlyData);
  SSL_CTX_set_tlsext_servername_callback(raw, &TlsContext::on_server_name);
  SSL_CTX_set_alpn_select_cb(raw, &TlsContext::on_protocols, nullptr);
  SSL_CTX_set_tlsext_status_cb(raw, &TlsContext::on_status_request);
  if (client_trust_) expect_client_certificates(raw);
  for (const std::uint32_t index : choice) {
    if (index == kNoIdentity) continue;
    if (const Status used = use(raw, identities_[index]); !used)
      return listener_error(listener_, used.error().message);
  }
  return contexts_.emplace(choice, context.release()).first->second;
}

Status TlsContext::use(SSL_CTX* context, const Identity& identity) const {
  auto chain = read_chain(identity.chain);
  if (!chain) return Error{identity.label + ": " + chain.error().message};
  auto key = resources_.keys.read(identity.key);
  if (!key) return Error{identity.label + ": " + key.error().message};
  if (const Status fits = check_key_of(*chain, key->get()); !fits)
    return Error{identity.label + ": " + fits.error().message};
  STACK_OF(X509)* issuers = sk_X509_new_null();
  for (const X509Ptr& issuer : chain->issuers) sk_X509_push(issuers, issuer.get());
  const bool is_taken = SSL_CTX_use_cert_and_key(context, chain->leaf.get(), key->get(), issuers, 1) == 1;
  sk_X509_free(issuers);
  if (!is_taken) return Error{identity.label + ": " + take_openssl_error("OpenSSL refuses it")};
  if (identity.ocsp.empty()) return {};
  const auto expiry = ocsp_expiry(identity.ocsp, *chain);
  if (expiry)
    attachment_of(context)->staples.push_back({SSL_CTX_get0_certificate(context), identity.ocsp, *expiry});
  return {};
}

void TlsContext::expect_client_certificates(SSL_CTX* context) const {
  SSL_CTX_set1_verify_cert_store(context, client_trust_.get());
  SSL_CTX_set_client_CA_list(context, names_of_authorities(client_authorities_));
  const bool is_required = listener_.client_certificates == "require";
  SSL_CTX_set_verify(context,
                     is_required ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_PEER,
                     is_required ? nullptr : accept_any);
}

SSL_CTX* TlsContext::choose(std::string_view server_name) {
  if (server_name.size() > kLongestName) return default_;
  char room[kLongestName];
  std::transform(server_name.begin(), server_name.end(), room,
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const std::string_view name(room, server_name.size());
  auto found = by_name_.find(name);
  const std::size_t dot = name.find('.');
  if (found == by_name_.end() && dot != std::string_view::npos && dot > 0) {
    room[dot - 1] = '*';
    found = by_name_.find(name.substr(dot - 1));
  }
  if (found == by_name_.end()) return default_;
  const auto context = make_context(found->second);
  if (context) return *context;
  log_error("{}", context.error().message);
  return default_;
}

int TlsContext::on_server_name(SSL* ssl, int*, void*) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (!name) return SSL_TLSEXT_ERR_NOACK;
  SSL_CTX* present = SSL_get_SSL_CTX(ssl);
  if (TlsContext* owner = attachment_of(present)->owner) {
    SSL_CTX* chosen = owner->choose(name);
    if (chosen != present) SSL_set_SSL_CTX(ssl, chosen);
  }
  return SSL_TLSEXT_ERR_OK;
}

int TlsContext::on_protocols(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                             const unsigned char* in, unsigned in_size, void*) {
  const std::string& ours = attachment_of(SSL_get_SSL_CTX(ssl))->protocols;
  const int found = SSL_select_next_proto(const_cast<unsigned char**>(out), out_size,
                                          reinterpret_cast<const unsigned char*>(ours.data()),
                                          static_cast<unsigned>(ours.size()), in, in_size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int TlsContext::on_status_request(SSL* ssl, void*) {
  const X509* chosen = SSL_get_certificate(ssl);
  for (const Attachment::Staple& staple : attachment_of(SSL_get_SSL_CTX(ssl))->staples) {
    if (staple.certificate != chosen || staple.expiry < std::chrono::system_clock::now()) continue;
    auto* copy = static_cast<unsigned char*>(OPENSSL_memdup(staple.response.data(), staple.response.size()));
    if (!copy) break;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(staple.response.size()));
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

}  // namespace gatehouse::l7
