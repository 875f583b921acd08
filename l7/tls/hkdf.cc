// Asks OpenSSL.
#include "l7/tls/hkdf.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "common/check.h"
#include "common/openssl_ptr.h"

namespace gatehouse::l7 {

void hkdf_sha256(std::string_view secret, std::string_view purpose, std::span<unsigned char> out) {
  const std::unique_ptr<EVP_KDF, OpensslFree<EVP_KDF_free>> hkdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  const std::unique_ptr<EVP_KDF_CTX, OpensslFree<EVP_KDF_CTX_free>> context(EVP_KDF_CTX_new(hkdf.get()));
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<char*>(secret.data()), secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, const_cast<char*>(purpose.data()),
                                        purpose.size()),
      OSSL_PARAM_construct_end()};
  GH_CHECK(EVP_KDF_derive(context.get(), out.data(), out.size(), parameters) == 1);
}

}  // namespace gatehouse::l7
