// The TLS side of one listener: which certificate answers which server name and kind of client, which
// versions and protocols are spoken, whose certificates clients show. Names are known at once, contexts are
// made when a client first asks for them: a listener may have thousands of certificates. Connections hold a
// reference through OpenSSL, so a reload may drop it under them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/certificate.h"
#include "common/config/model_http.h"
#include "l7/tls/files.h"
#include "l7/tls/ticket_keys.h"
#include "l7/tls/trust.h"

namespace gatehouse::l7 {

// What the TLS of a whole process shares. Outlives every connection.
struct TlsResources {
  TicketKeys tickets;
  PrivateKeyReader keys;
};

class TlsContext {
 public:
  struct Options {
    std::vector<std::string> protocols = {"http/1.1"};  // of ALPN, preferred first
    bool takes_early_data = false;
    Duration ticket_lifetime{0};  // 0: nothing is resumed
  };
  // The first certificate is the default, for clients without SNI or with an unknown name. It must be good;
  // others that turn out not to be are logged and answered with the default.
  static Result<std::unique_ptr<TlsContext>> make(const config::Listener& listener, const TlsFiles& files,
                                                  TlsResources& resources, Options options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;

  SSL_CTX* context() const { return default_; }
  // The context whose certificates name `server_name`: exactly, or by a wildcard of one label. With an RSA
  // and an ECDSA certificate for the name it has both, and OpenSSL takes the one that the client can verify.
  SSL_CTX* choose(std::string_view server_name);
  const Options& options() const { return options_; }
  bool has_tickets() const { return options_.ticket_lifetime.count() > 0 && resources_.tickets.are_set(); }
  bool asks_for_certificates() const { return client_trust_ != nullptr; }

 private:
  struct Identity {
    std::string label;  // the file, for messages
    std::string chain, key, ocsp;
  };
  // One identity per kind of key; kNoIdentity: there is none.
  static constexpr std::size_t kKeyKinds = 3;
  static constexpr std::uint32_t kNoIdentity = ~0u;
  using Choice = std::array<std::uint32_t, kKeyKinds>;
  struct Attachment;
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };

  TlsContext(const config::Listener& listener, TlsResources& resources, Options options);
  Status add(const config::Certificate& certificate, const TlsFiles& files);
  Status prepare_client_certificates(const TlsFiles& files);
  Choice default_choice() const;
  Result<SSL_CTX*> make_context(const Choice& choice);
  Status use(SSL_CTX* context, const Identity& identity) const;
  void expect_client_certificates(SSL_CTX* context) const;
  std::string session_context(const TlsFiles& files) const;
  static Attachment* attachment_of(const SSL_CTX* context);
  static int on_server_name(SSL* ssl, int*, void*);
  static int on_protocols(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                          const unsigned char* in, unsigned in_size, void*);
  static int on_status_request(SSL* ssl, void*);

  config::Listener listener_;
  TlsResources& resources_;
  Options options_;
  std::string protocols_;  // as ALPN writes them
  std::string session_context_;
  std::string client_authorities_;
  X509StorePtr client_trust_;
  std::vector<Identity> identities_;
  std::vector<std::size_t> kinds_;  // of identities_
  std::unordered_map<std::string, Choice, NameHash, std::equal_to<>> by_name_;
  std::map<Choice, SSL_CTX*> contexts_;
  SSL_CTX* default_ = nullptr;
};

}  // namespace gatehouse::l7
