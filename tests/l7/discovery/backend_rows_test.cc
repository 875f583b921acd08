// Backends as the supervisor tells them to its workers.
#include "l7/discovery/backend_rows.h"

#include <gtest/gtest.h>

#include "common/json_fields.h"

namespace gatehouse::test {
namespace {

using l7::backend_rows;
using l7::backends_from;

config::Backend backend(const char* address, const char* zone) {
  return {.address = *Endpoint::parse(address), .weight = 7, .backup = true, .zone = zone};
}

TEST(BackendRows, ComeBackAsTheyWere) {
  const std::vector<config::Backend> backends = {backend("192.0.2.7:80", "hall-a"),
                                                 backend("[2001:db8::7]:443", "")};
  const auto back = backends_from(parse_json(backend_rows(backends).dump()));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, backends);
}

TEST(BackendRows, WithoutAZoneAreWhatAnOlderWorkerReads) {
  const std::vector<config::Backend> backends = {backend("192.0.2.7:80", "")};
  EXPECT_EQ(backend_rows(backends).dump(), R"([["192.0.2.7:80",7,true]])");
}

TEST(BackendRows, AnythingElseIsNone) {
  for (const char* bad :
       {"null", "{}", "[7]", "[[]]", R"([["192.0.2.7:80", 1]])", R"([["192.0.2.7", 1, false]])",
        R"([["192.0.2.7:80", -1, false]])", R"([["192.0.2.7:80", 1, 0]])",
        R"([["192.0.2.7:80", 1, false, 7]])", R"([["192.0.2.7:80", 1, false, "a", "b"]])"})
    EXPECT_FALSE(backends_from(parse_json(bad))) << bad;
}

}  // namespace
}  // namespace gatehouse::test
