// A TLS connection over one socket, of either side: what the streams of clients and of backends have in
// common. Owns the socket and OpenSSL's object; never blocks.
#pragma once

#include <string>

#include "common/fd.h"
#include "common/openssl_ptr.h"
#include "l7/stream.h"

namespace gatehouse::l7 {

class TlsSocket {
 public:
  // OpenSSL's object is made by begin…().
  TlsSocket(Fd socket, SSL_CTX* context);
  ~TlsSocket();
  TlsSocket(const TlsSocket&) = delete;

  int fd() const { return socket_.fd.get(); }
  void begin();
  // For a peer that speaks first: kBlocked until there is something to be read.
  StreamStatus begin_when_readable();
  bool is_begun() const { return ssl_ != nullptr; }
  SSL* ssl() const { return ssl_.get(); }

  StreamStatus shake_hands();
  StreamResult read(char* data, std::size_t size);
  StreamResult write(const char* data, std::size_t size);
  void expect_end() { socket_.is_ending = true; }
  void close_output();
  const std::string& failure() const { return failure_; }
  // The reason of OpenSSL (ERR_GET_REASON) behind a failure; 0: the socket's, or none.
  int failure_reason() const { return failure_reason_; }
  bool was_cut() const { return was_cut_; }  // the peer ended the connection without saying so

  // The status of what an SSL_… function returned.
  StreamStatus translate(int result);
  // Completes the result of a read that returned `status`.
  void describe_read(StreamResult& result, std::size_t size) const;
  void begin_read() { socket_.is_drained = false; }

 private:
  // What OpenSSL reads and writes through: the socket without signals, and the memory of whether a read
  // emptied it, which saves the read that would only say so.
  struct Socket {
    Fd fd;
    bool is_drained = false;
    bool is_at_end = false;
    bool is_ending = false;
    SSL* ssl = nullptr;
    std::string ahead;  // read before OpenSSL asked
  };
  static Socket* socket_of(BIO* bio);
  static int read_socket(BIO* bio, char* data, int size);
  static int write_socket(BIO* bio, const char* data, int size);
  static long control_socket(BIO* bio, int command, long, void*);
  static const BIO_METHOD* socket_method();

  Socket socket_;
  SslContextPtr context_;  // until begin()
  SslPtr ssl_;
  std::string failure_;
  int failure_reason_ = 0;
  bool was_cut_ = false;
};

}  // namespace gatehouse::l7
