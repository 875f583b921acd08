// A Cookie field from anybody: what is opened was sealed, in one way only, and nothing is read beyond its
// bytes. The first byte chooses what is done to good cookies among the rest.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/check.h"
#include "l7/http/cookie.h"
#include "l7/own_cookie.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::l7;

constexpr std::int64_t kNow = 1'800'000'000;

CookieSeal& seal() {
  static CookieSeal seal;
  if (!seal.is_set()) seal.set({derive_cookie_key("one"), derive_cookie_key("two")});
  return seal;
}

// A sanitizer sees every read beyond it.
OwnCookie::Found find(const OwnCookie& cookie, std::string_view field, std::int64_t now) {
  const std::vector<char> copy(field.begin(), field.end());
  http::Fields fields;
  fields.add({"Cookie", {copy.data(), copy.size()}});
  return cookie.find(fields, seal(), now);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static const OwnCookie cookie({"c"}, "sticky"), other({"c"}, "affinity");
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  GH_CHECK(find(cookie, bytes, kNow).kind != OwnCookie::Found::Kind::kGood);  // nobody guesses 128 bits

  std::string good;
  const std::uint64_t value = data[0] * 0x9e3779b97f4a7c15ull;
  cookie.write(good, value, seal(), kNow, data[1], false);
  good.resize(good.find(';'));
  std::string field = std::string(bytes) + "; " + good;
  const OwnCookie::Found found = find(cookie, field, kNow + data[1]);
  GH_CHECK(found.kind == OwnCookie::Found::Kind::kGood && found.value == value);
  GH_CHECK(find(other, field, kNow).kind != OwnCookie::Found::Kind::kGood);
  GH_CHECK(find(cookie, field, kNow + 86'401).kind != OwnCookie::Found::Kind::kGood);

  // One letter is another one.
  const std::size_t place = field.size() - 1 - data[0] % CookieSeal::kLength;
  if (field[place] == static_cast<char>(data[1])) return 0;
  field[place] = static_cast<char>(data[1]);
  GH_CHECK(find(cookie, field, kNow).kind != OwnCookie::Found::Kind::kGood);
  return 0;
}
