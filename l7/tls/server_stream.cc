// TLS towards clients. OpenSSL's object is made when the client's first bytes are there: until then a
// connection costs no more than one in the clear. With early data (RFC 8446 §2.3, RFC 8470) requests may come
// before the handshake is done.
#include <sys/socket.h>

#include <algorithm>

#include "common/check.h"
#include "l7/tls/client_certificate.h"
#include "l7/tls/context.h"
#include "l7/tls/handshake_counters.h"
#include "l7/tls/socket.h"
#include "l7/tls/stream.h"

namespace gatehouse::l7 {
namespace {

class TlsServerStream final : public Stream {
 public:
  TlsServerStream(Fd socket, TlsContext& context, HandshakeCounters& counters)
      : socket_(std::move(socket), context.context()),
        counters_(counters),
        asks_for_certificate_(context.asks_for_certificates()),
        phase_(context.options().takes_early_data ? Phase::kEarlyData : Phase::kHandshake),
        has_tickets_(context.has_tickets()) {}

  ~TlsServerStream() override {
    if (!is_counted_) counters_.count(HandshakeFailure::kTimeout);
  }

  int fd() const override { return socket_.fd(); }

  bool begins_handshake() const override {
    return !socket_.is_begun() || SSL_get_state(socket_.ssl()) == TLS_ST_BEFORE;
  }

  StreamStatus open() override {
    if (!socket_.is_begun()) {
      const StreamStatus status = socket_.begin_when_readable();
      if (status != StreamStatus::kDone) return account(status);
      SSL_set_accept_state(socket_.ssl());
      if (!has_tickets_) SSL_set_num_tickets(socket_.ssl(), 0);
    }
    if (phase_ == Phase::kEarlyData && early_data_.empty()) {
      early_data_.resize(kEarlyBlock);
      StreamResult result = read_early(early_data_.data(), early_data_.size());
      early_data_.resize(result.bytes);
      if (phase_ == Phase::kEarlyData) return result.status;
    }
    return early_data_.empty() ? shake_hands() : StreamStatus::kDone;
  }

  StreamResult read(char* data, std::size_t size) override {
    if (!early_data_.empty()) return take_early(data, size);
    if (phase_ == Phase::kEarlyData) {
      const StreamResult result = read_early(data, size);
      if (phase_ == Phase::kEarlyData || result.bytes > 0) return result;
    }
    if (phase_ == Phase::kHandshake) {
      socket_.begin_read();
      StreamResult result{shake_hands()};
      if (result.status != StreamStatus::kDone) {
        socket_.describe_read(result, size);
        return result;
      }
    }
    return socket_.read(data, size);
  }

  StreamResult write(const char* data, std::size_t size) override {
    if (phase_ == Phase::kOpen) return socket_.write(data, size);
    StreamResult result;
    ERR_clear_error();
    result.status = socket_.translate(SSL_write_early_data(socket_.ssl(), data, size, &result.bytes));
    return result;
  }

  void expect_end() override { socket_.expect_end(); }
  void close_output() override { socket_.close_output(); }
  std::string failure() const override { return socket_.failure(); }
  TlsDetails tls() const override {
    if (!socket_.is_begun()) return {};
    const unsigned char* protocol = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(socket_.ssl(), &protocol, &length);
    const char* name = SSL_get_servername(socket_.ssl(), TLSEXT_NAMETYPE_host_name);
    return {SSL_get_version(socket_.ssl()), SSL_get_cipher_name(socket_.ssl()), name ? name : "",
            {reinterpret_cast<const char*>(protocol), length}};
  }

  std::string_view protocol() const override {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    if (socket_.is_begun()) SSL_get0_alpn_selected(socket_.ssl(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  bool is_early() const override { return phase_ != Phase::kOpen; }
  const ClientCertificate* client_certificate() override {
    if (!asks_for_certificate_ || phase_ != Phase::kOpen) return nullptr;
    if (!certificate_) certificate_ = describe_client(socket_.ssl());
    return certificate_.get();
  }

 private:
  enum class Phase : std::uint8_t { kEarlyData, kHandshake, kOpen };
  static constexpr std::size_t kEarlyBlock = 4'096;

  StreamStatus shake_hands() {
    const StreamStatus status = account(socket_.shake_hands());
    if (status == StreamStatus::kDone) phase_ = Phase::kOpen;
    return status;
  }

  // Leaves the phase when there is no more of it.
  StreamResult read_early(char* data, std::size_t size) {
    StreamResult result;
    socket_.begin_read();
    ERR_clear_error();
    switch (SSL_read_early_data(socket_.ssl(), data, size, &result.bytes)) {
      case SSL_READ_EARLY_DATA_SUCCESS:
        return result;
      case SSL_READ_EARLY_DATA_FINISH:
        phase_ = Phase::kHandshake;
        return result;
      default:
        result.status = account(socket_.translate(0));
        socket_.describe_read(result, size);
        return result;
    }
  }

  StreamResult take_early(char* data, std::size_t size) {
    StreamResult result;
    result.bytes = std::min(size, early_data_.size());
    std::copy_n(early_data_.data(), result.bytes, data);
    early_data_.erase(0, result.bytes);
    if (early_data_.empty()) early_data_.shrink_to_fit();
    return result;
  }

  // Counts the end of the handshake, whatever it is.
  StreamStatus account(StreamStatus status) {
    if (status == StreamStatus::kBlocked || is_counted_) return status;
    is_counted_ = true;
    if (status == StreamStatus::kDone) {
      counters_.done.fetch_add(1, std::memory_order_relaxed);
      if (SSL_session_reused(socket_.ssl())) counters_.resumed.fetch_add(1, std::memory_order_relaxed);
    } else {
      counters_.count(socket_.was_cut() ? HandshakeFailure::kClosed
                                        : handshake_failure(socket_.failure_reason()));
    }
    return status;
  }

  TlsSocket socket_;
  HandshakeCounters& counters_;
  std::string early_data_;  // that came with the handshake and has not been read
  std::unique_ptr<ClientCertificate> certificate_;
  bool asks_for_certificate_;
  bool is_counted_ = false;
  Phase phase_;
  bool has_tickets_;
};

}  // namespace

std::unique_ptr<Stream> make_tls_stream(Fd socket, TlsContext& context, HandshakeCounters& counters) {
  return std::make_unique<TlsServerStream>(std::move(socket), context, counters);
}

}  // namespace gatehouse::l7
