// What a node answers to `gatehouse status` and `gatehouse explain`: pure functions of what it knows.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "common/config/model.h"
#include "common/control/messages.h"
#include "common/result.h"
#include "l7/cookie_seal.h"
#include "l7/supervisor/adjustments.h"
#include "l7/supervisor/steering.h"
#include "l7/tls/files.h"

namespace gatehouse::l7 {

class WorkerScale;
// What is configured against what runs.
nlohmann::json scale_report(const WorkerScale& scale, std::uint32_t serving);

// The fields are those of README.md, "gatehouse status --json".
nlohmann::json node_status(const config::Config& config, const config::Node& node, const control::NodeReport& report,
                           const std::vector<Steering::Count>& verdicts);

// What a node knows beside its config.
struct ExplainFacts {
  const control::NodeReport& report;
  const Adjustments* adjustments = nullptr;
  std::optional<CookieKeys> cookie_keys;
  const TlsFiles* files = nullptr;  // with the table of countries
};

// {method, url, headers} → {route, pool, pools, sticky, status, why: [{route, is_match, why}], backends}. url:
// "https://host/path", or a path with a Host header.
Result<nlohmann::json> explain_request(const config::Config& config, const nlohmann::json& params, const ExplainFacts& facts);

}  // namespace gatehouse::l7
