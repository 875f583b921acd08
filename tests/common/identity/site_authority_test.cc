// What the site's authority signs, and how the next one takes over.
#include "common/identity/site_authority.h"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "common/certificate.h"
#include "common/files.h"
#include "common/identity/certificate_request.h"
#include "common/identity/identity_files.h"
#include "tests/support/temporary_folder.h"

namespace gatehouse::identity {
namespace {

using std::chrono::seconds;

class Authority : public testing::Test {
 protected:
  Authority() { EXPECT_TRUE(SiteAuthority::create(folder(), "edge")); }
  std::string folder() const { return folder_.path() + "/authority"; }
  SiteAuthority open() const {
    auto authority = SiteAuthority::open(folder());
    GH_CHECK(authority);
    return std::move(*authority);
  }
  Issued issue(const std::string& name, Role role, seconds life = seconds(3600)) const {
    const auto issued = open().issue(make_request(key_.get(), name), name, role, life);
    EXPECT_TRUE(issued) << issued.error().message;
    return issued ? *issued : Issued();
  }
  static X509Ptr leaf(const Issued& issued) { return std::move(read_chain(issued.chain)->leaf); }
  static std::uint32_t usage(const Issued& issued) { return X509_get_extended_key_usage(leaf(issued).get()); }
  Status check(const Issued& identity, const std::string& ca) const {
    return check_identity(identity.chain, ca, key_to_pem(key_.get()));
  }

  const test::TemporaryFolder folder_;
  const PrivateKeyPtr key_ = make_key();
};

TEST_F(Authority, IsReadableByItsOwnerOnlyAndIsNotMadeTwice) {
  struct stat info {};
  ASSERT_EQ(stat(SiteAuthority::file_of(folder()).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(folder().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  const std::string pin = open().pin();
  EXPECT_FALSE(SiteAuthority::create(folder(), "edge"));
  EXPECT_EQ(open().pin(), pin);
}

TEST_F(Authority, WhatACertificateAllowsIsOurs) {
  const Issued node = issue("n1", Role::kNode), host = issue("l4a", Role::kL4Host);
  EXPECT_EQ(names_of(leaf(node).get()), std::vector<std::string>{"n1"});
  EXPECT_EQ(usage(node), static_cast<std::uint32_t>(XKU_SSL_CLIENT)) << "no node can pass for an L4 host";
  EXPECT_EQ(usage(host), static_cast<std::uint32_t>(XKU_SSL_CLIENT | XKU_SSL_SERVER));
  EXPECT_EQ(X509_check_ca(leaf(node).get()), 0);
  EXPECT_EQ(X509_get_key_usage(leaf(node).get()), static_cast<std::uint32_t>(KU_DIGITAL_SIGNATURE));
  const Status good = check(node, node.ca);
  EXPECT_TRUE(good) << good.error().message;
  EXPECT_NE(leaf(node).get(), nullptr);
  EXPECT_NE(
      ASN1_INTEGER_cmp(X509_get0_serialNumber(leaf(node).get()), X509_get0_serialNumber(leaf(host).get())),
      0);
}

TEST_F(Authority, ItsPinIsThatOfItsPublicKey) {
  EXPECT_EQ(open().pin(), pin_of(read_chain(issue("n1", Role::kNode).ca)->leaf.get()));
  EXPECT_EQ(open().pin().size(), 64u);
}

TEST_F(Authority, HostsOfBothAuthoritiesBelieveEachOtherUntilTheEarlierIsFinished) {
  const Issued before = issue("l4a", Role::kL4Host);
  const std::string pin = open().pin();
  ASSERT_TRUE(SiteAuthority::rotate(folder(), "edge"));
  EXPECT_NE(open().pin(), pin);
  EXPECT_FALSE(SiteAuthority::rotate(folder(), "edge")) << "one after the other";
  const Issued after = issue("l4b", Role::kL4Host);
  EXPECT_TRUE(check(before, after.ca))
      << "a host that has the new authorities meets one that was not renewed yet";
  EXPECT_TRUE(check(after, before.ca)) << "and the other way round";
  EXPECT_TRUE(check(after, after.ca));
  ASSERT_TRUE(SiteAuthority::finish(folder()));
  const Issued last = issue("n1", Role::kNode);
  EXPECT_TRUE(check(after, last.ca)) << "whoever was renewed stays";
  EXPECT_FALSE(check(before, last.ca));
  EXPECT_FALSE(SiteAuthority::finish(folder()));
}

TEST_F(Authority, RefusesFilesThatAreNotWhole) {
  const std::string file = SiteAuthority::file_of(folder()), text = *read_file(file);
  for (const std::string& damaged :
       {std::string(), text.substr(0, text.size() / 2), text.substr(text.find("-----BEGIN CERT"))}) {
    ASSERT_TRUE(replace_file(file, damaged));
    const auto opened = SiteAuthority::open(folder());
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message.find(file), std::string::npos) << opened.error().message;
  }
}

}  // namespace
}  // namespace gatehouse::identity
