// RFC 6265bis §4.1: HttpOnly always, because no script of a page has any business with it.
#include "l7/own_cookie.h"

#include "l7/http/cookie.h"

namespace gatehouse::l7 {
namespace {

std::string same_site_of(const std::string& choice) {
  return choice == "strict" ? "Strict" : choice == "none" ? "None" : "Lax";
}

}  // namespace

OwnCookie::OwnCookie(const config::OwnCookie& config, std::string_view purpose)
    : name_(config.cookie), ttl_(config.ttl), is_always_secure_(config.secure == "always") {
  scope_.append(purpose).append("\n").append(name_);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(ttl_).count();
  attributes_ = "; Max-Age=" + std::to_string(seconds) + "; Path=" + config.path +
                "; HttpOnly; SameSite=" + same_site_of(config.same_site);
}

OwnCookie::Found OwnCookie::find(const http::Fields& fields, CookieSeal& seal, std::int64_t now) const {
  Found found;
  http::any_cookie(fields, name_, [&](std::string_view text) {
    const CookieSeal::Opened opened = seal.open(scope_, text, now, ttl_);
    switch (opened.verdict) {
      case CookieSeal::Verdict::kGood:
        found = {Found::Kind::kGood, opened.value, opened.is_due};
        break;
      case CookieSeal::Verdict::kForged:
        found.kind = Found::Kind::kForged;
        break;
      case CookieSeal::Verdict::kOld:
        found.kind = Found::Kind::kOld;
        break;
    }
    return found.kind == Found::Kind::kGood;
  });
  return found;
}

void OwnCookie::write(std::string& out, std::uint64_t value, CookieSeal& seal, std::int64_t now,
                      std::uint64_t random, bool is_tls) const {
  const CookieSeal::Text text = seal.seal(scope_, value, now, random);
  out.assign(name_).append("=").append(text.data(), text.size()).append(attributes_);
  if (is_tls || is_always_secure_) out += "; Secure";
}

}  // namespace gatehouse::l7
