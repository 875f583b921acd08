// The options of TLS.
#pragma once

#include "common/config/field.h"

namespace gatehouse::config {

template <>
inline constexpr auto kFields<Certificate> = std::tuple{
    field("chain", &Certificate::chain, "PEM file: the certificate, then its issuers.", kRequired | kPath),
    field("key", &Certificate::key, "PEM file: the key.", kRequired | kPath),
    field("ocsp", &Certificate::ocsp,
          "DER file: an OCSP response about the certificate, stapled for as long as it is fresh.", kPath),
};

template <>
inline constexpr auto kFields<TlsPolicy> = std::tuple{
    field("policy", &TlsPolicy::policy,
          "\"intermediate\": TLS 1.2 and 1.3, forward secrecy, AEAD ciphers; \"modern\": TLS 1.3 alone."),
    field("min_version", &TlsPolicy::min_version, "\"1.2\" or \"1.3\"; default: as the policy says."),
    field("ciphers", &TlsPolicy::ciphers, "Ciphers of TLS 1.2, preferred first, as OpenSSL writes them."),
    field("ciphersuites", &TlsPolicy::ciphersuites,
          "Ciphers of TLS 1.3, preferred first, as OpenSSL writes them."),
    field("groups", &TlsPolicy::groups, "Groups of the key exchange, preferred first: \"X25519:P-256\"."),
};

template <>
inline constexpr auto kFields<BackendTls> = std::tuple{
    field("enabled", &BackendTls::enabled, "Connections to the backends are TLS."),
    field("verify", &BackendTls::verify, "Chain and name of the backend's certificate are verified."),
    field("ca", &BackendTls::ca,
          "PEM file: authorities that sign backends' certificates; default: the host's.", kPath),
    field("server_name", &BackendTls::server_name,
          "Name that the certificate must have; default: the backend's address."),
    field("sni", &BackendTls::sni, "Server name that is sent; default: server_name."),
    field("alpn", &BackendTls::alpn, "Protocols that are offered, preferred first; default: by the pool."),
    field("certificate", &BackendTls::certificate,
          "PEM file: certificate and issuers, for backends that ask for one.", kPath),
    field("key", &BackendTls::key, "PEM file: its key.", kPath),
    field("min_version", &BackendTls::min_version, "\"1.2\" or \"1.3\"."),
};

template <>
inline constexpr auto kFields<Tls> = std::tuple{
    field("ticket_secret_file", &Tls::ticket_secret_file,
          "File whose content (32 bytes or more) ticket keys are derived from: sessions resume on every node "
          "that "
          "has the same; default: a secret of the node's own, in memory.",
          kPath),
    field("ticket_lifetime", &Tls::ticket_lifetime,
          "How long a session can be resumed, and how often the keys of its tickets change.", kOptional,
          60'000, 7 * kDay),
    field("handshakes_per_turn", &Tls::handshakes_per_turn,
          "Handshakes that a worker begins in one turn of its loop: a flood of them leaves time for open "
          "connections.",
          kOptional, 1, 1'000),
};

}  // namespace gatehouse::config
