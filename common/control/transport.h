// Bytes (and, on Unix sockets, descriptors) of a control channel: clear over a Unix socket, mutual TLS over TCP. Never
// blocks. Internal to common/control.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/address.h"
#include "common/control/channel.h"
#include "common/fd.h"
#include "common/result.h"

struct ssl_ctx_st;

namespace gatehouse::control {

enum class IoStatus { kDone, kWait, kClosed, kFailed };

struct IoResult {
  IoStatus status = IoStatus::kDone;
  std::size_t bytes = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual int fd() const = 0;
  // kDone: connected and, with TLS, verified. Call again at every event until then.
  virtual IoStatus open() = 0;
  virtual IoResult read(char* data, std::size_t size, std::vector<Fd>& descriptors) = 0;
  // `descriptors` travel with the first byte.
  virtual IoResult write(const char* data, std::size_t size, const std::vector<Fd>& descriptors) = 0;
  virtual std::string failure() const = 0;    // why kFailed
  virtual std::string peer() const = 0;       // known once open
  virtual std::string peer_name() const = 0;  // common name of its certificate
  virtual int peer_pid() const = 0;           // 0 over TCP
  virtual int peer_uid() const = 0;           // -1 over TCP
};

class TlsIdentity {
 public:
  explicit TlsIdentity(ssl_ctx_st* context, std::shared_ptr<const std::string> pin = {}) : context_(context), pin_(std::move(pin)) {}
  TlsIdentity(const TlsIdentity&) = delete;
  ~TlsIdentity();
  ssl_ctx_st* context() const { return context_; }  // for connections that begin now
  void swap(TlsIdentity& other) {
    std::swap(context_, other.context_);
    std::swap(pin_, other.pin_);
  }

 private:
  ssl_ctx_st* context_;
  std::shared_ptr<const std::string> pin_;  // what the context looks at
};

std::unique_ptr<Transport> make_unix_transport(Fd socket);
enum class TlsRole { kClient, kServer, kServerOfStrangers };  // the last one asks for a certificate and goes on without
std::unique_ptr<Transport> make_tls_transport(Fd socket, std::shared_ptr<TlsIdentity> identity, TlsRole role);

// A transport of one's own (of connect_*) or an accepted one becomes a channel.
std::unique_ptr<Channel> make_channel(EventLoop& loop, std::unique_ptr<Transport> transport, Handlers handlers);

}  // namespace gatehouse::control
