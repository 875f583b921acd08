// How the query of a request changes on its way to the backend. Parameters that stay are passed on byte by
// byte, in their order; what is written is encoded (RFC 3986 §2.1). Compiled once per route, immutable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/config/model_routes.h"
#include "l7/text_template.h"

namespace gatehouse::l7 {

class QueryPlan {
 public:
  explicit QueryPlan(const config::QueryChanges& changes);
  bool has(config::Variable variable) const;
  // Behind what `out` has: without '?', empty when nothing is left.
  void append(std::string_view query, const RouteFacts& facts, std::string& out) const;

 private:
  struct Written {
    std::string name;  // encoded
    Template value;
  };
  bool is_dropped(std::string_view parameter) const;

  std::vector<std::string> dropped_;  // names, not encoded
  std::vector<Written> written_;
};

}  // namespace gatehouse::l7
