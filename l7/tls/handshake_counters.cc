#include "l7/tls/handshake_counters.h"

#include <openssl/sslerr.h>

namespace gatehouse::l7 {
namespace {

constexpr int kFirstAlert = 1000;  // SSL_R_…ALERT… are 1000 and the alert's number

}  // namespace

HandshakeFailure handshake_failure(int reason) {
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNEXPECTED_RECORD:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      return HandshakeFailure::kNotTls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
      return HandshakeFailure::kVersion;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
      return HandshakeFailure::kCipher;
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return HandshakeFailure::kProtocol;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return HandshakeFailure::kClientCertificate;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return HandshakeFailure::kClosed;
    default:
      return reason > kFirstAlert ? HandshakeFailure::kRefused : HandshakeFailure::kOther;
  }
}

}  // namespace gatehouse::l7
