// The side that joins: asks the L4 host that a token names for a certificate, and the site's config with it.
// The host is known by the authority that the token pins and by its name; until it has proved both, it is
// told nothing.
#pragma once

#include <cstdint>
#include <string>

#include "common/identity/join_token.h"
#include "common/result.h"
#include "common/units.h"

namespace gatehouse::identity {

struct JoinAnswer {
  std::string chain;  // PEM
  std::string ca;     // PEM
  std::string config;
  std::uint64_t version = 0;  // of the config; 0: none yet
};

// Waits. Errors say what to do where that can be known.
Result<JoinAnswer> ask_to_join(const JoinToken& token, const std::string& name, const std::string& request,
                               Duration patience);

}  // namespace gatehouse::identity
