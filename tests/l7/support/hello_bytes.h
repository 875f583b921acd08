// ClientHellos as bytes: of OpenSSL's client, or put together by hand so that any part can be wrong.
#pragma once

#include <openssl/ssl.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "common/check.h"

namespace gatehouse::test {

// `size` bytes of length, then the bytes.
inline std::string counted(std::size_t size, std::string_view bytes) {
  std::string text;
  for (std::size_t i = size; i > 0; --i) text += static_cast<char>(bytes.size() >> (8 * (i - 1)));
  return text.append(bytes);
}
inline std::string extension(unsigned type, std::string_view data) {
  return std::string{static_cast<char>(type >> 8), static_cast<char>(type)} + counted(2, data);
}
inline std::string server_name(std::string_view name) {
  return extension(0, counted(2, std::string(1, '\0') + counted(2, name)));
}
inline std::string protocols(std::initializer_list<std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) list += counted(1, name);
  return extension(16, counted(2, list));
}

// The message's body up to the extensions.
inline std::string hello_fields() {
  return "\x03\x03" + std::string(32, 'r') + counted(1, std::string(32, 's')) +
         counted(2, "\x13\x01\x13\x02") + counted(1, std::string(1, '\0'));
}
inline std::string handshake(std::string_view body, char type = 1) { return type + counted(3, body); }
inline std::string hello(std::string_view extensions) {
  return handshake(hello_fields() + counted(2, extensions));
}
// The message in records of `size` bytes at most.
inline std::string in_records(std::string_view message, std::size_t size = 1 << 14) {
  std::string bytes;
  for (; !message.empty(); message.remove_prefix(std::min(size, message.size()))) {
    bytes += "\x16\x03\x01" + counted(2, message.substr(0, size));
  }
  return bytes;
}
inline std::string hello_for(std::string_view name) {
  return in_records(hello(server_name(name) + protocols({"h2", "http/1.1"})));
}

// The first bytes of OpenSSL's client.
inline std::string real_hello(const std::string& name, std::string_view alpn = "\x02h2\x08http/1.1") {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* ssl = SSL_new(context);
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
  SSL_set_connect_state(ssl);
  if (!name.empty()) SSL_set_tlsext_host_name(ssl, name.c_str());
  SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(alpn.data()),
                      static_cast<unsigned>(alpn.size()));
  GH_CHECK(SSL_do_handshake(ssl) < 0);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  const std::string bytes(data, static_cast<std::size_t>(size));
  SSL_free(ssl);
  SSL_CTX_free(context);
  return bytes;
}

}  // namespace gatehouse::test
