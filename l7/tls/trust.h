// Whom a peer's certificate must be signed by: authorities and what they have revoked, from PEM text.
#pragma once

#include <openssl/x509_vfy.h>

#include <string_view>

#include "common/openssl_ptr.h"
#include "common/result.h"

namespace gatehouse::l7 {

using X509StorePtr = std::unique_ptr<X509_STORE, OpensslFree<X509_STORE_free>>;

// With `revocations`, certificates are checked against them, and refused when their authority's list is
// missing or expired.
Result<X509StorePtr> make_trust(std::string_view authorities, std::string_view revocations);
// The names of the authorities, for the list that a server shows to clients. The caller owns it.
STACK_OF(X509_NAME) * names_of_authorities(std::string_view authorities);

}  // namespace gatehouse::l7
