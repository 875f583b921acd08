// TLS towards the backends of a pool: whom to trust, which name to expect, what to show. A value: copies
// share OpenSSL's context, so that a backend and its connections keep theirs when a reload drops the pool's.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/certificate.h"
#include "common/config/model_tls.h"
#include "l7/tls/files.h"

namespace gatehouse::l7 {

// A reference of OpenSSL's own counting.
class SharedContext {
 public:
  SharedContext() = default;
  explicit SharedContext(SslContextPtr context) : context_(std::move(context)) {}
  SharedContext(const SharedContext& other) : context_(other.context_.get()) {
    if (context_) SSL_CTX_up_ref(context_.get());
  }
  SharedContext(SharedContext&&) noexcept = default;
  SharedContext& operator=(SharedContext other) noexcept {
    context_ = std::move(other.context_);
    return *this;
  }
  SSL_CTX* get() const { return context_.get(); }

 private:
  SslContextPtr context_;
};

class TlsClientContext {
 public:
  TlsClientContext() = default;  // in the clear
  // `protocols` are offered (ALPN) when the config names none. Errors say which file is wrong and why.
  static Result<TlsClientContext> make(const std::string& pool, const config::BackendTls& tls,
                                       const TlsFiles& files, PrivateKeyReader& keys,
                                       std::vector<std::string> protocols = {});

  bool is_on() const { return context_.get() != nullptr; }
  SSL_CTX* context() const { return context_.get(); }
  // Equal for equal settings and equal content of files: connections and sessions of one identity serve
  // another as well.
  const std::string& identity() const { return identity_; }
  // Makes `ssl` one to `backend`: name that is sent, name that is expected.
  void prepare(SSL* ssl, const Endpoint& backend) const;
  // "shop.internal" or the address: for messages.
  std::string expected_name(const Endpoint& backend) const;

 private:
  SharedContext context_;
  std::string identity_;
  std::string server_name_;
  std::string sni_;
  bool is_verifying_ = true;
};

// Sessions with one backend that may be resumed, each once. Outlives the connections to it.
class TlsSessions {
 public:
  void put(SSL_SESSION* session);  // takes it over
  // The newest; the caller owns it. nullptr: there is none.
  SSL_SESSION* take();
  void clear() { sessions_.clear(); }

 private:
  static constexpr std::size_t kMost = 8;
  std::deque<std::unique_ptr<SSL_SESSION, OpensslFree<SSL_SESSION_free>>> sessions_;
};

}  // namespace gatehouse::l7
