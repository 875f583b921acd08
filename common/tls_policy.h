// config::TlsPolicy put to an SSL_CTX: versions, ciphers, groups. The validator tries it on one of its own,
// so that a cipher that does not exist is an error of the config, with its line.
#pragma once

#include <string>

#include "common/config/model_tls.h"
#include "common/result.h"

struct ssl_ctx_st;

namespace gatehouse {

// Errors begin with the name of the option.
Status apply_tls_policy(ssl_ctx_st* context, const config::TlsPolicy& policy);
// "1.2", "1.3": OpenSSL's number of that version; 0: there is no such.
int tls_version_number(const std::string& version);

}  // namespace gatehouse
