// Rules about shares of a route's pools and about the cookies that we set.
#include <set>

#include "common/config/validator.h"

namespace gatehouse::config {
namespace {

constexpr std::size_t kMostArms = 4096;  // the room that the board has

// RFC 6265 §4.1.1.
bool is_cookie_name(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) ||
           (c && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos);
  });
}

class AffinityValidator : Validator {
 public:
  using Validator::Validator;

  void run() {
    std::size_t arms = 0;
    for (std::size_t i = 0; i < config_.routes.size(); ++i) {
      arms += config_.routes[i].pools.size();
      check_pools(i, config_.routes[i]);
      check_mirror(i, config_.routes[i]);
      check_sticky(i, config_.routes[i]);
    }
    if (arms > kMostArms) {
      error("route", "[[route]] pools: expected at most " + std::to_string(kMostArms) + " in all, found " +
                         std::to_string(arms));
    }
    for (std::size_t i = 0; i < config_.pools.size(); ++i) {
      check_pool(i, config_.pools[i]);
      check_zones(i, config_.pools[i]);
    }
    check_secrets();
  }

 private:
  void check_pools(std::size_t i, const Route& route) {
    std::set<std::string> seen;
    std::uint64_t sum = 0;
    for (std::size_t k = 0; k < route.pools.size(); ++k) {
      const RoutePool& pool = route.pools[k];
      const std::string place = at("route", i, "pools") + "[" + std::to_string(k) + "]";
      check_reference(place, "[[route]].pools pool", pool.name, config_.pools);
      if (!seen.insert(pool.name).second)
        error(place, "[[route]].pools: " + quoted(pool.name) + " is there twice");
      sum += pool.weight;
    }
    if (!route.pools.empty() && sum == 0) {
      warn(at("route", i, "pools"),
           "[[route]] " + quoted(route.name) + ": every pool has weight 0: requests are answered 503");
    }
  }

  void check_mirror(std::size_t i, const Route& route) {
    if (!route.mirror) return;
    const std::string where = at("route", i, "mirror"), name = quoted(route.mirror->pool);
    check_reference(where, "[[route]].mirror pool", route.mirror->pool, config_.pools);
    if (route.pool.empty() && route.pools.empty())
      error(where, "[[route]] " + quoted(route.name) + " has mirror and no backend: expected a pool");
    for (const Pool& pool : config_.pools) {
      if (pool.name == route.mirror->pool && !pool.proxy_protocol.empty())
        error(where, "[[route]].mirror: connections of pool " + name + " begin with the PROXY header of a client, which copies do not have");
    }
  }

  void check_sticky(std::size_t i, const Route& route) {
    if (!route.sticky) return;
    const std::string where = at("route", i, "sticky");
    if (route.pools.empty())
      error(where, "[[route]] " + quoted(route.name) + " has sticky and no pools: expected pools with it");
    check_cookie(where, "[[route]].sticky ", *route.sticky);
  }

  void check_pool(std::size_t i, const Pool& pool) {
    if (pool.affinity) check_cookie(at("pool", i, "affinity"), "[[pool]].affinity ", *pool.affinity);
    const auto policy = std::find_if(std::begin(kPolicies), std::end(kPolicies),
                                     [&pool](const Policy& each) { return pool.policy == each.name; });
    const bool is_known = policy != std::end(kPolicies), is_hashed = is_known && policy->is_hashed;
    if (!is_known) {
      error(at("pool", i, "policy"), "[[pool]] policy: expected " + policy_names() + ", found " + quoted(pool.policy));
    } else if (is_hashed != pool.hash.has_value()) {
      error(at("pool", i, is_hashed ? "policy" : "hash"),
            is_hashed ? "[[pool]] policy " + quoted(pool.policy) + ": expected hash with it"
                      : std::string("[[pool]].hash: expected policy \"maglev\" or \"ring-hash\" with it"));
    }
    if (pool.hash) check_hash(i, *pool.hash);
    if (is_hashed && pool.slow_start.count() > 0)
      warn(at("pool", i, "slow_start"), "[[pool]] slow_start: requests that are hashed do not wait for it");
    const bool has_main = std::any_of(pool.backends.begin(), pool.backends.end(),
                                      [](const Backend& backend) { return !backend.backup; });
    if (!pool.backends.empty() && !has_main && !pool.discovery)
      error(at("pool", i, "backends"), "[[pool]] " + quoted(pool.name) + ": every backend is a backup");
  }

