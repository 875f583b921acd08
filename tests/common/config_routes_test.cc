// Rules about what routes match and do: every error with its line and what would be right.
#include <gtest/gtest.h>

#include "tests/common/config_findings.h"

namespace gatehouse::config {
namespace {

// Before the route's own lines: 5 lines.
const std::string kHead = "[[pool]]\nname = \"p\"\nbackends = [\"192.0.2.7:80\"]\n[[route]]\nname = \"r\"\n";
std::string findings_of_route(const std::string& route) { return findings_of(kHead + route, "[[pool]] \"p\" is used by no route"); }

class RouteConfig : public testing::TestWithParam<Row> {};
TEST_P(RouteConfig, IsAnsweredWith) { EXPECT_EQ(findings_of_route(GetParam().toml), GetParam().findings) << GetParam().toml; }

std::string of_pool(const std::string& rest) { return "pool = \"p\"\n" + rest; }  // from line 7
std::string redirect(const std::string& parts) { return "path_prefix = \"/a\"\nredirect = { " + parts + " }\n"; }  // line 7

const Row kActions[] = {
    {"None", "", "f:4: [[route]] \"r\" has neither: expected exactly one of pool, pools, redirect and response"},
    {"Two", of_pool("redirect = { path = \"/x\" }\n"), "f:4: [[route]] \"r\" has pool and redirect: expected exactly one of pool, pools, redirect and response"},
    {"GoodRedirect", redirect("status = 308, scheme = \"https\", host = \"b:81\", replace_prefix = \"/b\", query = \"\""), ""},
    {"GoodTarget", redirect("target = \"https://{host}:8443{path}{query}\""), ""},
    {"RedirectStatus", redirect("status = 300, path = \"/x\""), "f:7: [[route]].redirect status: expected 301, 302, 303, 307 or 308, found 300"},
    {"RedirectToNothing", redirect("status = 301"), "f:7: [[route]].redirect: expected either target or some of scheme, host, path, replace_prefix and query"},
    {"RedirectToBoth", redirect("target = \"https://b/\", path = \"/x\""), "f:7: [[route]].redirect: expected either target or some of scheme, host, path, replace_prefix and query"},
    {"RedirectScheme", redirect("scheme = \"ftp\""), "f:7: [[route]].redirect scheme: expected \"http\" or \"https\", found \"ftp\""},
    {"RedirectHost", redirect("host = \"b/x\""), "f:7: [[route]].redirect host: expected a host such as \"www.shop.example\" or \"shop.example:8443\", found \"b/x\""},
    {"RedirectPath", redirect("path = \"//x\""), "f:7: [[route]].redirect path: expected a path that begins with one '/', without query, spaces as \"%20\", found \"//x\""},
    {"TargetThatMayLeaveTheHost", redirect("target = \"https://b.example{query}\""),
     "f:7: [[route]].redirect target: expected a URL such as \"https://new.example{path}{query}\", whose host ends with '/' or {path}, found \"https://b.example{query}\""},
    {"TargetWithoutHost", redirect("target = \"{path}\""),
     "f:7: [[route]].redirect target: expected a URL such as \"https://new.example{path}{query}\", whose host ends with '/' or {path}, found \"{path}\""},
    {"TargetWithUserInformation", redirect("target = \"https://u@b/\""),
     "f:7: [[route]].redirect target: expected a URL such as \"https://new.example{path}{query}\", whose host ends with '/' or {path}, found \"https://u@b/\""},
    {"TargetVariable", redirect("target = \"https://{hots}/\""), "f:7: [[route]].redirect target: unknown variable {hots}; did you mean \"host\"?"},
    {"TargetBrace", redirect("target = \"https://b/{\""), "f:7: [[route]].redirect target: '{' without '}': expected a variable such as {host}, or {{ for a brace"},
    {"PrefixWithoutPrefix", "redirect = { replace_prefix = \"/x\" }\n", "f:6: [[route]].redirect replace_prefix: expected a route with path_prefix"},
    {"GoodResponse", "response = { status = 503, headers = [{ name = \"Retry-After\", value = \"60\" }], body = \"later\" }\n", ""},
    {"ResponseStatus", "response = { status = 304 }\n", "f:6: [[route]].response status: expected one that says something by itself, found 304"},
    {"ResponseOutOfRange", "response = { status = 100 }\n", "f:6: [[route]].response status: expected a number from 200 to 599, found 100"},
    {"BodyOf204", "response = { status = 204, body = \"x\" }\n", "f:6: [[route]].response body: expected none with status 204"},
    {"RewriteWithoutPool", "path_prefix = \"/a\"\nresponse = {}\nrewrite = { strip_prefix = true }\n", "f:8: [[route]] \"r\" has rewrite and no backend: expected a pool"},
    {"RewriteTwice", of_pool("path_prefix = \"/a\"\nrewrite = { strip_prefix = true, path = \"/x\" }\n"),
     "f:8: [[route]].rewrite has more than one new path: expected one of path, replace_prefix, strip_prefix and regex"},
    {"GoodRewrite", of_pool("path_prefix = \"/a\"\nrewrite = { strip_prefix = true, host = \"[2001:db8::1]:80\" }\n"), ""},
};
INSTANTIATE_TEST_SUITE_P(Actions, RouteConfig, testing::ValuesIn(kActions), name_of);

std::string set(const std::string& whose, const std::string& name, const std::string& value) {
  return of_pool(whose + "_headers = { set = [{ name = \"" + name + "\", value = \"" + value + "\" }] }\n");
}

const Row kFields[] = {
    {"Good", set("request", "X-Shop", "{client_address} {sni} {{x} {path}"), ""},
    {"Host", set("request", "HOST", "b"), "f:7: [[route]].request_headers set: \"HOST\" is what rewrite.host is for"},
    {"Connection", set("request", "Connection", "x"), "f:7: [[route]].request_headers set: \"Connection\" belongs to the connection, not to the message: Gatehouse writes it"},
    {"Length", set("response", "content-length", "1"), "f:7: [[route]].response_headers set: \"content-length\" belongs to the connection, not to the message: Gatehouse writes it"},
    {"RemovedEncoding", of_pool("request_headers = { remove = [\"Transfer-Encoding\"] }\n"),
     "f:7: [[route]].request_headers remove: \"Transfer-Encoding\" belongs to the connection, not to the message: Gatehouse writes it"},
    {"ForwardedFor", set("request", "X-Forwarded-For", "x"), "f:7: [[route]].request_headers set: \"X-Forwarded-For\" says who the client is: Gatehouse writes it"},
    {"AttemptCount", set("request", "X-Attempt-Count", "1"), "f:7: [[route]].request_headers set: \"X-Attempt-Count\" is written by Gatehouse"},
    {"RequestId", set("response", "X-Request-ID", "x"), "f:7: [[route]].response_headers set: \"X-Request-ID\" is written by Gatehouse"},
    {"LineEnd", set("request", "X-Shop", "a\\r\\nX: b"),
     "f:7: [[route]].request_headers set: expected a value without line ends and control characters, and no space around it, found \"a\r\nX: b\""},
    {"NotAToken", set("request", "X Shop", "a"), "f:7: [[route]].request_headers set: expected a field name such as \"X-Shop\", found \"X Shop\""},
    {"PathInTheResponse", set("response", "X-Path", "{path}"),
     "f:7: [[route]].response_headers set: {host}, {path} and {query} are not known any more when the response is there: expected other variables"},
    {"RequestWithoutBackend", "response = {}\nrequest_headers = { remove = [\"X\"] }\n", "f:7: [[route]] \"r\" has request_headers and no backend: expected a pool"},
};
INSTANTIATE_TEST_SUITE_P(Fields, RouteConfig, testing::ValuesIn(kFields), name_of);

const Row kMatches[] = {
    {"Good", of_pool("path_regex = \"/u/[0-9]+\"\nmethods = [\"GET\"]\nheaders = [{ name = \"A\", exact = \"\" }]\ncookies = [{ name = \"c\", present = true }]\n"
                     "query = [{ name = \"q\", regex = \"a+\" }]\nclients = [\"10.0.0.0/8\"]\n"), ""},
    {"Regex", of_pool("path_regex = \"/(\"\n"), "f:7: [[route]] path_regex: expected an RE2 expression, found \"/(\": missing ): /("},
    {"TwoPaths", of_pool("path = \"/a\"\npath_regex = \"/a\"\n"), "f:4: [[route]] \"r\" has path and path_regex: expected one of them"},
    {"Method", of_pool("methods = [\"get\"]\n"), "f:7: [[route]] methods: expected a method such as \"GET\", in capitals, found \"get\""},
    {"NoCondition", of_pool("headers = [{ name = \"A\" }]\n"),
     "f:7: [[route]].headers \"A\" has 0 conditions: expected exactly one of exact, prefix, suffix, contains, regex, range, present, absent"},
    {"TwoConditions", of_pool("query = [{ name = \"A\", present = true, absent = true }]\n"),
     "f:7: [[route]].query \"A\" has 2 conditions: expected exactly one of exact, prefix, suffix, contains, regex, range, present, absent"},
    {"Range", of_pool("headers = [{ name = \"A\", range = \"7\" }]\n"),
     "f:7: [[route]].headers range: expected two numbers such as \"200-299\", the first or the second may be missing, found \"7\""},
    {"RangeThatEndsBeforeItBegins", of_pool("query = [{ name = \"A\", range = \"7-5\" }]\n"),
     "f:7: [[route]].query range: expected two numbers such as \"200-299\", the first or the second may be missing, found \"7-5\""},
    {"GoodTls", of_pool("tls = { versions = [\"1.3\"], sni = [\"*.a.example\"], client_subject = \"CN=.*\" }\n"), ""},
    {"TlsOfNothing", of_pool("tls = {}\n"), "f:7: [[route]] tls: expected versions, sni or client_subject"},
    {"TlsVersion", of_pool("tls = { versions = [\"TLSv1.3\"] }\n"), "f:7: [[route]] tls.versions: expected \"1.2\" or \"1.3\", found \"TLSv1.3\""},
    {"TlsSubject", of_pool("tls = { client_subject = \"(\" }\n"), "f:7: [[route]] tls.client_subject: expected an RE2 expression, found \"(\": missing ): ("},
    {"TlsName", of_pool("tls = { sni = [\"a*\"] }\n"),
     "f:7: [[route]] tls: expected a name such as \"shop.example\" or \"*.shop.example\", without port, found \"a*\""},
    {"Accept", of_pool("accept = [\"text/*\"]\n"), "f:7: [[route]] accept: expected a media type such as \"application/json\" or \"text/html;level=1\", found \"text/*\""},
    {"GoodGrpc", of_pool("grpc = { service = \"a.b.C\", method = \"Get\" }\n"), ""},
    {"GrpcService", of_pool("grpc = { service = \"a/b\" }\n"), "f:7: [[route]] grpc.service: expected a name such as \"shop.v1.Orders\", found \"a/b\""},
    {"GrpcMethod", of_pool("grpc = { service = \"a\", method = \"b.c\" }\n"), "f:7: [[route]] grpc.method: expected a name such as \"Get\", found \"b.c\""},
    {"GrpcAndPath", of_pool("grpc = { service = \"a\" }\npath = \"/x\"\n"), "f:4: [[route]] \"r\" has path and grpc: expected one of them"},
    {"GoodPathTemplate", of_pool("path_template = \"/a/{id}\"\nrewrite = { path = \"/b/{path.id}{query}\" }\nrequest_headers = { set = [{ name = \"A\", value = \"{path.id}\" }] }\n"), ""},
    {"PathTemplate", of_pool("path_template = \"/a/{}\"\n"),
     "f:7: [[route]] path_template: expected a whole segment such as {id} for a variable, or {rest...} for the last one, found \"{}\""},
    {"PathVariable", of_pool("path_template = \"/a/{item}\"\nrewrite = { path = \"/b/{path.itme}\" }\n"),
     "f:8: [[route]].rewrite path: the route has no path_template or path_regex with {itme}; did you mean \"item\"?"},
    {"PathVariableWithoutTemplate", of_pool("path = \"/a\"\nrequest_headers = { set = [{ name = \"A\", value = \"{path.id}\" }] }\n"),
     "f:8: [[route]].request_headers set: the route has no path_template or path_regex with {id}"},
    {"Name", of_pool("cookies = [{ name = \"a=b\", present = true }]\n"), "f:7: [[route]].cookies name: expected a name without spaces, ':', ';' and '=', found \"a=b\""},
    {"Client", of_pool("clients = [\"10.0.0.0/99\"]\n"), "f:7: [[route]] clients: expected an address or a prefix such as \"192.0.2.1\" or \"10.0.0.0/8\", found \"10.0.0.0/99\""},
    {"HiddenByEqualConditions", of_pool("methods = [\"GET\"]\n[[route]]\nname = \"s\"\npool = \"p\"\nmethods = [\"GET\"]\n"),
     "f:8: warning: [[route]] \"s\" gets no request: \"r\" takes all of them first"},
    {"NotHiddenByAMethod", of_pool("methods = [\"GET\"]\npriority = 1\n[[route]]\nname = \"s\"\npool = \"p\"\n"), ""},
};
INSTANTIATE_TEST_SUITE_P(Matches, RouteConfig, testing::ValuesIn(kMatches), name_of);

}  // namespace
}  // namespace gatehouse::config
