// How events look to people: one line each.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include "common/cli/site_command.h"
#include "common/json_fields.h"

namespace gatehouse::cli {
namespace {

TEST(EventsReport, IsALineForEachEvent) {
  setenv("TZ", "UTC", 1);
  tzset();
  const Json answer = parse_json(R"({"events": [
    {"number": 1, "time_ms": 1790000000007, "kind": "worker", "subject": "worker 1", "what": "was ended by SIGKILL", "why": "pid 12"},
    {"number": 2, "time_ms": 1790000001000, "kind": "announcement", "subject": "198.51.100.10", "what": "is announced", "left_out": 3}],
    "last": 2, "left_out": {"backend": 970}})");
  EXPECT_EQ(events_report(answer),
            "2026-09-21 14:13:20.007  worker        worker 1 was ended by SIGKILL: pid 12\n"
            "2026-09-21 14:13:21.000  announcement  198.51.100.10 is announced (3 of this kind were left out before)\n"
            "since then 970 of kind backend were left out: they come too fast\n");
  for (const char* odd : {"{}", "[]", "7", R"({"events": 1, "left_out": 2})", R"({"events": [1, {"time_ms": "x"}]})"}) events_report(parse_json(odd));
}

}  // namespace
}  // namespace gatehouse::cli
