// The immutable snapshot that requests are served from: routes, pools, TLS contexts, made from one Config. Shared
// by the requests that began with it (the only shared_ptr of the L7 tier). Building it touches no file: certificates
// come as PEM text, because workers may not read keys.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/result.h"
#include "l7/board.h"

namespace gatehouse::l7 {

// The PEM texts of one config::Certificate.
struct KeyPair {
  std::string chain;
  std::string key;
};

// certificates[i][j] belongs to config.listeners[i].certificates[j].
using Certificates = std::vector<std::vector<KeyPair>>;

// Reads the files that `config` names. Errors name the file and the listener.
Result<Certificates> read_certificates(const config::Config& config);

class Runtime;
// Fails with the reason when a certificate or key is not usable; the caller keeps the snapshot that it has.
Result<std::shared_ptr<const Runtime>> build_runtime(config::Config config, const Certificates& certificates,
                                                     Board& board);

}  // namespace gatehouse::l7
