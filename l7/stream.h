// A byte stream over one socket, clear or TLS: never blocks, owns the socket. Buffers and readiness are Wire's.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "common/fd.h"

namespace gatehouse::l7 {

struct ClientCertificate;

enum class StreamStatus {
  kDone,
  kBlocked,  // try again after the next event
  kClosed,   // end of the peer's bytes
  kFailed,
};

struct StreamResult {
  StreamStatus status = StreamStatus::kDone;
  std::size_t bytes = 0;
  bool is_drained = false;       // of a read: the kernel had no more at that moment
  bool waits_for_write = false;  // of a read that is blocked: by a full socket, not an empty one
  bool is_reset = false;         // of one that failed: the peer broke the connection off
};

// What the handshake came to; all empty when there was none. The texts live as long as the stream.
struct TlsDetails {
  std::string_view version;      // "TLSv1.3"
  std::string_view cipher;
  std::string_view server_name;  // that the peer asked for
  std::string_view protocol;     // ALPN
};

class Stream {
 public:
  virtual ~Stream() = default;
  virtual int fd() const = 0;
  virtual StreamStatus open() = 0;  // connected, handshake done; called at every event until then
  virtual StreamResult read(char* data, std::size_t size) = 0;
  virtual StreamResult write(const char* data, std::size_t size) = 0;
  virtual void close_output() = 0;  // says that no more follows; reading goes on
  // close_output() follows what is written from now on: it may leave with the end, in one packet.
  virtual void expect_end() {}
  virtual std::string failure() const = 0;
  virtual TlsDetails tls() const { return {}; }

  // Of TLS towards a client; in the clear nothing of all this is the case.
  virtual std::string_view protocol() const { return {}; }  // by ALPN: "http/1.1"
  virtual bool begins_handshake() const { return false; }   // the next open() may do most of its work
  virtual bool is_early() const { return false; }           // after open(): what was read may be a replay (RFC 8470)
  virtual const ClientCertificate* client_certificate() { return nullptr; }  // nullptr: nobody asked for it
};

// `is_connecting`: connect() was called and has not finished.
std::unique_ptr<Stream> make_tcp_stream(Fd socket, bool is_connecting);

// Closing the socket will break the connection off, so that the peer does not take what it has for the whole.
void reset_on_close(int fd);

}  // namespace gatehouse::l7
