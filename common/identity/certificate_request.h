// What a host sends to the site's authority to get a certificate: its public key and its name, signed with
// the key (PKCS #10, RFC 2986). The private key stays where it was made. Of a request that came from
// somewhere else only the key and the name are believed, and only after check_request(): what a certificate
// allows is the authority's to say.
#pragma once

#include <string>
#include <string_view>

#include "common/openssl_ptr.h"
#include "common/result.h"

namespace gatehouse::identity {

inline constexpr std::size_t kLongestRequest = 8192;  // PEM; one with an RSA key of 8192 bits is half of it
inline constexpr int kLeastRsaBits = 2048;
inline constexpr int kMostRsaBits = 8192;  // what is larger costs whoever verifies it

PrivateKeyPtr make_key();  // ECDSA, P-256
std::string key_to_pem(EVP_PKEY* key);
std::string make_request(EVP_PKEY* key, const std::string& name);

// Signed with its own key, which is P-256 or RSA and large enough; for `name` and nothing else; not for an
// authority.
Result<X509RequestPtr> check_request(std::string_view pem, std::string_view name);

}  // namespace gatehouse::identity
