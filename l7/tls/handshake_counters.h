// How handshakes with clients ended: cells of the board, one writer each. A failure has exactly one reason.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace gatehouse::l7 {

// enumerator, name, meaning
#define GH_HANDSHAKE_FAILURES(X)                                                                    \
  X(kTimeout, "timeout", "not done in time")                                                        \
  X(kClosed, "closed", "the client closed the connection")                                          \
  X(kNotTls, "not_tls", "what came is not TLS")                                                     \
  X(kVersion, "version", "the client speaks none of our versions")                                  \
  X(kCipher, "cipher", "no cipher, group or signature in common")                                   \
  X(kProtocol, "protocol", "no ALPN protocol in common")                                            \
  X(kClientCertificate, "client_certificate",                                                       \
    "the client's certificate is missing, revoked or not to be trusted")                            \
  X(kRefused, "refused", "the client sent an alert: it does not like our certificate, for example") \
  X(kOther, "other", "anything else")

enum class HandshakeFailure : std::size_t {
#define GH_ENUMERATOR(enumerator, name, meaning) enumerator,
  GH_HANDSHAKE_FAILURES(GH_ENUMERATOR)
#undef GH_ENUMERATOR
      kCount
};

inline constexpr const char* kHandshakeFailureNames[] = {
#define GH_NAME(enumerator, name, meaning) name,
    GH_HANDSHAKE_FAILURES(GH_NAME)
#undef GH_NAME
};

struct HandshakeCounters {
  std::atomic<std::uint64_t> done;
  std::atomic<std::uint64_t> resumed;  // of those that are done
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(HandshakeFailure::kCount)> failed;

  void count(HandshakeFailure failure) {
    failed[static_cast<std::size_t>(failure)].fetch_add(1, std::memory_order_relaxed);
  }
  std::uint64_t all_failed() const {
    std::uint64_t sum = 0;
    for (const auto& each : failed) sum += each.load(std::memory_order_relaxed);
    return sum;
  }
  void clear() {
    done.store(0, std::memory_order_relaxed);
    resumed.store(0, std::memory_order_relaxed);
    for (auto& each : failed) each.store(0, std::memory_order_relaxed);
  }
};

// Of OpenSSL's reason (ERR_GET_REASON).
HandshakeFailure handshake_failure(int reason);

}  // namespace gatehouse::l7
