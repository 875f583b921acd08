// One JSON file, replaced whole.
#include "common/identity/token_store.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <ctime>

#include "common/control/field_reader.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/hex.h"
#include "common/identity/join_token.h"
#include "common/json_fields.h"

namespace gatehouse::identity {
namespace {

Json to_json(const TokenStore::Grant& grant) {
  return {{"role", to_string(grant.role)},
          {"name", grant.name},
          {"expires", grant.expires},
          {"spent_by", grant.spent_by},
          {"digest", grant.digest}};
}

Result<TokenStore::Grant> grant_from_json(const Json& json) {
  TokenStore::Grant grant;
  control::FieldReader reader(json, "token");
  reader.parsed("role", grant.role, "node or l4", parse_role);
  reader.text("name", grant.name);
  reader.number("expires", grant.expires);
  reader.text("spent_by", grant.spent_by);
  reader.text("digest", grant.digest);
  return reader.finish(std::move(grant));
}

std::string ago(std::int64_t seconds) {
  return seconds < 120 ? std::to_string(seconds) + " s ago" : std::to_string(seconds / 60) + " min ago";
}

}  // namespace

TokenStore::TokenStore(std::string file, Clock clock) : file_(std::move(file)), clock_(std::move(clock)) {
  if (!clock_) clock_ = [] { return static_cast<std::int64_t>(std::time(nullptr)); };
}

// A file that is not what it should be lets nobody join: it might be one whose spent tokens are good again.
Status TokenStore::load() {
  if (is_loaded_) return {};
  const auto text = read_file_if_any(file_);
  if (!text) return text.error();
  std::vector<Grant> grants;
  if (*text) {
    const Json list = parse_json(**text);
    if (!list.is_array()) return Error{file_ + " is damaged: remove it, and with it all tokens"};
    for (const Json& json : list) {
      auto grant = grant_from_json(json);
      if (!grant)
        return Error{file_ + " is damaged (" + grant.error().message +
                     "): remove it, and with it all tokens"};
      grants.push_back(std::move(*grant));
    }
  }
  grants_ = std::move(grants);
  is_loaded_ = true;
  return {};
}

Status TokenStore::save(std::vector<Grant> grants) {
  Json list = Json::array();
  for (const Grant& grant : grants) list.push_back(to_json(grant));
  if (const Status saved =
          replace_file(file_, list.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
      !saved)
    return saved;
  grants_ = std::move(grants);
  return {};
}

std::vector<TokenStore::Grant> TokenStore::remembered() const {
  std::vector<Grant> grants = grants_;
  std::erase_if(grants, [now = clock_()](const Grant& grant) { return grant.expires + kRemembered < now; });
  return grants;
}

Result<std::string> TokenStore::create(Role role, const std::string& name, std::int64_t seconds) {
  if (const Status loaded = load(); !loaded) return loaded.error();
  const std::int64_t now = clock_();
  std::vector<Grant> grants = remembered();
  const auto is_good = [now](const Grant& grant) { return grant.spent_by.empty() && grant.expires > now; };
  if (std::count_if(grants.begin(), grants.end(), is_good) >= static_cast<std::ptrdiff_t>(kMost)) {
    return Error{"there are " + std::to_string(kMost) +
                 " tokens that nobody has used: wait until some are over"};
  }
  // What is only remembered makes room first.
  if (grants.size() >= 2 * kMost) grants.erase(std::find_if_not(grants.begin(), grants.end(), is_good));
  std::uint8_t bytes[kSecretDigits / 2];
  GH_CHECK(RAND_bytes(bytes, sizeof bytes) == 1);
  const std::string secret = to_hex(bytes);
  grants.push_back({role, name, now + seconds, "", sha256_hex(secret)});
  if (const Status saved = save(std::move(grants)); !saved) return saved.error();
  return secret;
}

Result<TokenStore::Grant> TokenStore::find(std::string_view secret) {
  if (const Status loaded = load(); !loaded) return loaded.error();
  const std::string digest = sha256_hex(secret);
  const auto is_it = [&digest](const Grant& grant) {
    return grant.digest.size() == digest.size() &&
           CRYPTO_memcmp(grant.digest.data(), digest.data(), digest.size()) == 0;
  };
  const auto found = std::find_if(grants_.begin(), grants_.end(), is_it);
  if (found == grants_.end())
    return Error{"this L4 host knows no such token: was it made on another one, or more than an hour ago?"};
  if (!found->spent_by.empty())
    return Error{"the token has been used, by " + found->spent_by + ": each is good for one join"};
  const std::int64_t now = clock_();
  if (found->expires <= now)
    return Error{"the token expired " + ago(now - found->expires) + ": gatehouse token create makes another"};
  return *found;
}

Status TokenStore::spend(const Grant& grant, const std::string& by) {
  std::vector<Grant> grants = remembered();
  const auto found = std::find_if(grants.begin(), grants.end(),
                                  [&](const Grant& each) { return each.digest == grant.digest; });
  if (found == grants.end()) return Error{"the token is not known any more"};
  found->spent_by = by;
  return save(std::move(grants));
}

bool TokenStore::is_empty() { return !load() || remembered().empty(); }

}  // namespace gatehouse::identity
