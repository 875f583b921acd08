// Of a request that came from somewhere else nothing is believed that is not checked.
#include "common/identity/certificate_request.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

namespace gatehouse::identity {
namespace {

using Names = std::vector<std::pair<const char*, const char*>>;

std::string request_of(EVP_PKEY* key, const Names& names, const char* constraints = nullptr,
                       EVP_PKEY* signer = nullptr) {
  const X509RequestPtr request(X509_REQ_new());
  for (const auto& [field, value] : names) {
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request.get()), field, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(value), -1, -1, 0);
  }
  if (constraints) {
    STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
    sk_X509_EXTENSION_push(extensions,
                           X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, constraints));
    X509_REQ_add_extensions(request.get(), extensions);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  }
  X509_REQ_set_pubkey(request.get(), key);
  EXPECT_GT(X509_REQ_sign(request.get(), signer ? signer : key, EVP_sha256()), 0);
  return written_by([&](BIO* bio) { return PEM_write_bio_X509_REQ(bio, request.get()); });
}

TEST(CertificateRequest, OneOfOursIsGood) {
  const PrivateKeyPtr key = make_key();
  const auto checked = check_request(make_request(key.get(), "n1"), "n1");
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_EQ(EVP_PKEY_eq(X509_REQ_get0_pubkey(checked->get()), key.get()), 1);
}

TEST(CertificateRequest, RefusesWhatItMayNotAskFor) {
  const PrivateKeyPtr good = make_key(), other = make_key();
  const PrivateKeyPtr p384(EVP_EC_gen("P-384")), rsa_1024(EVP_RSA_gen(1024)), rsa_2048(EVP_RSA_gen(2048));
  const PrivateKeyPtr ed25519(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  const Names n1 = {{"CN", "n1"}};
  const std::string long_name(65, 'n');
  const struct {
    const char* why;
    std::string request;
    std::string name;
    std::string refusal;  // empty: none
  } rows[] = {
      {"RSA of 2048 bits", request_of(rsa_2048.get(), n1), "n1", ""},
      {"RSA of 1024 bits", request_of(rsa_1024.get(), n1), "n1",
       "expected an RSA key of 2048 to 8192 bits, found 1024"},
      {"another curve", request_of(p384.get(), n1), "n1", "expected a key of P-256 or RSA"},
      {"another name", request_of(good.get(), {{"CN", "n2"}}), "n1",
       "expected one for \"n1\" alone, found \"n2\""},
      {"no name", request_of(good.get(), {}), "n1", "expected one for \"n1\" alone"},
      {"two names", request_of(good.get(), {{"CN", "n1"}, {"CN", "l4a"}}), "n1",
       "expected one for \"n1\" alone"},
      {"a name of another kind", request_of(good.get(), {{"O", "n1"}}), "n1",
       "expected one for \"n1\" alone"},
      {"too long a name", request_of(good.get(), n1), long_name, "expected a name of 1 to 64 bytes"},
      {"an authority", request_of(good.get(), n1, "critical,CA:TRUE"), "n1", "it asks for an authority"},
      {"no authority", request_of(good.get(), n1, "CA:FALSE"), "n1", ""},
      {"a key of somebody else", request_of(good.get(), n1, nullptr, other.get()), "n1",
       "is not signed with its key"},
      {"no PEM", "n1", "n1", "is not usable"},
      {"too long", std::string(kLongestRequest + 1, 'x'), "n1", "expected at most 8192 bytes"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto checked = check_request(row.request, row.name);
    EXPECT_EQ(checked.has_value(), row.refusal.empty());
    if (checked) continue;
    EXPECT_NE(checked.error().message.find(row.refusal), std::string::npos) << checked.error().message;
    EXPECT_EQ(ERR_peek_error(), 0u) << "nothing is left for the next";
  }
}

}  // namespace
}  // namespace gatehouse::identity
