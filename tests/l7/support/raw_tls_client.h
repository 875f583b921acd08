// A TLS client over a RawSocket: OpenSSL between two memory buffers, moved by hand after turns of the loop.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "tests/l7/support/raw_socket.h"

namespace gatehouse::test {

class RawTlsClient {
 public:
  RawTlsClient(std::unique_ptr<RawSocket> socket, const std::string& server_name, std::string_view alpn = "")
      : socket_(std::move(socket)), context_(SSL_CTX_new(TLS_client_method())), ssl_(SSL_new(context_)) {
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_);
    SSL_set_tlsext_host_name(ssl_, server_name.c_str());
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(alpn.data()),
                        static_cast<unsigned>(alpn.size()));
  }
  ~RawTlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }

  // Moves what there is to move; for the condition of until().
  bool is_open() {
    move([this] { return SSL_do_handshake(ssl_); });
    return SSL_is_init_finished(ssl_) == 1;
  }
  void send(std::string_view bytes) {
    move([&] { return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())); });
  }
  const std::string& received() {
    char part[16 * 1024];
    int count = 0;
    do {
      move([&] { return count = SSL_read(ssl_, part, sizeof part); });
      if (count > 0) received_.append(part, static_cast<std::size_t>(count));
    } while (count > 0);
    return received_;
  }
  RawSocket& socket() { return *socket_; }
  SSL* ssl() { return ssl_; }

 private:
  template <typename Step>
  void move(Step step) {
    std::string& bytes = socket_->received();
    BIO_write(SSL_get_rbio(ssl_), bytes.data(), static_cast<int>(bytes.size()));
    bytes.clear();
    step();
    char* data = nullptr;
    const long size = BIO_get_mem_data(SSL_get_wbio(ssl_), &data);
    socket_->send({data, static_cast<std::size_t>(size)});
    BIO_reset(SSL_get_wbio(ssl_));
  }

  std::unique_ptr<RawSocket> socket_;
  SSL_CTX* context_;
  SSL* ssl_;
  std::string received_;
};

}  // namespace gatehouse::test
