// Reads the cookie, and the terms, as a worker would.
#include "l7/supervisor/explain_pools.h"

#include <cmath>
#include <ctime>

#include "l7/own_cookie.h"
#include "l7/route_terms.h"

namespace gatehouse::l7 {
namespace {

using Json = nlohmann::json;

std::string pool_at(double place, const std::vector<ArmReport>& arms) {
  double end = 0;
  for (const ArmReport& arm : arms) {
    end += arm.share;
    if (place < end) return arm.pool;
  }
  return {};
}

std::string sticky_of(const config::OwnCookie& own, const http::Fields& fields,
                      const std::vector<ArmReport>& arms, const std::optional<CookieKeys>& keys,
                      std::string& pool) {
  const std::string name = "cookie " + own.cookie;
  if (!keys) return name + " cannot be read: there is no secret yet";
  CookieSeal seal;
  seal.set(*keys);
  const OwnCookie::Found found = OwnCookie(own, "sticky").find(fields, seal, std::time(nullptr));
  switch (found.kind) {
    case OwnCookie::Found::Kind::kNone:
      return "there is no " + name + ": by share";
    case OwnCookie::Found::Kind::kForged:
      return name + " is not ours: by share";
    case OwnCookie::Found::Kind::kOld:
      return name + " is too old: by share";
    case OwnCookie::Found::Kind::kGood:
      break;
  }
  const double place = std::ldexp(static_cast<double>(found.value), -64);
  pool = pool_at(place, arms);
  return name + " says " + std::to_string(place) + " of 1";
}

}  // namespace

void explain_pools(Json& answer, const config::Route& route, const http::Fields& fields,
                   const std::vector<ArmReport>& arms, const std::optional<CookieKeys>& keys) {
  answer["pools"] = to_json(route.name, arms)["pools"];
  std::string pool;
  if (route.sticky) answer["sticky"] = sticky_of(*route.sticky, fields, arms, keys, pool);
  if (!pool.empty()) answer["pool"] = pool;
}

void explain_terms(Json& answer, const config::Route& route, const config::Pool& pool,
                   const config::Listener& listener) {
  const RouteTerms terms(route, pool, listener);
  const Duration of_try = terms.try_timeout(), of_all = terms.request_timeout();
  std::string timeouts = "connection " + to_string(pool.connect_timeout) + ", head of the answer " +
                         to_string(terms.response_timeout());
  if (of_try.count() > 0) timeouts += ", of a try " + to_string(of_try);
  if (of_all.count() > 0) timeouts += ", everything " + to_string(of_all);
  answer["timeouts"] = timeouts;
  std::string retries = "none";
  if (terms.attempts() > 1) {
    retries = std::to_string(terms.attempts()) + " tries at most, bodies up to " + to_string(pool.retry.max_body) +
              " are kept for them; budget " + std::to_string(pool.retry.budget) + " % of the requests";
  }
  answer["retries"] = retries;
  answer["body"] = "at most " + to_string(ByteSize{terms.max_body()});
}

}  // namespace gatehouse::l7
