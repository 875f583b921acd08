// The files of a host's identity, as joining and renewing write them: the authorities to be trusted, then key
// and certificate in one file (in two where [control] names two, which only joining does), each replaced
// whole, readable by its owner only.
#pragma once

#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/result.h"

namespace gatehouse::identity {

// All three as PEM: the key belongs to the certificate, which one of the authorities signed.
Status check_identity(const std::string& chain, const std::string& ca, const std::string& key);
// One of the authorities signed the certificate, whether it is good today or not.
Status check_overlap(const std::string& chain, const std::string& ca);
// Where [control] says. Makes folders that are missing.
Status write_identity(const config::Control& control, const std::string& chain, const std::string& ca,
                      const std::string& key);

// What is wrong with the files that [control] names, for the host of that name (empty: of any): what the
// others would refuse it for.
std::vector<std::string> identity_problems(const config::Control& control, const std::string& name);

}  // namespace gatehouse::identity
