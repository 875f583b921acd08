// The store's options: what is refused, and what is legal and wrong.
#include <gtest/gtest.h>

#include "tests/common/config_findings.h"

namespace gatehouse::config {
namespace {

class StoreConfig : public testing::TestWithParam<Row> {};

TEST_P(StoreConfig, IsAnsweredWith) {
  const std::string rest =
      "[[listener]]\nname = \"l\"\naddresses = [\"127.0.0.1:1\"]\n[[route]]\npool = \"p\"\n[[pool]]\nname = "
      "\"p\"\n"
      "backends = [\"192.0.2.7:80\"]\n";
  EXPECT_EQ(findings_of("[store]\n" + GetParam().toml + rest), GetParam().findings) << GetParam().toml;
}

const Row kRows[] = {
    {"Good",
     "etcd = [\"https://192.0.2.5:2379\"]\nca = \"a\"\ncertificate = \"c\"\nkey = \"k\"\nuser = "
     "\"u\"\npassword_file = \"p\"\n",
     ""},
    {"ClearOnLoopback", "etcd = [\"http://127.0.0.1:2379\"]\n", ""},
    {"NoMember", "etcd = []\n", "f:2: store.etcd: expected the URL of a member or more"},
    {"NoUrl", "etcd = [\"192.0.2.5:2379\"]\n",
     "f:2: store.etcd: expected URLs such as \"https://192.0.2.5:2379\", found \"192.0.2.5:2379\""},
    {"Path", "etcd = [\"https://192.0.2.5:2379/\"]\n",
     "f:2: store.etcd: expected no path after the port, found \"https://192.0.2.5:2379/\""},
    {"Clear", "etcd = [\"http://192.0.2.5:2379\"]\n",
     "f:2: warning: store.etcd: \"http://192.0.2.5:2379\" is asked in the clear: whoever can touch that "
     "traffic can change the site"},
    {"CertificateWithoutKey", "etcd = [\"https://192.0.2.5:2379\"]\ncertificate = \"c\"\n",
     "f:1: store.certificate and store.key: expected both or none"},
    {"UserWithoutPassword", "etcd = [\"https://192.0.2.5:2379\"]\nuser = \"u\"\n",
     "f:3: store.user and store.password_file: expected both or none"},
};

INSTANTIATE_TEST_SUITE_P(Store, StoreConfig, testing::ValuesIn(kRows), name_of);

}  // namespace
}  // namespace gatehouse::config
