// Our key schedule derives what OpenSSL's own does. All tests of this program run with it: handshakes with
// clients that use OpenSSL's prove the rest.
#include "l7/tls/key_schedule.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include <random>

#include "common/openssl_ptr.h"

namespace gatehouse::l7 {
namespace {

class OwnKeySchedule : public testing::Environment {
  void SetUp() override { ASSERT_TRUE(use_own_key_schedule()); }
};
[[maybe_unused]] testing::Environment* const kEnvironment =
    testing::AddGlobalTestEnvironment(new OwnKeySchedule);

struct Question {
  int mode;
  std::string digest, key, salt, label, data;
  std::size_t size;
  bool has_key = true, has_salt = false, has_data = false;
};

// Empty: refused.
std::string derive(const char* provider, Question question) {
  const std::unique_ptr<EVP_KDF, OpensslFree<EVP_KDF_free>> kdf(
      EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_3_KDF, provider));
  const std::unique_ptr<EVP_KDF_CTX, OpensslFree<EVP_KDF_CTX_free>> context(EVP_KDF_CTX_new(kdf.get()));
  std::string prefix = "tls13 ", out(question.size, '\0');
  std::vector<OSSL_PARAM> parameters = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &question.mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, question.digest.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix.data(), prefix.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, question.label.data(), question.label.size())};
  const auto add = [&](bool has, const char* name, std::string& value) {
    if (has) parameters.push_back(OSSL_PARAM_construct_octet_string(name, value.data(), value.size()));
  };
  add(question.has_key, OSSL_KDF_PARAM_KEY, question.key);
  add(question.has_salt, OSSL_KDF_PARAM_SALT, question.salt);
  add(question.has_data, OSSL_KDF_PARAM_DATA, question.data);
  parameters.push_back(OSSL_PARAM_construct_end());
  const int result = EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(out.data()), out.size(),
                                    parameters.data());
  ERR_clear_error();
  return result == 1 ? out : "";
}

void expect_same(const Question& question) {
  const std::string theirs = derive("provider=default", question);
  ASSERT_FALSE(theirs.empty()) << question.label;
  EXPECT_EQ(derive("provider=gatehouse", question), theirs)
      << question.digest << " " << question.label << " " << question.size;
}

std::string random_text(std::mt19937& random, std::size_t size) {
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

TEST(KeySchedule, IsTakenWhereItIsAskedFor) {
  const std::unique_ptr<EVP_KDF, OpensslFree<EVP_KDF_free>> kdf(
      EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_3_KDF, kPreferOwn));
  ASSERT_TRUE(kdf);
  EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(kdf.get())), "gatehouse");
  const std::unique_ptr<EVP_MD, OpensslFree<EVP_MD_free>> other(EVP_MD_fetch(nullptr, "SHA256", kPreferOwn));
  EXPECT_STREQ(OSSL_PROVIDER_get0_name(EVP_MD_get0_provider(other.get())), "default");
}

TEST(KeySchedule, ExpandsAsOpensslDoes) {
  std::mt19937 random(3);
  for (const auto& [digest, size] :
       {std::pair("SHA256", 32u), {"SHA384", 48u}, {"SHA2-256", 32u}, {"SHA2-384", 48u}}) {
    for (const std::size_t wanted : {1u, 12u, 16u, size, size + 1, 100u, 255u}) {
      for (const char* label : {"key", "iv", "finished", "c hs traffic", "exporter", "x"}) {
        Question question{EVP_KDF_HKDF_MODE_EXPAND_ONLY, digest, random_text(random, size), "", label,
                          random_text(random, size),     wanted};
        expect_same(question);
        question.has_data = true;
        expect_same(question);
      }
    }
  }
}

TEST(KeySchedule, ExtractsAsOpensslDoes) {
  std::mt19937 random(4);
  for (const auto& [digest, size] : {std::pair("SHA256", 32u), {"SHA384", 48u}}) {
    for (const bool has_key : {false, true}) {
      for (const bool has_salt : {false, true}) {
        Question question{EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
                          digest,
                          random_text(random, 32),
                          random_text(random, size),
                          "derived",
                          "",
                          size};
        question.has_key = has_key;
        question.has_salt = has_salt;
        expect_same(question);
        question.key = random_text(random, 1'184);  // what a hybrid group agrees on may be long
        expect_same(question);
      }
    }
  }
}

TEST(KeySchedule, WhatItDoesNotKnowIsRefused) {
  const Question good{EVP_KDF_HKDF_MODE_EXPAND_ONLY, "SHA256", std::string(32, 'k'), "", "key", "", 16};
  EXPECT_EQ(derive("provider=gatehouse", good).size(), 16u);
  const auto expect_refused = [&](auto change) {
    Question bad = good;
    change(bad);
    EXPECT_EQ(derive("provider=gatehouse", bad), "");
  };
  expect_refused([](Question& bad) { bad.digest = "MD5"; });
  expect_refused([](Question& bad) { bad.mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND; });
  expect_refused([](Question& bad) { bad.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY; });  // not the hash's size
  expect_refused([](Question& bad) { bad.label = std::string(250, 'l'); });
  expect_refused([](Question& bad) { bad.key = std::string(65, 'k'); });
  expect_refused([](Question& bad) { bad.size = 255 * 32 + 1; });
}

}  // namespace
}  // namespace gatehouse::l7
