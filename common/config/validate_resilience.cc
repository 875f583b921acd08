// Rules about retries, ejection, limits, panic and priority classes.
#include <algorithm>

#include "common/config/validator.h"

namespace gatehouse::config {
namespace {

class ResilienceValidator : Validator {
 public:
  using Validator::Validator;

  void run() {
    for (std::size_t i = 0; i < config_.pools.size(); ++i) {
      check_retry(at("pool", i, "retry"), config_.pools[i]);
      check_ejection(at("pool", i, "ejection"), config_.pools[i]);
      check_adaptive_limit(at("pool", i, "adaptive_limit"), config_.pools[i].adaptive_limit);
      check_queue(at("pool", i, "queue"), config_.pools[i]);
      check_panic(i, config_.pools[i]);
    }
    for (std::size_t i = 0; i < config_.routes.size(); ++i) {
      check_class(at("route", i, "priority_class"), config_.routes[i]);
      check_terms(i, config_.routes[i]);
      if (config_.routes[i].hedge_after.count() > 0) check_hedge(at("route", i, "hedge_after"), config_.routes[i]);
    }
  }

 private:
  void check_retry(const std::string& path, const Pool& pool) {
    const Retry& retry = pool.retry;
    if (retry.backoff > retry.max_backoff) {
      error(path, "[[pool]].retry backoff: expected at most max_backoff (" + to_string(retry.max_backoff) +
                      "), found " + to_string(retry.backoff));
    }
    if (retry.try_timeout > pool.response_timeout) {
      error(path, "[[pool]].retry try_timeout: expected at most response_timeout (" +
                      to_string(pool.response_timeout) + "), found " + to_string(retry.try_timeout));
    }
    if (retry.attempts == 1 && (!retry.status.empty() || retry.try_timeout.count() > 0)) {
      warn(path,
           "[[pool]].retry: attempts = 1 repeats nothing: status and try_timeout find no other backend");
    }
  }
  // Terms without a pool would hold for nobody.
  void check_terms(std::size_t index, const Route& route) {
    const std::string label = "[[route]] " + quoted(route.name) + " ";
    const bool has_pool = !route.pool.empty() || !route.pools.empty();
    const std::pair<const char*, bool> said[] = {{"request_timeout", route.request_timeout.count() > 0},
                                                 {"response_timeout", route.response_timeout.count() > 0},
                                                 {"max_body", route.max_body.bytes > 0},
                                                 {"retry", route.retry.has_value()}};
    for (const auto& [name, is_said] : said) {
      if (is_said && !has_pool) error(at("route", index, name), label + name + ": expected with a pool: we answer ourselves");
    }
    if (!route.retry) return;
    const bool is_cut = route.response_timeout.count() > 0 && route.retry->try_timeout > route.response_timeout;
    if (is_cut)
      error(at("route", index, "retry"), label + "retry.try_timeout: expected at most response_timeout (" +
                                             to_string(route.response_timeout) + "), found " +
                                             to_string(route.retry->try_timeout));
    if (route.retry->attempts == 1 && (!route.retry->status.empty() || route.retry->try_timeout.count() > 0))
      warn(at("route", index, "retry"),
           label + "retry: attempts = 1 repeats nothing: status and try_timeout find no other backend");
  }
  void check_ejection(const std::string& path, const Pool& pool) {
    const Ejection& ejection = pool.ejection;
    if (ejection.time > ejection.max_time) {
      error(path, "[[pool]].ejection time: expected at most max_time (" + to_string(ejection.max_time) +
                      "), found " + to_string(ejection.time));
    }
    if (ejection.latency_factor == 1) {
      error(path,
            "[[pool]].ejection latency_factor: expected 0, or 2 and more, found 1: half of a pool is always "
            "above its median");
    }
    if (ejection.latency_factor > 1 && ejection.min_backends > pool.backends.size()) {
      warn(path, "[[pool]].ejection latency_factor: " + quoted(pool.name) +
                     " has fewer backends than min_backends (" + std::to_string(ejection.min_backends) +
                     "): they are never compared");
    }
  }
  void check_adaptive_limit(const std::string& path, const AdaptiveLimit& limit) {
    if (limit.min_requests <= limit.initial_requests && limit.initial_requests <= limit.max_requests) return;
    error(path, "[[pool]].adaptive_limit: expected min_requests <= initial_requests <= max_requests, found " + std::to_string(limit.min_requests) + ", " +
                    std::to_string(limit.initial_requests) + " and " + std::to_string(limit.max_requests));
  }
  void check_queue(const std::string& path, const Pool& pool) {
    const Limits& limits = pool.limits;
    const bool can_be_full = limits.max_requests > 0 || limits.max_backend_requests > 0 || limits.max_backend_connections > 0 ||
                             pool.adaptive_limit.enabled;
    if (pool.queue.limit > 0 && !can_be_full) {
      warn(path, "[[pool]].queue: " + quoted(pool.name) + " has no limits that could be reached: nobody ever waits");
    }
  }
  void check_panic(std::size_t index, const Pool& pool) {
    const bool answers = pool.panic == "answer";
    if (!answers && pool.panic != "refuse" && pool.panic != "use-all") {
      return error(
          at("pool", index, "panic"),
          "[[pool]] panic: expected \"refuse\", \"use-all\" or \"answer\", found " + quoted(pool.panic));
    }
    if (answers && !pool.panic_answer)
      error(at("pool", index, "panic"),
            "[[pool]] panic \"answer\": expected panic_answer with it, such as { body = \"back at ten\" }");
    if (!pool.panic_answer) return;
    const std::string path = at("pool", index, "panic_answer");
    if (!answers)
      error(path, "[[pool]] panic_answer: expected panic = \"answer\" with it, found " + quoted(pool.panic));
    if (!is_field_value(pool.panic_answer->content_type) || pool.panic_answer->content_type.empty())
      error(path, "[[pool]] panic_answer content_type: expected the value of a field, such as \"text/html\"");
    if (pool.panic_answer->status == 204 && !pool.panic_answer->body.empty())
      error(path, "[[pool]] panic_answer: an answer of status 204 has no body");
  }
  void check_hedge(const std::string& path, const Route& route) {
    std::vector<std::string> names = names_of(route.pools);
    if (!route.pool.empty()) names.push_back(route.pool);
    if (names.empty()) error(path, "[[route]] hedge_after: expected a pool with it: what the route answers itself is never late");
    for (const Pool& pool : config_.pools) {
      if (std::find(names.begin(), names.end(), pool.name) == names.end()) continue;
      if (pool.retry.attempts == 1) warn(path, "[[route]] hedge_after: " + quoted(pool.name) + " has retry.attempts = 1: nothing is sent twice");
      if (pool.affinity) warn(path, "[[route]] hedge_after: " + quoted(pool.name) + " has affinity: nothing is sent to another backend than the client's");
    }
  }
  void check_class(const std::string& path, const Route& route) {
    const bool is_known = std::find(std::begin(kPriorityClasses), std::end(kPriorityClasses), route.priority_class) != std::end(kPriorityClasses);
    if (is_known) return;
    error(path, "[[route]] priority_class: expected \"critical\", \"default\" or \"sheddable\", found " + quoted(route.priority_class));
  }
};

}  // namespace

void validate_resilience(const Config& config, Findings& findings) {
  ResilienceValidator(config, findings).run();
}

}  // namespace gatehouse::config
