// Rules about routes with several matches, hosts by regex and countries: errors name the match, and what is
// hidden is said of the match that is.
#include <gtest/gtest.h>

#include "tests/common/config_findings.h"

namespace gatehouse::config {
namespace {

// Before the route's own lines: 6 lines.
const std::string kHead =
    "[[pool]]\nname = \"p\"\nbackends = [\"192.0.2.7:80\"]\n[[route]]\nname = \"r\"\npool = \"p\"\n";

class MatchConfig : public testing::TestWithParam<Row> {};
TEST_P(MatchConfig, IsAnsweredWith) {
  EXPECT_EQ(findings_of(kHead + GetParam().toml), GetParam().findings) << GetParam().toml;
}

std::string next_route(const std::string& rest) { return "[[route]]\nname = \"s\"\npool = \"p\"\n" + rest; }

const Row kMatches[] = {
    {"Good",
     "hosts = [\"a.example\"]\nmatches = [{ path = \"/a\", methods = [\"GET\"] }, { path_prefix = \"/b\", "
     "headers = [{ name = \"X\", exact = \"1\" }] }]\n",
     ""},
    {"AndConditions", "methods = [\"GET\"]\nmatches = [{ path = \"/a\" }]\n",
     "f:8: [[route]] \"r\" has matches and conditions beside them: expected these in each match that they "
     "are for"},
    {"Paths", "matches = [{ path = \"/a\" },\n  { path = \"/b\", path_prefix = \"/c\" }]\n",
     "f:8: [[route]] \"r\" match 2 has path and path_prefix: expected one of them"},
    {"Path", "matches = [{ path = \"a\" }]\n",
     "f:7: [[route]].matches path: expected a path that begins with '/', found \"a\""},
    {"Regex", "matches = [{ path_regex = \"(\" }]\n",
     "f:7: [[route]].matches path_regex: expected an RE2 expression, found \"(\": missing ): ("},
    {"Values", "matches = [{ query = [{ name = \"q\" }] }]\n",
     "f:7: [[route]].matches.query \"q\" has 0 conditions: expected exactly one of exact, prefix, suffix, "
     "contains, regex, range, present, absent"},
    {"Unknown", "matches = [{ paht = \"/a\" }]\n",
     "f:7: unknown key \"paht\" in [[route]].matches; did you mean \"path\"?"},
    {"SameTwice", "matches = [{ path = \"/a\" },\n  { path = \"/a\" }]\n",
     "f:8: warning: [[route]] \"r\" match 2 gets no request: \"r\" match 1 takes all of them first"},
    {"OneHidden", "path = \"/a\"\n" + next_route("matches = [{ path = \"/b\" },\n  { path = \"/a\" }]\n"),
     "f:12: warning: [[route]] \"s\" match 2 gets no request: \"r\" takes all of them first"},
    {"HiddenByPriority",
     "matches = [{ path_prefix = \"/a\" }, { path = \"/b\" }]\npriority = 1\n" +
         next_route("path = \"/a/x\"\n"),
     "f:9: warning: [[route]] \"s\" gets no request: \"r\" match 1 takes all of them first"},
    {"NotHiddenByTwoTogether",
     "matches = [{ methods = [\"GET\"] }, { methods = [\"POST\"] }]\npriority = 1\n" +
         next_route("methods = [\"GET\", \"POST\"]\n"),
     ""},
    {"PrefixOfAll",
     "matches = [{ path_prefix = \"/a\" }, { path = \"/b\" }]\nrewrite = { strip_prefix = true }\n",
     "f:8: [[route]].rewrite strip_prefix: expected a route with path_prefix in each match"},
    {"VariableOfAll",
     "matches = [{ path_template = \"/a/{id}\" }, { path_regex = \"/b/(?P<id>[0-9]+)\" }]\nrewrite = { path "
     "= \"/{path.id}\" }\n",
     ""},
    {"VariableOfOne",
     "matches = [{ path_template = \"/a/{id}\" }, { path_template = \"/b/{ib}\" }]\nrewrite = { path = "
     "\"/{path.id}\" }\n",
     "f:8: [[route]].rewrite path: match 2 of the route has no path_template or path_regex with {id}; did "
     "you mean \"ib\"?"},
};
INSTANTIATE_TEST_SUITE_P(Matches, MatchConfig, testing::ValuesIn(kMatches), name_of);

const Row kHosts[] = {
    {"Good", "hosts = [\"a.example\"]\nhost_regexes = [\"shop-[0-9]+\\\\.example\"]\n", ""},
    {"Regex", "host_regexes = [\"(\"]\n",
     "f:7: [[route]] host_regexes: expected an RE2 expression, found \"(\": missing ): ("},
    {"SameTwice", "host_regexes = [\"a.*\"]\n" + next_route("host_regexes = [\"a.*\"]\n"),
     "f:8: warning: [[route]] \"s\" gets no request: \"r\" takes all of them first"},
    {"HiddenByPriority",
     "host_regexes = [\"a.*\", \"b.*\"]\npriority = 1\n" +
         next_route("host_regexes = [\"b.*\"]\npath = \"/x\"\n"),
     "f:9: warning: [[route]] \"s\" gets no request: \"r\" takes all of them first"},
    {"RegexHidesNoName", "host_regexes = [\".*\"]\npriority = 1\n" + next_route("hosts = [\"a.example\"]\n"),
     ""},
    {"NameHidesNoRegex",
     "hosts = [\"*.example\"]\npriority = 1\n" + next_route("host_regexes = [\"a.example\"]\n"), ""},
    {"Groups", "path_regex = \"/(?P<a>a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\"\n",
     "f:7: [[route]] path_regex: expected at most 9 groups, found 10; (?:...) is none"},
};
INSTANTIATE_TEST_SUITE_P(Hosts, MatchConfig, testing::ValuesIn(kHosts), name_of);

const std::string kCountries =
    "[countries]\nheader = \"CF-IPCountry\"\n[[listener]]\nname = \"l\"\naddresses = "
    "[\"127.0.0.1:80\"]\ntrusted_proxies = [\"10.0.0.1\"]\n";
const Row kOfCountries[] = {
    {"Good",
     "countries = [\"DE\", \"AT\"]\nrequest_headers = { set = [{ name = \"X\", value = \"{client.country}\" "
     "}] }\n" +
         kCountries,
     ""},
    {"Unknown", "countries = [\"DE\"]\n",
     "f:7: [[route]] countries: expected [countries] with a database or a header"},
    {"UnknownVariable", "request_headers = { set = [{ name = \"X\", value = \"{client.country}\" }] }\n",
     "f:7: [[route]].request_headers set: {client.country}: expected [countries] with a database or a "
     "header"},
    {"Letters", "countries = [\"de\"]\n" + kCountries,
     "f:7: [[route]] countries: expected two capitals such as \"DE\", found \"de\""},
    {"Header",
     "[countries]\nheader = \"CF:\"\n[[listener]]\nname = \"l\"\naddresses = "
     "[\"127.0.0.1:80\"]\ntrusted_proxies = [\"10.0.0.1\"]\n",
     "f:8: [countries] header: expected the name of a field such as \"CF-IPCountry\", found \"CF:\""},
    {"Believed", "[countries]\nheader = \"CF-IPCountry\"\n",
     "f:8: warning: [countries] header is believed from nobody: no listener has trusted_proxies"},
    {"NotHidden", "countries = [\"DE\"]\npriority = 1\n" + next_route("path = \"/\"\n") + kCountries, ""},
};
INSTANTIATE_TEST_SUITE_P(Countries, MatchConfig, testing::ValuesIn(kOfCountries), name_of);

const Row kRewrites[] = {
    {"Good",
     "rewrite = { regex = \"/([a-z]+)/([0-9]+)\", substitution = \"/\\\\2/\\\\1\", query = { set = [{ name = "
     "\"a\", value = \"{host}\" }], remove = [\"b\"] } }\n",
     ""},
    {"WithoutSubstitution", "rewrite = { regex = \"/a\" }\n",
     "f:7: [[route]].rewrite expected regex and substitution together"},
    {"Regex", "rewrite = { regex = \"/(\", substitution = \"/\" }\n",
     "f:7: [[route]].rewrite regex: expected an RE2 expression, found \"/(\": missing ): /("},
    {"Substitution", "rewrite = { regex = \"/a\", substitution = \"\\\\0\" }\n",
     "f:7: [[route]].rewrite substitution: expected a path that begins with one '/', without query, spaces "
     "as \"%20\", found \"\\0\""},
    {"Group", "rewrite = { regex = \"/(a)\", substitution = \"/\\\\2\" }\n",
     "f:7: [[route]].rewrite substitution: Rewrite schema requests 2 matches, but the regexp only has 1 "
     "parenthesized subexpressions."},
    {"Backslash", "rewrite = { regex = \"/(a)\", substitution = \"/\\\\\" }\n",
     "f:7: [[route]].rewrite substitution: Rewrite schema error: '\\' not allowed at end."},
    {"TwoPaths", "rewrite = { regex = \"/a\", substitution = \"/b\", path = \"/c\" }\n",
     "f:7: [[route]].rewrite has more than one new path: expected one of path, replace_prefix, strip_prefix "
     "and regex"},
    {"EmptyQuery", "rewrite = { query = {} }\n", "f:7: [[route]].rewrite.query: expected set, add or remove"},
    {"NoName", "rewrite = { query = { add = [{ name = \"\", value = \"x\" }] } }\n",
     "f:7: [[route]].rewrite.query add: expected the name of a parameter, found \"\""},
    {"Variable", "rewrite = { query = { add = [{ name = \"x\", value = \"{hots}\" }] } }\n",
     "f:7: [[route]].rewrite.query add: unknown variable {hots}; did you mean \"host\"?"},
};
INSTANTIATE_TEST_SUITE_P(Rewrites, MatchConfig, testing::ValuesIn(kRewrites), name_of);

TEST(RegexBudget, NamesTheRouteThatGoesBeyondAHosts) {
  std::string toml = "[[pool]]\nname = \"p\"\nbackends = [\"192.0.2.7:80\"]\n";
  for (int i = 0; i < 10; ++i) {
    const std::string number = std::to_string(i);
    toml += "[[route]]\nname = \"r" + number + "\"\npool = \"p\"\nhosts = [\"a.example\"]\npath_regex = \"/" +
            number + "/\\\\pL{50}\"\n";
  }
  const std::string found = findings_of(toml);
  EXPECT_NE(found.find(" path_regex: with it the expressions of host \"a.example\" take more than 16MiB: "
                       "expected fewer, or shorter ones"),
            std::string::npos)
      << found;
  const auto line = std::stoul(found.substr(2));
  EXPECT_EQ((line - 8) % 5, 0u) << found;
  EXPECT_NE(found.find("\"r" + std::to_string((line - 8) / 5) + "\""), std::string::npos) << found;
}

TEST(RegexBudget, NamesTheRouteThatGoesBeyondTheConfigs) {
  std::string toml = "[[pool]]\nname = \"p\"\nbackends = [\"192.0.2.7:80\"]\n";
  for (int i = 0; i < 100; ++i) {
    const std::string number = std::to_string(i);
    toml += "[[route]]\nname = \"r" + number + "\"\npool = \"p\"\nhosts = [\"" + number +
            ".example\"]\npath_regex = \"/" + number + "/\\\\pL{50}\"\n";
  }
  const std::string found = findings_of(toml);
  EXPECT_NE(found.find(" path_regex: with it the expressions of all routes are more than 1000000 "
                       "instructions: expected fewer, or shorter ones"),
            std::string::npos)
      << found;
}

const std::string kAnswer = "[[route]]\nname = \"r\"\n";
const Row kAnswers[] = {
    {"Good", "response = { file = \"x.html\", content_type = \"text/html\" }\n", ""},
    {"FileAndBody", "response = { file = \"x.html\", body = \"x\" }\n",
     "f:3: [[route]].response has body and file: expected one of them"},
    {"FileOf204", "response = { status = 204, file = \"x.html\" }\n",
     "f:3: [[route]].response file: expected none with status 204"},
    {"ContentType", "response = { body = \"x\", content_type = \"html\" }\n",
     "f:3: [[route]].response content_type: expected a media type such as \"text/html; charset=utf-8\", "
     "found \"html\""},
    {"ContentTypeTwice",
     "response = { body = \"x\", content_type = \"text/html\", headers = [{ name = \"content-type\", value = "
     "\"a/b\" }] }\n",
     "f:3: [[route]].response has content_type and a field Content-Type: expected one of them"},
};
class AnswerConfig : public testing::TestWithParam<Row> {};
TEST_P(AnswerConfig, IsAnsweredWith) {
  EXPECT_EQ(findings_of(kAnswer + GetParam().toml), GetParam().findings) << GetParam().toml;
}
INSTANTIATE_TEST_SUITE_P(Answers, AnswerConfig, testing::ValuesIn(kAnswers), name_of);

}  // namespace
}  // namespace gatehouse::config
