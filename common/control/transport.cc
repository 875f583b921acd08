#include "common/control/transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/certificate.h"
#include "common/check.h"

namespace gatehouse::control {
namespace {

IoStatus status_of_errno() {
  return errno == EAGAIN || errno == EINTR ? IoStatus::kWait : IoStatus::kFailed;
}

// 0 once a non-blocking connect has succeeded.
int connect_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

bool is_connected(int fd) {
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  return getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length) == 0;
}

class UnixTransport final : public Transport {
 public:
  explicit UnixTransport(Fd socket) : socket_(std::move(socket)) {}

  int fd() const override { return socket_.get(); }
  IoStatus open() override {
    if (const int error = connect_error(socket_.get())) {
      failure_ = std::strerror(error);
      return IoStatus::kFailed;
    }
    return is_connected(socket_.get()) ? IoStatus::kDone : IoStatus::kWait;
  }

  IoResult read(char* data, std::size_t size, std::vector<Fd>& descriptors) override {
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
    iovec part{data, size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t count = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (count < 0) return fail();
    take_descriptors(message, descriptors);
    if (count == 0) return {IoStatus::kClosed};
    return {IoStatus::kDone, static_cast<std::size_t>(count)};
  }

  IoResult write(const char* data, std::size_t size, const std::vector<Fd>& descriptors) override {
    GH_CHECK(descriptors.size() <= kMaxDescriptors);
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))] = {};
    iovec part{const_cast<char*>(data), size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
      for (std::size_t i = 0; i < descriptors.size(); ++i) {
        const int fd = descriptors[i].get();
        std::memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
      }
    }
    const ssize_t count = sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) return fail();
    return {IoStatus::kDone, static_cast<std::size_t>(count)};
  }

  std::string failure() const override { return failure_; }
  std::string peer_name() const override { return {}; }
  std::string peer() const override {
    const ucred who = credentials();
    return "unix uid " + std::to_string(who.uid) + " pid " + std::to_string(who.pid);
  }
  int peer_pid() const override { return credentials().pid; }
  int peer_uid() const override { return static_cast<int>(credentials().uid); }

 private:
  static void take_descriptors(msghdr& message, std::vector<Fd>& descriptors) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
        descriptors.emplace_back(fd);
      }
    }
  }
  ucred credentials() const {
    ucred who{};
    socklen_t length = sizeof who;
    getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &who, &length);
    return who;
  }
  IoResult fail() {
    const IoStatus status = status_of_errno();
    if (status == IoStatus::kFailed) failure_ = std::strerror(errno);
    return {status};
  }

  Fd socket_;
  std::string failure_;
};

class TlsTransport final : public Transport {
 public:
  TlsTransport(Fd socket, std::shared_ptr<TlsIdentity> identity, TlsRole role)
      : socket_(std::move(socket)), identity_(std::move(identity)), ssl_(SSL_new(identity_->context())) {
    GH_CHECK(ssl_ && SSL_set_fd(ssl_, socket_.get()) == 1);
    role == TlsRole::kClient ? SSL_set_connect_state(ssl_) : SSL_set_accept_state(ssl_);
    // A certificate that is shown must be the site's all the same.
    if (role == TlsRole::kServerOfStrangers) SSL_set_verify(ssl_, SSL_VERIFY_PEER, nullptr);
  }
  ~TlsTransport() override { SSL_free(ssl_); }

  int fd() const override { return socket_.get(); }
  IoStatus open() override {
    if (const int error = connect_error(socket_.get())) {
      failure_ = std::strerror(error);
      return IoStatus::kFailed;
    }
    if (!is_connected(socket_.get())) return IoStatus::kWait;
    ERR_clear_error();
    return translate(SSL_do_handshake(ssl_));
  }
  IoResult read(char* data, std::size_t size, std::vector<Fd>&) override {
    ERR_clear_error();
    IoResult result;
    result.status = translate(SSL_read_ex(ssl_, data, size, &result.bytes));
    return result;
  }
  IoResult write(const char* data, std::size_t size, const std::vector<Fd>& descriptors) override {
    GH_CHECK(descriptors.empty());
    ERR_clear_error();
    IoResult result;
    result.status = translate(SSL_write_ex(ssl_, data, size, &result.bytes));
    return result;
  }

  std::string failure() const override { return failure_; }
  int peer_pid() const override { return 0; }
  int peer_uid() const override { return -1; }
  std::string peer() const override {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &length);
    const std::string name = peer_name();
    return to_string(Endpoint::from_sockaddr(storage)) + (name.empty() ? "" : " (CN " + name + ")");
  }
  std::string peer_name() const override {
    return common_name_of(SSL_get0_peer_certificate(ssl_));
  }

 private:
  IoStatus translate(int result) {
    if (result == 1) return IoStatus::kDone;
    const int saved_errno = errno;
    switch (SSL_get_error(ssl_, result)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE:
        return IoStatus::kWait;
      case SSL_ERROR_ZERO_RETURN:
        return IoStatus::kClosed;
      case SSL_ERROR_SYSCALL:
        failure_ = saved_errno ? std::strerror(saved_errno) : "closed in the middle";
        return IoStatus::kFailed;
      default:
        failure_ = describe_tls_error();
        return IoStatus::kFailed;
    }
  }
  std::string describe_tls_error() const {
    const long verified = SSL_get_verify_result(ssl_);
    if (verified != X509_V_OK) return std::string("certificate refused: ") + X509_verify_cert_error_string(verified);
    const char* reason = ERR_reason_error_string(ERR_peek_error());
    return std::string("TLS: ") + (reason ? reason : "unknown error");
  }

  Fd socket_;
  std::shared_ptr<TlsIdentity> identity_;
  SSL* ssl_;
  std::string failure_;
};

}  // namespace

std::unique_ptr<Transport> make_unix_transport(Fd socket) { return std::make_unique<UnixTransport>(std::move(socket)); }

std::unique_ptr<Transport> make_tls_transport(Fd socket, std::shared_ptr<TlsIdentity> identity, TlsRole role) {
  return std::make_unique<TlsTransport>(std::move(socket), std::move(identity), role);
}

}  // namespace gatehouse::control
