// A cookie that we set and read ourselves, by its declaration in the config: what a client brings of it, and
// the Set-Cookie value that a response carries. Compiled once per Config, immutable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/config/model_affinity.h"
#include "l7/cookie_seal.h"
#include "l7/http/message.h"

namespace gatehouse::l7 {

class OwnCookie {
 public:
  // `purpose` tells cookies of one name apart that mean different things.
  OwnCookie(const config::OwnCookie& config, std::string_view purpose);

  struct Found {
    enum class Kind : std::uint8_t { kNone, kGood, kForged, kOld };
    Kind kind = Kind::kNone;
    std::uint64_t value = 0;  // of kGood
    bool is_due = false;      // good, but to be sent anew
  };
  // Of several of that name the first good one.
  Found find(const http::Fields& fields, CookieSeal& seal, std::int64_t now) const;
  // `out` becomes the value of a Set-Cookie field.
  void write(std::string& out, std::uint64_t value, CookieSeal& seal, std::int64_t now, std::uint64_t random,
             bool is_tls) const;

 private:
  std::string name_;
  std::string scope_;
  std::string attributes_;
  Duration ttl_;
  bool is_always_secure_;
};

}  // namespace gatehouse::l7
