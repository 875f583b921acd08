#include "l7/http/websocket.h"

#include <openssl/evp.h>

#include "common/check.h"

namespace gatehouse::l7::http {
namespace {

std::string base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

}  // namespace

std::string websocket_key(std::string_view nonce) {
  GH_CHECK(nonce.size() >= 16);
  return base64(nonce.substr(0, 16));
}

std::string websocket_accept(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  GH_CHECK(EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(digest), &size, EVP_sha1(), nullptr) == 1);
  return base64({digest, size});
}

}  // namespace gatehouse::l7::http
