// What holds for a request: its route's word, where that says nothing its pool's or its listener's. Made
// where it is asked for; refers to a config that outlives it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/config/model_http.h"
#include "common/config/model_routes.h"

namespace gatehouse::l7 {

class RouteTerms {
 public:
  RouteTerms(const config::Route& route, const config::Pool& pool, const config::Listener& listener)
      : route_(route), pool_(pool), listener_(listener) {}

  Duration response_timeout() const {
    return is_set(route_.response_timeout) ? route_.response_timeout : pool_.response_timeout;
  }
  // 0: none.
  Duration request_timeout() const {
    return is_set(route_.request_timeout) ? route_.request_timeout : listener_.request_timeout;
  }
  std::uint64_t max_body() const {
    return route_.max_body.bytes > 0 ? route_.max_body.bytes : listener_.max_body.bytes;
  }
  // The budget is the pool's in any case.
  std::uint32_t attempts() const { return route_.retry ? route_.retry->attempts : pool_.retry.attempts; }
  const std::vector<std::uint16_t>& retried_status() const {
    return route_.retry ? route_.retry->status : pool_.retry.status;
  }
  // Not above response_timeout(); 0: none.
  Duration try_timeout() const {
    return std::min(route_.retry ? route_.retry->try_timeout : pool_.retry.try_timeout, response_timeout());
  }

 private:
  static bool is_set(Duration duration) { return duration.count() > 0; }

  const config::Route& route_;
  const config::Pool& pool_;
  const config::Listener& listener_;
};

}  // namespace gatehouse::l7
