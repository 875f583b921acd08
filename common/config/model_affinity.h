// The part of the config model that is about who gets which requests: shares of a route's pools, and clients
// that stay where they are. See model.h.
#pragma once

#include <cstdint>
#include <string>

#include "common/units.h"

namespace gatehouse::config {

inline constexpr std::uint32_t kMostArmWeight = 1'000'000;

// A pool of a route that has several (the Gateway API's backendRefs).
struct RoutePool {
  std::string name;
  std::uint32_t weight = 1;  // of the sum of all; 0: none
};

// A copy of requests for another pool (the Gateway API's RequestMirror): its answers are dropped.
struct Mirror {
  std::string pool;
  std::uint32_t percent = 100;   // of the requests
  ByteSize max_body{64 * 1024};  // a longer request has no copy
};

// A cookie of ours: what it says is signed, and only we can read it.
struct OwnCookie {
  std::string cookie;  // its name
  Duration ttl{24 * 3'600'000};
  std::string path = "/";
  std::string same_site = "lax";  // lax | strict | none
  std::string secure = "auto";    // auto: over TLS | always
};

// How a pool chooses: see l7/backend/balancer.h.
struct Policy {
  const char* name;
  bool is_hashed = false;  // it needs a Hash
};
inline constexpr Policy kPolicies[] = {{"round-robin"}, {"least-request"}, {"two-choices"},     {"peak-ewma"},
                                       {"random"},      {"maglev", true},  {"ring-hash", true}};

// What of a request says which backend it gets. Exactly one of the first five is set.
struct Hash {
  std::string header;
  std::string cookie;  // of the application
  std::string query;
  bool path = false;
  bool client = false;         // its address
  std::uint32_t max_load = 0;  // percent of a backend's share of the requests in flight; 0: no bound
};

// Of the whole node.
struct Cookies {
  std::string secret_file;          // the same on all nodes
  std::string earlier_secret_file;  // what it was before: cookies of then are still believed
};

}  // namespace gatehouse::config
