// SHA-256 of a byte stream, as the hexadecimal text that `sha256sum` prints. Costs nothing until it is first
// used.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "common/check.h"
#include "common/hex.h"

namespace gatehouse::test {

class Sha256 {
 public:
  void add(std::string_view bytes) {
    if (!context_) {
      context_.reset(EVP_MD_CTX_new());
      GH_CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
    }
    GH_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }

  // The digest of what was added since the last call.
  std::string take_hex() {
    add({});
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    GH_CHECK(EVP_DigestFinal_ex(context_.get(), digest, &size) == 1);
    context_.reset();
    return to_hex({digest, size});
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace gatehouse::test
