// Certificates that are replaced on disk are taken when they are good, and refused when they are not.
#include "l7/supervisor/tls_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/authority.h"
#include "tests/support/turn_until.h"

namespace gatehouse::l7 {
namespace {

using namespace gatehouse::test;
namespace fs = std::filesystem;

class Store : public testing::Test {
 protected:
  Store() : store(loop, [this] { ++changes; }) {
    fs::create_directories(folder);
    config::Listener& listener = config.listeners.emplace_back();
    listener.name = "web";
    listener.certificates = {{folder + "/chain", folder + "/key", ""}};
  }
  ~Store() override { fs::remove_all(folder); }

  // As careful programs do: never half a file.
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder + "/" + name + ".new", std::ios::binary) << text;
    fs::rename(folder + "/" + name + ".new", folder + "/" + name);
  }
  void write_pair(const Issued& issued) {
    write("chain", issued.chain);
    write("key", issued.key);
  }
  void use() {
    auto files = store.read(config);
    ASSERT_TRUE(files.has_value()) << files.error().message;
    store.use(config, std::move(*files));
  }
  bool until(const std::function<bool()>& condition) {
    return test::turn_until(loop, condition);
  }
  // Long enough for a change to be seen.
  void settle() {
    const auto end = EventLoop::Clock::now() + std::chrono::milliseconds(1'000);
    while (EventLoop::Clock::now() < end) loop.turn(Duration(50));
  }
  std::string_view text(const std::string& name) const { return store.files().text_of(folder + "/" + name); }

  EventLoop loop;
  const std::string folder =
      fs::temp_directory_path().string() + "/gatehouse-store-" + std::to_string(getpid());
  config::Config config;
  Authority authority;
  int changes = 0;
  TlsStore store;
};

TEST_F(Store, ReadsWhatTheConfigNames) {
  const Issued issued = authority.issue({"a", "DNS:a.example,DNS:*.b.example"});
  write_pair(issued);
  use();
  EXPECT_EQ(text("chain"), issued.chain);
  EXPECT_EQ(text("key"), issued.key);
  EXPECT_EQ(store.files().find(folder + "/chain")->names,
            (std::vector<std::string>{"a.example", "*.b.example"}));
  const TlsFiles copy = TlsFiles::from_memory(Fd(dup(store.memory())));
  EXPECT_EQ(copy.text_of(folder + "/key"), issued.key);
  EXPECT_EQ(copy.find(folder + "/chain")->key_type, "EC");
  ASSERT_EQ(store.report().size(), 1u);
  EXPECT_EQ(store.report()[0].name, "a.example");
  EXPECT_EQ(store.report()[0].days_left, 90);
}

TEST_F(Store, RefusesAConfigWithBadFiles) {
  const auto error = [&] {
    const auto files = store.read(config);
    return files ? std::string() : files.error().message;
  };
  const std::string label = "[[listener]] \"web\": ";
  EXPECT_EQ(error(), label + "cannot read " + folder + "/chain: No such file or directory");
  write_pair(authority.issue({"a"}));
  EXPECT_EQ(error(), "");
  write("key", authority.issue({"b"}).key);
  EXPECT_TRUE(error().starts_with(label + folder + "/key: key does not belong to the certificate"))
      << error();
  write("chain", "nothing");
  EXPECT_TRUE(error().starts_with(label + folder + "/chain: certificate chain is not usable")) << error();
  write_pair(authority.issue({"a"}));
  config.listeners[0].client_certificates = "request";
  config.listeners[0].client_ca = folder + "/ca";
  write("ca", "nothing");
  EXPECT_TRUE(error().starts_with(label + "client_ca, client_crl: authorities: ")) << error();
  config.listeners.clear();
  config.pools.emplace_back().name = "p";
  config.pools[0].tls.enabled = true;
  config.pools[0].tls.ca = folder + "/ca";
  EXPECT_TRUE(error().starts_with("[[pool]] \"p\".tls: ")) << error();
}

TEST_F(Store, TakesAReplacedPair) {
  write_pair(authority.issue({"a"}));
  use();
  const Issued next = authority.issue({"next", "DNS:next.example"});
  write_pair(next);
  EXPECT_TRUE(until([&] { return changes == 1; }));
  EXPECT_EQ(text("chain"), next.chain);
  EXPECT_EQ(text("key"), next.key);
  EXPECT_EQ(store.report()[0].name, "next.example");
  EXPECT_EQ(TlsFiles::from_memory(Fd(dup(store.memory()))).text_of(folder + "/chain"), next.chain);
}

TEST_F(Store, KeepsTheEarlierPairUntilBothHalvesFit) {
  const Issued first = authority.issue({"a"}), next = authority.issue({"next"});
  write_pair(first);
  use();
  write("chain", next.chain);
  settle();
  EXPECT_EQ(changes, 0);
  EXPECT_EQ(text("chain"), first.chain);
  write("key", next.key);
  EXPECT_TRUE(until([&] { return changes == 1; }));
  EXPECT_EQ(text("chain"), next.chain);
}

TEST_F(Store, KeepsTheEarlierPairWhenTheNewOneIsBadOrGone) {
  const Issued first = authority.issue({"a"});
  write_pair(first);
  use();
  write("chain", "nothing");
  settle();
  fs::remove(folder + "/chain");
  fs::remove(folder + "/key");
  settle();
  EXPECT_EQ(changes, 0);
  EXPECT_EQ(text("chain"), first.chain);
  write_pair(first);
  settle();
  EXPECT_EQ(changes, 0) << "it is the one in use";
}

TEST_F(Store, ABadPairDoesNotHoldUpAGoodOne) {
  write_pair(authority.issue({"a"}));
  write("chain2", authority.issue({"b"}).chain);
  const Issued second = authority.issue({"b"});
  write("chain2", second.chain);
  write("key2", second.key);
  config.listeners[0].certificates.push_back({folder + "/chain2", folder + "/key2", ""});
  use();
  const Issued next = authority.issue({"next"});
  write("chain", "nothing");
  write("chain2", next.chain);
  write("key2", next.key);
  EXPECT_TRUE(until([&] { return text("chain2") == next.chain; }));
  EXPECT_NE(text("chain"), "nothing");
}

// As some tools do: the name stays, a link on the way to the file changes.
TEST_F(Store, FollowsLinks) {
  fs::create_directories(folder + "/1");
  fs::create_directories(folder + "/2");
  const Issued first = authority.issue({"a"}), next = authority.issue({"next"});
  write("1/chain", first.chain);
  write("1/key", first.key);
  write("2/chain", next.chain);
  write("2/key", next.key);
  fs::create_symlink("1", folder + "/now");
  fs::create_symlink("now/chain", folder + "/chain");
  fs::create_symlink("now/key", folder + "/key");
  use();
  fs::create_symlink("2", folder + "/now.new");
  fs::rename(folder + "/now.new", folder + "/now");
  EXPECT_TRUE(until([&] { return text("key") == next.key; }));
}

TEST_F(Store, TakesAuthoritiesRevocationsAndResponsesToo) {
  const Issued issued = authority.issue({"a"});
  write_pair(issued);
  config::Listener& listener = config.listeners[0];
  listener.client_certificates = "require";
  listener.client_ca = folder + "/ca";
  listener.client_crl = folder + "/crl";
  listener.certificates[0].ocsp = folder + "/ocsp";
  write("ca", authority.pem());
  write("crl", authority.revocation_list({}));
  write("ocsp", authority.ocsp_response(issued, -1));
  use();
  const std::string revoked = authority.revocation_list({7}), fresh = authority.ocsp_response(issued, 3);
  write("crl", revoked);
  EXPECT_TRUE(until([&] { return text("crl") == revoked; }));
  write("crl", "nothing");
  write("ocsp", fresh);
  EXPECT_TRUE(until([&] { return text("ocsp") == fresh; }));
  EXPECT_EQ(text("crl"), revoked);
}

}  // namespace
}  // namespace gatehouse::l7
