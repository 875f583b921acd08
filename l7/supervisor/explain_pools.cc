// Opens the cookie as a worker would.
#include "l7/supervisor/explain_pools.h"

#include <cmath>
#include <ctime>

#include "l7/own_cookie.h"

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

}  // namespace gatehouse::l7
