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
      check_sticky(i, config_.routes[i]);
    }
    if (arms > kMostArms) {
      error("route", "[[route]] pools: expected at most " + std::to_string(kMostArms) + " in all, found " +
                         std::to_string(arms));
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

  void check_sticky(std::size_t i, const Route& route) {
    if (!route.sticky) return;
    const std::string where = at("route", i, "sticky");
    if (route.pools.empty())
      error(where, "[[route]] " + quoted(route.name) + " has sticky and no pools: expected pools with it");
    check_cookie(where, "[[route]].sticky ", *route.sticky);
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
    for (std::size_t i = 0; i < config_.routes.size(); ++i) {
      if (!config_.routes[i].sticky) continue;
      return warn(at("route", i, "sticky"),
                  "[[route]].sticky: without cookies.secret_file nodes do not believe each other's cookies");
    }
  }
};

}  // namespace

void validate_affinity(const Config& config, Findings& findings) {
  AffinityValidator(config, findings).run();
}

}  // namespace gatehouse::config
