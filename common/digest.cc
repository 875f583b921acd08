#include "common/digest.h"

#include <openssl/evp.h>

#include "common/check.h"
#include "common/hex.h"

namespace gatehouse {

std::string sha256(std::string_view bytes) {
  std::string digest(kDigestBytes, '\0');
  GH_CHECK(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr,
                      EVP_sha256(), nullptr) == 1);
  return digest;
}

std::string sha256_hex(std::string_view bytes) {
  const std::string digest = sha256(bytes);
  return to_hex({reinterpret_cast<const std::uint8_t*>(digest.data()), digest.size()});
}

}  // namespace gatehouse
