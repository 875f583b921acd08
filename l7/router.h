// From a request's host and path to its route. Built once per Config, immutable, allocates nothing per match.
//
// Order (DESIGN.md §5, after the Gateway API): priority; then exact host before the longest "*.suffix" before any
// host; then exact path before the longest prefix; ties go to the route that comes first in the file.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model.h"

namespace gatehouse::l7 {

class Router {
 public:
  static constexpr std::size_t kNoRoute = static_cast<std::size_t>(-1);

  explicit Router(const std::vector<config::Route>& routes);

  // Index into the config's routes. `host` without port, any case (a trailing dot is ignored); `path` as received.
  std::size_t match(std::string_view host, std::string_view path) const;

  // For `gatehouse explain`: every route in the order in which they are tried, with why it did or did not match.
  struct Reason {
    std::size_t route;
    bool is_match;
    std::string why;  // "host is not a.example"
  };
  std::vector<Reason> explain(std::string_view host, std::string_view path) const;

 private:
  // One host pattern of one route, in the order of all.
  struct Candidate {
    std::size_t route;
    std::size_t rank;
    std::string host;         // lower case; ".example" for "*.example"; empty: any
    bool is_wildcard;
    bool is_exact_path;
    std::string path;         // or prefix, without a trailing '/'
  };
  using ByHost = std::map<std::string, std::vector<std::size_t>, std::less<>>;  // → candidates, best first

  static bool takes_path(const Candidate& candidate, std::string_view path);
  static bool goes_before(const Candidate& left, const Candidate& right, const std::vector<config::Route>& routes);
  void add(const config::Route& route, std::size_t index, const std::string& host);
  std::size_t first_match(const ByHost& hosts, std::string_view host, std::string_view path) const;
  static std::string explain_one(const Candidate& candidate, std::string_view host, std::string_view path);

  std::vector<Candidate> candidates_;  // in order
  ByHost exact_;
  ByHost wildcards_;
  ByHost any_;  // one entry: ""
};

}  // namespace gatehouse::l7
