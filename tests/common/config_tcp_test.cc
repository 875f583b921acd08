// Rules about listeners that do not speak HTTP, about PROXY headers, and about routes by server name.
#include <gtest/gtest.h>

#include "tests/common/config_findings.h"

namespace gatehouse::config {
namespace {

class TcpConfig : public testing::TestWithParam<Row> {};

TEST_P(TcpConfig, IsAnsweredWith) {
  EXPECT_EQ(findings_of(GetParam().toml), GetParam().findings) << GetParam().toml;
}

std::string pool(const std::string& rest = "") {
  return "[[pool]]\nname = \"p\"\nbackends = [\"192.0.2.7:80\"]\n" + rest;  // 3 lines
}
// After the pool: the rest is at line 7.
std::string listener(const std::string& rest) {
  return pool() + "[[listener]]\nname = \"l\"\naddresses = [\"127.0.0.1:1\"]\n" + rest;
}
std::string tls_route(const std::string& hosts, const std::string& rest = "pool = \"p\"\n") {
  return "[[tls_route]]\nhosts = [" + hosts + "]\n" + rest;
}
const std::string kPassthrough = listener("mode = \"tls-passthrough\"\n");  // routes at line 8

const Row kModes[] = {
    {"Tcp", listener("mode = \"tcp\"\npool = \"p\"\n"), ""},
    {"TcpWithTls",
     listener("mode = \"tcp\"\npool = \"p\"\ncertificates = [{ chain = \"c\", key = \"k\" }]\n"), ""},
    {"PassthroughToAPool", listener("mode = \"tls-passthrough\"\npool = \"p\"\n"), ""},
    {"PassthroughByRoutes", kPassthrough + tls_route("\"a.example\", \"*.a.example\""), ""},
    {"UnknownMode", listener("mode = \"udp\"\npool = \"p\"\n"),
     "f:7: [[listener]] mode: expected \"http\", \"tcp\" or \"tls-passthrough\", found \"udp\""},
    {"TcpWithoutAPool", listener("mode = \"tcp\"\n") + "[[route]]\npool = \"p\"\n",
     "f:7: [[listener]] \"l\" has mode \"tcp\": expected a pool too"},
    {"TcpToNowhere", listener("mode = \"tcp\"\npool = \"q\"\n") + "[[route]]\npool = \"p\"\n",
     "f:8: [[listener]] pool \"q\" does not exist; known: p"},
    {"HttpWithAPool", listener("pool = \"p\"\n"),
     "f:7: [[listener]] \"l\" has a pool: expected mode \"tcp\" or \"tls-passthrough\" with it; HTTP goes by "
     "[[route]]"},
    {"PassthroughToNowhere", kPassthrough + "[[route]]\npool = \"p\"\n",
     "f:7: [[listener]] \"l\" passes TLS through: expected a [[tls_route]] or a pool"},
    {"PassthroughWithCertificates",
     listener("mode = \"tls-passthrough\"\npool = \"p\"\ncertificates = [{ chain = \"c\", key = \"k\" }]\n"),
     "f:9: [[listener]] \"l\" passes TLS through: expected no certificates"},
};
INSTANTIATE_TEST_SUITE_P(Modes, TcpConfig, testing::ValuesIn(kModes), name_of);

const Row kTlsRoutes[] = {
    {"WithoutHosts", kPassthrough + tls_route(""), "f:9: [[tls_route]] \"p\" needs a host"},
    {"HostWithAPort", kPassthrough + tls_route("\"a.example:443\""),
     "f:9: [[tls_route]] hosts: expected a name such as \"shop.example\" or \"*.shop.example\", without "
     "port, "
     "found \"a.example:443\""},
    {"ToNowhere", kPassthrough + tls_route("\"a.example\"", "pool = \"q\"\n"),
     "f:10: [[tls_route]] pool \"q\" does not exist; known: p\n"
     "f:1: warning: [[pool]] \"p\" is used by no route"},
    {"TakenName", kPassthrough + tls_route("\"a.example\"") + tls_route("\"b.example\""),
     "f:11: [[tls_route]] name \"p\" is taken by line 8; expected one of its own"},
    {"TakenHost",
     kPassthrough + tls_route("\"a.example\"") + tls_route("\"a.example\"", "name = \"r\"\npool = \"p\"\n"),
     "f:12: [[tls_route]] hosts: \"a.example\" is taken by \"p\""},
    {"ThatNoListenerAsksFor", pool() + tls_route("\"a.example\""),
     "f:4: warning: [[tls_route]] \"p\" gets no connection: no listener has mode \"tls-passthrough\""},
};
INSTANTIATE_TEST_SUITE_P(TlsRoutes, TcpConfig, testing::ValuesIn(kTlsRoutes), name_of);

const Row kProxyHeaders[] = {
    {"Accepted",
     listener("mode = \"tcp\"\npool = \"p\"\nproxy_protocol = true\ntrusted_proxies = [\"10.0.0.0/8\"]\n"),
     ""},
    {"FromNobody", listener("mode = \"tcp\"\npool = \"p\"\nproxy_protocol = true\n"),
     "f:9: [[listener]] proxy_protocol: expected trusted_proxies too: those that may send a PROXY header"},
    {"Sent", pool("proxy_protocol = \"v2\"\n") + "[[route]]\npool = \"p\"\n", ""},
    {"OfAnUnknownVersion", pool("proxy_protocol = \"v3\"\n") + "[[route]]\npool = \"p\"\n",
     "f:4: [[pool]] proxy_protocol: expected \"v1\" or \"v2\", found \"v3\""},
};
INSTANTIATE_TEST_SUITE_P(ProxyHeaders, TcpConfig, testing::ValuesIn(kProxyHeaders), name_of);

}  // namespace
}  // namespace gatehouse::config
