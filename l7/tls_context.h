// The TLS side of one listener: which certificate answers which server name, which versions and protocols are spoken.
// Immutable; connections hold a reference through OpenSSL, so a reload may drop it under them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "l7/runtime.h"

struct ssl_ctx_st;
struct ssl_st;

namespace gatehouse::l7 {

class TlsContext {
 public:
  // `listener` is for messages. The first pair is the default, for clients without SNI or with an unknown name.
  static Result<std::unique_ptr<TlsContext>> make(const std::string& listener, const std::vector<KeyPair>& pairs, bool offers_h2 = true);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;

  ssl_ctx_st* context() const { return contexts_.front(); }
  // The context whose certificate names `server_name`: exactly, or by a wildcard of one label.
  ssl_ctx_st* choose(std::string_view server_name) const;

 private:
  explicit TlsContext(bool offers_h2) : offers_h2_(offers_h2) {}
  Status add(const std::string& listener, const KeyPair& pair);

  bool offers_h2_;
  std::vector<ssl_ctx_st*> contexts_;
  std::map<std::string, ssl_ctx_st*, std::less<>> by_name_;  // lower case; "*.example" as it is
};

}  // namespace gatehouse::l7
