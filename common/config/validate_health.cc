// Rules about the health checks of pools: what is said of one has a meaning for its kind.
#include <tuple>
#include <utility>

#include "common/config/validator.h"
#include "common/hex.h"

namespace gatehouse::config {
namespace {

class HealthValidator : Validator {
 public:
  using Validator::Validator;

  void run() {
    for (std::size_t i = 0; i < config_.pools.size(); ++i) check_health(i, config_.pools[i]);
  }

 private:
  void check_health(std::size_t index, const Pool& pool) {
    const Health& health = pool.health;
    const std::string path = at("pool", index, "health");
    check_health_kind(path, health);
    if (!health.is_on()) {
      if (pool.backends.size() > 1 || pool.discovery) {
        warn(at("pool", index),
             "[[pool]] " + quoted(pool.name) + " has no health check: a dead backend stays in rotation");
      }
      return;
    }
    if (health.kind == "http") check_http_health(path, health);
    if (health.timeout > health.interval) {
      warn(path,
           "[[pool]] health.timeout is longer than health.interval: a check is cut off when the next one "
           "starts");
    }
    if (health.fast_interval.count() > 0 && health.fast_interval > health.interval)
      error(path,
            "[[pool]] health.fast_interval: expected at most health.interval, " + to_string(health.interval));
  }
  // What is said of a check must be of its kind: else it would not be what somebody thinks that it is.
  void check_health_kind(const std::string& path, const Health& health) {
    const Health none;
    const auto is_known = [&](const char* kind) { return health.kind == kind; };
    if (!is_known("http") && !is_known("tcp") && !is_known("tls") && !is_known("grpc")) {
      return error(path, "[[pool]] health.kind: expected \"http\", \"tcp\", \"tls\" or \"grpc\", found " +
                             quoted(health.kind));
    }
    const bool is_http = is_known("http"), is_grpc = is_known("grpc"),
               is_bytes = is_known("tcp") || is_known("tls");
    const std::tuple<const char*, bool, bool> kinds[] = {
        {"path", health.path != none.path, is_http},
        {"method", health.method != none.method, is_http},
        {"host", health.host != none.host, !is_known("tcp")},
        {"status", health.status != none.status, is_http},
        {"degraded_status", health.degraded_status != none.degraded_status, is_http},
        {"body_contains", health.body_contains != none.body_contains, is_http},
        {"body_matches", health.body_matches != none.body_matches, is_http},
        {"service", health.service != none.service, is_grpc},
        {"request", health.request != none.request, is_bytes},
        {"expect", health.expect != none.expect, is_bytes},
    };
    for (const auto& [name, is_said, is_of_kind] : kinds) {
      if (is_said && !is_of_kind)
        error(path,
              "[[pool]] health." + std::string(name) + " has no meaning with kind " + quoted(health.kind));
    }
    constexpr std::size_t kLongestService = 100;
    if (health.service.size() > kLongestService)
      error(path,
            "[[pool]] health.service: expected at most " + std::to_string(kLongestService) + " characters");
    for (const auto& [name, text] :
         {std::pair("request", &health.request), std::pair("expect", &health.expect)}) {
      if (!parse_escapes(*text))
        error(path, "[[pool]] health." + std::string(name) +
                        ": expected text in which a backslash begins \\xNN, \\r, \\n or \\\\, found " +
                        quoted(*text));
    }
  }
  void check_http_health(const std::string& path, const Health& health) {
    if (health.path[0] != '/')
      error(path, "[[pool]] health.path: expected a path such as \"/healthz\", found " + quoted(health.path));
    if (health.method != "GET" && health.method != "HEAD" && health.method != "OPTIONS")
      error(path, "[[pool]] health.method: expected \"GET\", \"HEAD\" or \"OPTIONS\", found " +
                      quoted(health.method));
    const bool wants_body = !health.body_contains.empty() || !health.body_matches.empty();
    if (health.method == "HEAD" && wants_body)
      error(path, "[[pool]] health.method: an answer to HEAD has no body to look at");
    if (health.status.empty()) error(path, "[[pool]] health.status: expected at least one status code");
    check_regex(path, "[[pool]] health.body_matches", health.body_matches);
    for (const std::uint16_t code : health.degraded_status) {
      const bool is_both = std::find(health.status.begin(), health.status.end(), code) != health.status.end();
      if (is_both)
        error(path, "[[pool]] health.degraded_status: " + std::to_string(code) + " is in health.status, too");
    }
    const bool takes_errors =
        std::any_of(health.status.begin(), health.status.end(), [](auto code) { return code >= 500; });
    if (takes_errors)
      warn(path, "[[pool]] health.status has a 5xx code: a server in trouble counts as healthy");
  }
};

}  // namespace

void validate_health(const Config& config, Findings& findings) { HealthValidator(config, findings).run(); }

}  // namespace gatehouse::config