  // A slip in a name would only show as requests that go far.
  void check_zones(std::size_t i, const Pool& pool) {
    std::vector<std::string> known;
    for (const Node& node : config_.nodes) {
      if (!node.zone.empty()) known.push_back(node.zone);
    }
    for (std::size_t j = 0; j < pool.backends.size(); ++j) {
      const std::string& zone = pool.backends[j].zone;
      if (zone.empty() || std::find(known.begin(), known.end(), zone) != known.end()) continue;
      warn(at("pool", i, "backends") + "[" + std::to_string(j) + "]",
           "[[pool]] " + quoted(pool.name) + ": no [[node]] is in zone " + quoted(zone) + suggest(zone, known));
    }
  }

  static std::string policy_names() {
    std::string names;
    for (const Policy& policy : kPolicies) {
      const bool is_last = &policy == std::end(kPolicies) - 1;
      names += (names.empty() ? "" : is_last ? " or " : ", ") + quoted(policy.name);
    }
    return names;
  }

  void check_hash(std::size_t i, const Hash& hash) {
    const int keys =
        !hash.header.empty() + !hash.cookie.empty() + !hash.query.empty() + hash.path + hash.client;
    if (keys != 1) {
      error(at("pool", i, "hash"), "[[pool]].hash has " + std::to_string(keys) +
                                       " keys: expected exactly one of header, cookie, query, path, client");
    }
    if (hash.max_load > 0 && hash.max_load <= 100)
      error(at("pool", i, "hash"), "[[pool]].hash max_load: expected 0, or more than 100 percent, found " +
                                       std::to_string(hash.max_load));
  }

  void check_cookie(const std::string& where, const std::string& label, const OwnCookie& own) {
    const auto expect = [&](bool is_good, const char* key, const char* expected, const std::string& found) {
      if (!is_good)
        error(where + "." + key, label + key + ": expected " + expected + ", found " + quoted(found));
    };
    expect(is_cookie_name(own.cookie), "cookie",
           "a name of 1 to 64 letters, digits and signs such as \"gh-canary\"", own.cookie);
    const bool is_path =
        own.path.starts_with('/') && std::all_of(own.path.begin(), own.path.end(),
                                                 [](char c) { return c > 0x20 && c < 0x7f && c != ';'; });
    expect(is_path, "path", "a path that begins with '/', without ';' and spaces", own.path);
    const bool is_site = own.same_site == "lax" || own.same_site == "strict" || own.same_site == "none";
    expect(is_site, "same_site", "\"lax\", \"strict\" or \"none\"", own.same_site);
    expect(own.secure == "auto" || own.secure == "always", "secure", "\"auto\" or \"always\"", own.secure);
    check_promises(where, label, own);
  }

  // What browsers refuse (RFC 6265bis §5.7) would be a new cookie with every answer.
  void check_promises(const std::string& where, const std::string& label, const OwnCookie& own) {
    const bool is_prefixed = own.cookie.starts_with("__Host-") || own.cookie.starts_with("__Secure-");
    if (own.secure != "always" && (is_prefixed || own.same_site == "none")) {
      error(where, label + (is_prefixed ? "cookie " + quoted(own.cookie) : "same_site \"none\"") +
                       ": expected secure = \"always\" with it: browsers refuse it otherwise");
    }
    if (own.cookie.starts_with("__Host-") && own.path != "/")
      error(where, label + "cookie " + quoted(own.cookie) + ": expected path = \"/\" with it");
  }

  void check_secrets() {
    const Cookies& cookies = config_.cookies;
    if (!cookies.earlier_secret_file.empty() && cookies.secret_file.empty())
      error("cookies", "[cookies] earlier_secret_file: expected secret_file with it");
    const bool is_shared = !cookies.secret_file.empty() || !config_.tls.ticket_secret_file.empty();
    if (is_shared || config_.nodes.size() < 2) return;
    const std::string why = ": without cookies.secret_file nodes do not believe each other's cookies";
    for (std::size_t i = 0; i < config_.routes.size(); ++i) {
      if (config_.routes[i].sticky) return warn(at("route", i, "sticky"), "[[route]].sticky" + why);
    }
    for (std::size_t i = 0; i < config_.pools.size(); ++i) {
      if (config_.pools[i].affinity) return warn(at("pool", i, "affinity"), "[[pool]].affinity" + why);
    }
  }
};

}  // namespace

void validate_affinity(const Config& config, Findings& findings) {
  AffinityValidator(config, findings).run();
}

}  // namespace gatehouse::config
