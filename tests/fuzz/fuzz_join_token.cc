// Tokens to join with: whatever parses prints as it was and parses back equal; whatever does not is answered
// without any of it.
#include <cstdint>
#include <string>

#include "common/check.h"
#include "common/identity/join_token.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse::identity;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto token = parse_join_token(text);
  if (!token) {
    GH_CHECK(size < 16 || token.error().message.find(text) == std::string::npos);
    return 0;
  }
  GH_CHECK(token->address.port != 0 && token->secret.size() == kSecretDigits &&
           token->pin.size() == kPinDigits);
  const auto again = parse_join_token(to_string(*token));
  GH_CHECK(again && *again == *token);
  return 0;
}
