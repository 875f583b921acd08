// The part of the config model that is about listeners, pools and the log: see model.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/config/model_affinity.h"
#include "common/config/model_discovery.h"
#include "common/config/model_resilience.h"
#include "common/config/model_tls.h"
#include "common/units.h"

namespace gatehouse::config {

// Each "keep", "refuse" (400), or what makes the path plain.
struct PathRules {
  std::string dot_segments = "resolve";
  std::string encoded_slashes = "refuse";  // or "decode"
  std::string double_slashes = "merge";
};

struct Listener {
  Listener();
  Listener(const Listener& other);
  Listener(Listener&& other) noexcept;
  Listener& operator=(const Listener& other);
  Listener& operator=(Listener&& other) noexcept;
  ~Listener();

  std::string name;
  std::vector<std::string> vips;        // steered from these VIPs, or
  std::vector<Endpoint> addresses;      // bound directly
  std::vector<Certificate> certificates;  // none: clear text
  std::vector<IpPrefix> trusted_proxies;  // whose X-Forwarded-* and PROXY headers are believed
  std::string mode = "http";            // http | tcp | tls-passthrough
  std::string pool;                     // of tcp, and of a passthrough that matches no tls_route
  bool proxy_protocol = false;          // every connection begins with a PROXY header
  std::uint32_t max_connections = 0;    // open at once, per worker; 0: as many as there are descriptors for
  std::uint32_t max_connections_per_client = 0;  // per address (IPv6: per /64) and worker; 0: no limit
  std::uint32_t max_requests = 0;       // per connection; 0: no limit
  Duration max_age{0};                  // of a connection, give or take a tenth; 0: any
  TlsPolicy tls;
  std::string client_certificates = "none";  // none | request | require
  std::string client_ca;                // PEM file: authorities of clients
  std::string client_crl;               // PEM file: what they have revoked
  Duration handshake_timeout{10'000};   // of TLS
  std::string hsts;                     // value of Strict-Transport-Security; empty: not sent
  ByteSize max_header{16 * 1024};       // request line + header fields; beyond: 431
  PathRules paths;
  ByteSize max_uri{8 * 1024};           // beyond: 414
  std::uint32_t max_header_fields = 100;  // beyond: 431
  ByteSize max_body{1ull << 40};        // beyond: 413
  Duration header_timeout{10'000};      // first byte of a request to the end of its header: 408
  Duration idle_timeout{60'000};        // keep-alive between requests, and a stalled body
  Duration request_timeout{0};          // from the head of a request to the end of its answer; 0: none
  Duration stream_timeout{3'600'000};   // WebSocket, gRPC streams: without a byte in either direction
  bool http2 = true;                    // offered to TLS clients
  bool h2c = false;                     // clear text: clients may begin in HTTP/2 (prior knowledge)
  std::uint32_t max_streams = 100;      // of a connection, at once
  ByteSize stream_window{64 * 1024};    // of a request body, that a client may send ahead of the backend
};

inline constexpr std::uint32_t kMostBackendWeight = 10'000;

struct Backend {
  Endpoint address;
  std::uint32_t weight = 1;
  bool backup = false;                  // only while no other is there
  std::string zone;                     // where it is, as [[node]] zone

  bool operator==(const Backend& other) const = default;
};

struct Health {
  std::string kind = "http";            // http | tcp | tls | grpc
  std::string path;                     // of http; empty: no active check, always healthy
  std::string method = "GET";
  std::string host;                     // Host field of the check; empty: the backend's address
  std::vector<std::uint16_t> status = {200};
  std::vector<std::uint16_t> degraded_status;
  std::string body_contains;
  std::string body_matches;             // RE2, of a part of it
  std::string service;                  // of grpc; empty: the server as a whole
  std::string request;                  // of tcp and tls: sent when connected; "\xNN" is a byte
  std::string expect;                   // of tcp and tls: part of the answer; the same
  std::uint16_t port = 0;               // 0: the backend's
  Duration interval{2'000};
  Duration fast_interval{0};            // while results differ from the verdict; 0: interval
  Duration timeout{1'000};
  std::uint32_t rise = 2;
  std::uint32_t fall = 3;

  bool is_on() const { return kind != "http" || !path.empty(); }
};

struct Pool {
  Pool();
  Pool(const Pool& other);
  Pool(Pool&& other) noexcept;
  Pool& operator=(const Pool& other);
  Pool& operator=(Pool&& other) noexcept;
  ~Pool();

  std::string name;
  std::vector<Backend> backends;
  std::optional<Discovery> discovery;   // further ones are found
  Health health;
  BackendTls tls;
  Duration connect_timeout{2'000};      // then 504
  Duration response_timeout{30'000};    // to the first byte of the response, then 504; also a stalled body
  std::uint32_t max_idle = 64;          // idle keep-alive connections to a backend, per worker
  Duration idle_timeout{50'000};        // an idle connection is closed after this
  Duration max_age{0};                  // of a connection, give or take a tenth, that takes requests; 0: any
  std::uint32_t max_requests = 0;       // on one connection; 0: no limit
  std::uint32_t min_idle = 0;           // connections ready for a request, to a backend, per worker
  std::vector<IpAddress> source_addresses;  // of connections; of a family without any the kernel chooses
  Duration connect_attempt_delay{1'000};  // then another backend is tried beside; 0: never
  bool end_when_down = false;           // WebSockets, gRPC calls and relayed connections end with their backend
  std::string protocol = "http1";       // http1 | h2
  std::uint32_t max_streams = 100;      // of a connection, at once
  std::string proxy_protocol;           // v1 | v2: connections begin with a PROXY header; empty: they do not
  Retry retry;
  Ejection ejection;
  Limits limits;
  AdaptiveLimit adaptive_limit;
  Queue queue;
  std::string panic = "refuse";         // refuse | use-all | answer
  std::optional<PanicAnswer> panic_answer;
  std::uint32_t panic_below = 0;        // percent of healthy backends; 0: when there is none
  std::string policy = "round-robin";   // one of kPolicies
  std::optional<Hash> hash;             // of maglev and ring-hash
  std::optional<OwnCookie> affinity;    // clients stay with the backend that they got
  std::uint32_t overprovision = 140;    // percent: see Pool::find_near_share(); 0: zones do not matter
  Duration slow_start{0};               // after recovery, to the whole weight; 0: at once
};

// How the country of a client is known.
struct Countries {
  std::string database;                 // a file in MaxMind's format, of countries or cities
  std::string header;                   // of trusted proxies, goes before the database
};

struct AccessLog {
  std::string file;                     // JSON lines; empty: off
  double sample = 1;                    // share of the exchanges without an error that get one
};

}  // namespace gatehouse::config
