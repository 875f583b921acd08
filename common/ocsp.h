// OCSP responses as an authority gives them out (RFC 6960): whether one is about a certificate, and until
// when it is fresh. Its signature is for clients to verify, who know the authority.
#pragma once

#include <chrono>
#include <string_view>

#include "common/certificate.h"

namespace gatehouse {

// When it has to be replaced. An Error when `der` is no successful response about the chain's leaf.
Result<std::chrono::system_clock::time_point> ocsp_expiry(std::string_view der,
                                                          const CertificateChain& chain);

}  // namespace gatehouse
