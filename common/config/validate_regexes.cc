// How much regular expressions may cost: each by itself is bounded by RE2; here those of a host, which are
// matched as one set, and all of them.
#include <re2/re2.h>

#include <span>

#include "common/config/validator.h"
#include "common/regex_set.h"

namespace gatehouse::config {
namespace {

constexpr std::int64_t kMostInstructions = 1'000'000;

class RegexValidator : Validator {
 public:
  using Validator::Validator;

  void run() {
    std::map<std::string, Together> of_host;
    Together hosts;
    for (std::size_t i = 0; i < config_.routes.size(); ++i) {
      const Route& route = config_.routes[i];
      for (const std::string& regex : route.host_regexes)
        note(hosts, i, at("route", i, "host_regexes"), "host_regexes", regex);
      const auto matches = matches_of(route);
      for (std::size_t k = 0; k < matches.size(); ++k) {
        if (matches[k].path_regex.empty()) continue;
        const std::string where = route.matches.empty()
                                      ? at("route", i)
                                      : at("route", i, "matches") + "[" + std::to_string(k) + "]";
        const auto note_for = [&](const std::string& host) {
          note(of_host[host], i, where + ".path_regex", "path_regex", matches[k].path_regex);
        };
        if (route.hosts.empty() && route.host_regexes.empty()) note_for("any host");
        for (const std::string& host : route.hosts) note_for("host " + quoted(host));
        for (const std::string& regex : route.host_regexes) note_for("hosts " + quoted(regex));
      }
    }
    if (is_beyond_) return;
    check("all hosts", "host_regexes", hosts, RegexSet::Letters::kInAnyCase);
    for (const auto& [host, together] : of_host)
      check(host, "path_regex", together, RegexSet::Letters::kAsTheyAre);
  }

 private:
  struct Together {
    std::vector<std::string> patterns;
    std::vector<std::size_t> routes;
    std::vector<std::string> places;
  };

  void note(Together& together, std::size_t route, const std::string& where, const char* key,
            const std::string& pattern) {
    const auto [known, is_new] = instructions_.emplace(pattern, 0);
    if (is_new) {
      const re2::RE2 regex(pattern, re2::RE2::Quiet);
      if (regex.ok()) known->second = regex.ProgramSize();
      all_ += known->second;
    }
    if (known->second == 0) return;  // it has an error of its own
    together.patterns.push_back(pattern);
    together.routes.push_back(route);
    together.places.push_back(where);
    if (all_ <= kMostInstructions || std::exchange(is_beyond_, true)) return;
    error(where, "[[route]] " + quoted(config_.routes[route].name) + " " + key +
                     ": with it the expressions of all routes are more than " +
                     std::to_string(kMostInstructions) + " instructions: expected fewer, or shorter ones");
  }

  // Names the first that is too much.
  void check(const std::string& whose, const char* key, const Together& together, RegexSet::Letters letters) {
    const std::span<const std::string> all(together.patterns);
    if (RegexSet::fits(all, letters)) return;
    std::size_t good = 0, bad = all.size();
    while (good + 1 < bad) {
      const std::size_t middle = (good + bad) / 2;
      (RegexSet::fits(all.first(middle), letters) ? good : bad) = middle;
    }
    error(together.places[bad - 1], "[[route]] " + quoted(config_.routes[together.routes[bad - 1]].name) +
                                        " " + key + ": with it the expressions of " + whose +
                                        " take more than " + to_string(ByteSize{RegexSet::kMostBytes}) +
                                        ": expected fewer, or shorter ones");
  }

  std::map<std::string, std::int64_t> instructions_;  // of each
  std::int64_t all_ = 0;
  bool is_beyond_ = false;
};

}  // namespace

std::string regex_error(const std::string& pattern) {
  if (pattern.empty()) return {};
  const re2::RE2 regex(pattern, re2::RE2::Quiet);
  return regex.ok() ? "" : regex.error();
}

void validate_regexes(const Config& config, Findings& findings) { RegexValidator(config, findings).run(); }

}  // namespace gatehouse::config
