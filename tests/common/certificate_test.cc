// PEM texts are understood, and what is wrong with them is said.
#include "common/certificate.h"

#include <gtest/gtest.h>

#include "common/ocsp.h"
#include "tests/support/authority.h"

namespace gatehouse::test {
namespace {

TEST(Certificate, NamesAreTheAlternativesOrTheCommonName) {
  Authority authority;
  const auto names = [&](const std::string& common_name, const std::string& alternatives) {
    return names_of(authority.issue({common_name, alternatives}).certificate());
  };
  EXPECT_EQ(names("cn.example", "DNS:a.example,DNS:*.B.Example,IP:192.0.2.1"),
            (std::vector<std::string>{"a.example", "*.b.example"}));
  EXPECT_EQ(names("Old.Example", ""), std::vector<std::string>{"old.example"});
  EXPECT_EQ(names("by.address", "IP:192.0.2.1"), std::vector<std::string>{"by.address"});
}

TEST(Certificate, AWildcardIsForOneLabelMore) {
  const struct {
    const char *name, *host;
    bool is_for;
  } cases[] = {{"a.example", "a.example", true},    {"*.example", "a.example", true},
               {"*.example", "a.b.example", false}, {"*.example", "example", false},
               {"*.example", ".example", false},    {"a.example", "b.example", false},
               {"*.a.example", "a.example", false}};
  for (const auto& row : cases)
    EXPECT_EQ(is_certificate_name_for(row.name, row.host), row.is_for) << row.name << " " << row.host;
}

TEST(Certificate, AChainExpiresWithItsFirst) {
  Authority authority;
  for (const int days : {90, 3, 0, -2}) {
    const auto chain = read_chain(authority.issue({"a", "DNS:a.example", "EC", days}).chain);
    ASSERT_TRUE(chain.has_value());
    EXPECT_EQ(chain->issuers.size(), 1u);
    EXPECT_EQ(days_left(expiry_of(*chain)), days);
  }
}

TEST(Certificate, BadChainsAreRefusedWithAReason) {
  const std::string good = Authority().issue({"a"}).chain;
  const std::size_t second = good.find("-----BEGIN", 1);
  const std::pair<std::string, const char*> cases[] = {
      {"", "certificate chain is not usable"},
      {"not PEM", "certificate chain is not usable"},
      {good.substr(0, second / 2), "certificate chain is not usable"},
      {good.substr(0, second + 200), "issuer in the certificate chain"},
      {good + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
       "issuer in the certificate chain"}};
  for (const auto& [text, why] : cases) {
    const auto chain = read_chain(text);
    ASSERT_FALSE(chain.has_value()) << text;
    EXPECT_TRUE(chain.error().message.starts_with(why)) << chain.error().message;
  }
  EXPECT_TRUE(read_chain("A comment\n" + good + "another\n").has_value());
}

TEST(PrivateKey, OneReaderReadsKeysOfAllKindsOneAfterTheOther) {
  Authority authority;
  PrivateKeyReader reader;
  for (int round = 0; round < 3; ++round) {
    for (const char* type : {"EC", "RSA"}) {
      const Issued issued = authority.issue({"a", "DNS:a.example", type}),
                   other = authority.issue({"b", "", type});
      const auto chain = read_chain(issued.chain);
      EXPECT_EQ(key_type_of(chain->leaf.get()), type);
      for (const std::string& text : {issued.key, traditional_key(issued.key)}) {
        const auto key = reader.read(text);
        ASSERT_TRUE(key.has_value()) << type << ": " << key.error().message;
        EXPECT_TRUE(check_key_of(*chain, key->get()).has_value());
      }
      const auto wrong = reader.read(other.key);
      ASSERT_TRUE(wrong.has_value());
      EXPECT_EQ(check_key_of(*chain, wrong->get()).error().message.substr(0, 42),
                "key does not belong to the certificate: ke");
      for (const std::string& text :
           {std::string(), std::string("not PEM"), issued.chain, issued.key.substr(0, 60)}) {
        EXPECT_FALSE(reader.read(text).has_value()) << text;
      }
    }
  }
}

TEST(Ocsp, ResponsesAreForOneCertificateAndForATime) {
  Authority authority, stranger("another");
  const Issued issued = authority.issue({"a"}), other = authority.issue({"b"});
  const auto chain = read_chain(issued.chain);
  const auto fresh = ocsp_expiry(authority.ocsp_response(issued, 3), *chain);
  ASSERT_TRUE(fresh.has_value()) << fresh.error().message;
  EXPECT_GE(days_left(*fresh), 2);
  EXPECT_LT(*ocsp_expiry(authority.ocsp_response(issued, -1), *chain), std::chrono::system_clock::now());
  const auto leaf_alone = read_chain(issued.chain.substr(0, issued.chain.find("-----BEGIN", 1)));
  EXPECT_TRUE(ocsp_expiry(authority.ocsp_response(issued), *leaf_alone).has_value());
  EXPECT_EQ(ocsp_expiry(authority.ocsp_response(other), *chain).error().message,
            "the OCSP response is not about this certificate");
  EXPECT_FALSE(ocsp_expiry(stranger.ocsp_response(issued), *chain).has_value());
  EXPECT_EQ(ocsp_expiry("no DER", *chain).error().message, "no OCSP response in DER");
}

}  // namespace
}  // namespace gatehouse::test
