// Options of retries, ejection, limits and panic: read, and refused when they contradict each other.
#include "tests/common/config_findings.h"

namespace gatehouse::config {
namespace {

std::string pool(const std::string& more) {  // which begins at line 9
  return of_a_pool("backends = [\"192.0.2.7:80\"]\n" + more);
}

TEST(ConfigResilience, IsReadFromAPool) {
  const Loaded loaded =
      load_text(pool("panic = \"use-all\"\npanic_below = 50\n"
                     "[pool.retry]\nattempts = 2\nstatus = [503]\ntry_timeout = \"1s\"\nbudget = 20\n"
                     "[pool.ejection]\nfailures = 0\n[pool.limits]\nmax_backend_requests = 10\n"
                     "[pool.queue]\nlimit = 20\ntimeout = \"250ms\"\n"
                     "[pool.adaptive_limit]\nenabled = true\ninitial_requests = 50\n"),
                "f");
  ASSERT_TRUE(loaded.is_valid()) << loaded.errors();
  EXPECT_TRUE(loaded.findings.empty());
  const Pool& pool = loaded.config.pools[0];
  EXPECT_EQ(pool.panic, "use-all");
  EXPECT_EQ(pool.panic_below, 50u);
  EXPECT_EQ(pool.retry.attempts, 2u);
  EXPECT_EQ(pool.retry.status, std::vector<std::uint16_t>{503});
  EXPECT_EQ(pool.retry.try_timeout, Duration(1'000));
  EXPECT_EQ(pool.retry.budget, 20u);
  EXPECT_EQ(pool.ejection.failures, 0u);
  EXPECT_EQ(pool.limits.max_backend_requests, 10u);
  EXPECT_EQ(pool.queue.limit, 20u);
  EXPECT_EQ(pool.queue.timeout, Duration(250));
  EXPECT_TRUE(pool.adaptive_limit.enabled);
  EXPECT_EQ(pool.adaptive_limit.initial_requests, 50u);
}

struct Contradiction {
  std::string toml;
  std::string finding;
};

TEST(ConfigResilience, ARouteHasTermsOfItsOwn) {
  const Loaded loaded = load_text(
      pool("[[route]]\nname = \"upload\"\npath_prefix = \"/upload\"\npool = \"p\"\nrequest_timeout = \"1h\"\n"
           "response_timeout = \"2m\"\nmax_body = \"10GiB\"\nretry = { attempts = 2, status = [503], try_timeout = \"1s\" }\n"),
      "f");
  ASSERT_TRUE(loaded.is_valid()) << loaded.errors();
  const Route& route = loaded.config.routes[1];
  EXPECT_EQ(route.request_timeout, Duration(3'600'000));
  EXPECT_EQ(route.response_timeout, Duration(120'000));
  EXPECT_EQ(route.max_body.bytes, 10ull << 30);
  ASSERT_TRUE(route.retry.has_value());
  EXPECT_EQ(route.retry->attempts, 2u);
  EXPECT_EQ(route.retry->status, std::vector<std::uint16_t>{503});
  EXPECT_EQ(route.retry->try_timeout, Duration(1'000));
}

TEST(ConfigResilience, TermsOfARouteWithoutAPoolHoldForNobody) {
  const std::string head = "[[route]]\nname = \"r\"\npath = \"/r\"\n", answer = "response = { status = 404 }\n";
  const auto finding = [](const std::string& option, const std::string& text) {
    return std::pair(option, "[[route]] \"r\" " + text);
  };
  for (const auto& [option, text] :
       {finding("max_body = \"1KiB\"\n" + answer, "max_body: expected with a pool: we answer ourselves"),
        finding("retry = { attempts = 2 }\n" + answer, "retry: expected with a pool: we answer ourselves"),
        finding("pool = \"p\"\nresponse_timeout = \"1s\"\nretry = { try_timeout = \"2s\" }\n",
                "retry.try_timeout: expected at most response_timeout (1s), found 2s"),
        finding("pool = \"p\"\nretry = { attempts = 1, status = [503] }\n",
                "retry: attempts = 1 repeats nothing: status and try_timeout find no other backend")}) {
    EXPECT_NE(findings_of(pool(head + option)).find(text), std::string::npos) << findings_of(pool(head + option));
  }
}

TEST(ConfigResilience, ContradictionsAreSaid) {
  const Contradiction rows[] = {
      {"panic = \"maybe\"\n", "f:9: [[pool]] panic: expected \"refuse\", \"use-all\" or \"answer\", found \"maybe\""},
      {"panic = \"answer\"\n",
       "f:9: [[pool]] panic \"answer\": expected panic_answer with it, such as { body = \"back at ten\" }"},
      {"panic_answer = { body = \"later\" }\n",
       "f:9: [[pool]] panic_answer: expected panic = \"answer\" with it, found \"refuse\""},
      {"panic = \"answer\"\npanic_answer = { content_type = \"a\\nb\" }\n",
       "f:10: [[pool]] panic_answer content_type: expected the value of a field, such as \"text/html\""},
      {"panic = \"answer\"\npanic_answer = { status = 204, body = \"a\" }\n",
       "f:10: [[pool]] panic_answer: an answer of status 204 has no body"},
      {"[[route]]\nname = \"x\"\npath = \"/x\"\npool = \"p\"\npriority_class = \"high\"\n",
       "f:13: [[route]] priority_class: expected \"critical\", \"default\" or \"sheddable\", found \"high\""},
      {"[[route]]\nname = \"x\"\npath = \"/x\"\nresponse = { status = 200 }\nhedge_after = \"50ms\"\n",
       "f:13: [[route]] hedge_after: expected a pool with it: what the route answers itself is never late"},
      {"[pool.retry]\nattempts = 1\n[[route]]\nname = \"x\"\npath = \"/x\"\npool = \"p\"\nhedge_after = \"50ms\"\n",
       "f:15: warning: [[route]] hedge_after: \"p\" has retry.attempts = 1: nothing is sent twice"},
      {"[pool.queue]\nlimit = 5\n",
       "f:9: warning: [[pool]].queue: \"p\" has no limits that could be reached: nobody ever waits"},
      {"[pool.adaptive_limit]\nmin_requests = 200\n",
       "f:9: [[pool]].adaptive_limit: expected min_requests <= initial_requests <= max_requests, found 200, 100 and 1000"},
      {"[pool.retry]\nbackoff = \"1s\"\n",
       "f:9: [[pool]].retry backoff: expected at most max_backoff (250ms), found 1s"},
      {"[pool.retry]\ntry_timeout = \"1m\"\n",
       "f:9: [[pool]].retry try_timeout: expected at most response_timeout (30s), found 1m"},
      {"[pool.retry]\nattempts = 1\nstatus = [503]\n",
       "f:9: warning: [[pool]].retry: attempts = 1 repeats nothing: status and try_timeout find no other backend"},
      {"[pool.retry]\nattempts = 10\n",
       "f:10: [[pool]].retry attempts: expected a number from 1 to 9, found 10"},
      {"[pool.ejection]\ntime = \"10m\"\n",
       "f:9: [[pool]].ejection time: expected at most max_time (5m), found 10m"},
      {"[pool.ejection]\nlatency_factor = 1\nmin_backends = 2\n",
       "f:9: [[pool]].ejection latency_factor: expected 0, or 2 and more, found 1: half of a pool is always above its "
       "median"},
      {"[pool.ejection]\nlatency_factor = 5\nmin_backends = 20\n",
       "f:9: warning: [[pool]].ejection latency_factor: \"p\" has fewer backends than min_backends (20): they are "
       "never compared"},
  };
  for (const Contradiction& row : rows) {
    const Loaded loaded = load_text(pool(row.toml), "f");
    ASSERT_EQ(loaded.findings.size(), 1u) << row.toml;
    EXPECT_EQ(loaded.findings[0].text, row.finding);
  }
}

}  // namespace
}  // namespace gatehouse::config
