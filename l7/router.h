// From a request's host and path to its route. Built once per Config, immutable, allocates nothing per match.
//
// Order (DESIGN.md §5, after the Gateway API): priority; then exact host before the longest "*.suffix" before any
// host; then exact path before the longest prefix; ties go to the route that comes first in the file.
#pragma once

#include <cstddef>
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
    std::string why;  // "host \"a.example\" is not \"shop.example\""
  };
  std::vector<Reason> explain(std::string_view host, std::string_view path) const;
  // Pairs (route, the earlier route that takes everything it could): for `gatehouse check`.
  std::vector<std::pair<std::size_t, std::size_t>> shadowed() const;

 private:
  std::vector<config::Route> routes_;
};

}  // namespace gatehouse::l7
