// The sources of a config: who begins, who goes on, what a pool's backends are; and lists of backends in
// files.
#include "l7/discovery/discovery.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/turn_until.h"
#include "tests/support/dns_server.h"

namespace gatehouse::l7 {
namespace {

namespace fs = std::filesystem;

class Sources : public testing::Test {
 protected:
  Sources() : folder(testing::TempDir() + "gatehouse-discovery-" + std::to_string(getpid())) {
    fs::create_directories(folder);
    config.pools.resize(1);
    config.pools[0].name = "api";
    config.pools[0].discovery = config::Discovery{};
    options().file = folder + "/list";
  }
  ~Sources() override { fs::remove_all(folder); }

  config::Discovery& options() { return *config.pools[0].discovery; }
  void write(const std::string& text) const {
    std::ofstream(folder + "/list.new") << text;
    fs::rename(folder + "/list.new", folder + "/list");
  }
  std::unique_ptr<Discovery> make(const std::string& file = "") {
    return std::make_unique<Discovery>(loop, file,
                                       [this](const std::string& pool) { changed.push_back(pool); });
  }
  template <typename Condition>
  bool until(Condition condition) {
    return test::turn_until(loop, condition);
  }
  static std::string text_of(const Backends& backends) {
    std::string text;
    for (const config::Backend& backend : backends) text += to_string(backend.address) + " ";
    return text;
  }
  bool becomes(const std::string& expected) {
    const bool has_become = until([&] { return text_of(discovery->backends_of("api")) == expected; });
    EXPECT_EQ(text_of(discovery->backends_of("api")), expected);
    return has_become;
  }
  std::string reason() const { return discovery->report("api").value("reason", ""); }

  EventLoop loop;
  std::string folder;
  config::Config config;
  std::unique_ptr<Discovery> discovery;
  std::vector<std::string> changed;
};

TEST_F(Sources, ThePoolBeginsWithWhatIsListedAndWhatIsFound) {
  write("192.0.2.8:80\n192.0.2.7:80\n");
  config.pools[0].backends = {{*Endpoint::parse("192.0.2.9:80")}, {*Endpoint::parse("192.0.2.8:80"), 7}};
  discovery = make();
  discovery->begin(config, Duration(20'000));
  config::Config used = config;
  discovery->use(used);
  EXPECT_EQ(text_of(used.pools[0].backends), "192.0.2.9:80 192.0.2.8:80 192.0.2.7:80 ");
  EXPECT_EQ(used.pools[0].backends[1].weight, 7u) << "what is listed is as the config says";
}

TEST_F(Sources, AFileIsReadWhenItIsReplacedOrWritten) {
  write("192.0.2.7:80\n");
  discovery = make();
  discovery->begin(config, Duration(20'000));
  discovery->use(config);
  ASSERT_TRUE(becomes("192.0.2.7:80 "));
  write("192.0.2.8:80\n");
  ASSERT_TRUE(becomes("192.0.2.8:80 "));
  EXPECT_FALSE(changed.empty());
  std::ofstream(folder + "/list") << "192.0.2.9:80\n";
  ASSERT_TRUE(becomes("192.0.2.9:80 "));
  write("none\n");
  ASSERT_TRUE(becomes(""));
}

TEST_F(Sources, ABadFileAndOneThatIsGoneChangeNothing) {
  write("192.0.2.7:80\n");
  discovery = make();
  discovery->begin(config, Duration(20'000));
  discovery->use(config);
  write("192.0.2.8:80\nname:80\n");
  ASSERT_TRUE(until([&] { return reason().find("/list:2: expected address:port") != std::string::npos; }))
      << reason();
  EXPECT_EQ(text_of(discovery->backends_of("api")), "192.0.2.7:80 ");
  EXPECT_EQ(discovery->report("api").value("is_ok", true), false);
  fs::remove(folder + "/list");
  ASSERT_TRUE(until([&] { return reason().find("cannot read") != std::string::npos; })) << reason();
  EXPECT_EQ(text_of(discovery->backends_of("api")), "192.0.2.7:80 ");
  write("192.0.2.8:80\n");
  ASSERT_TRUE(becomes("192.0.2.8:80 "));
  EXPECT_EQ(reason(), "");
}

TEST_F(Sources, AFileBehindALinkIsSeenToChange) {
  fs::create_directories(folder + "/v1");
  fs::create_directories(folder + "/v2");
  std::ofstream(folder + "/v1/list") << "192.0.2.1:80\n";
  std::ofstream(folder + "/v2/list") << "192.0.2.2:80\n";
  fs::create_directory_symlink("v1", folder + "/now");
  fs::create_symlink("now/list", folder + "/list");
  discovery = make();
  discovery->begin(config, Duration(20'000));
  discovery->use(config);
  ASSERT_TRUE(becomes("192.0.2.1:80 "));
  fs::create_directory_symlink("v2", folder + "/next");
  fs::rename(folder + "/next", folder + "/now");
  EXPECT_TRUE(becomes("192.0.2.2:80 "));
}

TEST_F(Sources, AReloadWithTheSameSourceKeepsWhatItFound) {
  write("192.0.2.7:80\n");
  discovery = make();
  discovery->begin(config, Duration(20'000));
  config::Config used = config;
  discovery->use(used);
  const auto answers = discovery->report("api").value("answers", 0);
  options().max_interval = Duration(3'600'000);
  used = config;
  discovery->use(used);
  EXPECT_EQ(text_of(used.pools[0].backends), "192.0.2.7:80 ");
  EXPECT_EQ(discovery->report("api").value("answers", 0), answers);
  config.pools[0].discovery.reset();
  used = config;
  discovery->use(used);
  EXPECT_TRUE(discovery->report("api").is_null());
}

TEST_F(Sources, AReloadWaitsForSourcesThatAreNewAndNoLongerThanItsLimit) {
  test::DnsServer server(loop);
  server.set("api.test", {"192.0.2.7"});
  write("192.0.2.8:80\n");
  discovery = make();
  discovery->begin(config, Duration(20'000));
  discovery->use(config);
  config::Config next = config;
  next.pools[0].backends.clear();
  *next.pools[0].discovery = {.dns = "api.test:80", .resolvers = {server.address()}};
  bool is_ready = false;
  discovery->prepare(next, Duration(20'000), [&] { is_ready = true; });
  EXPECT_FALSE(is_ready);
  EXPECT_EQ(text_of(discovery->backends_of("api")), "192.0.2.8:80 ") << "meanwhile nothing changes";
  ASSERT_TRUE(until([&] { return is_ready; }));
  discovery->use(next);
  EXPECT_EQ(text_of(next.pools[0].backends), "192.0.2.7:80 ");

  server.manner = test::DnsServer::Manner::kIsSilent;
  next.pools[0].backends.clear();
  next.pools[0].discovery->dns = "other.test:80";
  next.pools[0].discovery->timeout = Duration(60'000);
  is_ready = false;
  discovery->prepare(next, Duration(50), [&] { is_ready = true; });
  ASSERT_TRUE(until([&] { return is_ready; }));
  discovery->forget_others();
  EXPECT_EQ(text_of(discovery->backends_of("api")), "192.0.2.7:80 ");
}

TEST_F(Sources, TheNextSupervisorGoesOnWithWhatWasFound) {
  write("192.0.2.7:80\n");
  const std::string kept = folder + "/discovered";
  discovery = make(kept);
  discovery->begin(config, Duration(20'000));
  discovery->use(config);
  ASSERT_TRUE(until([&] { return fs::exists(kept); }));
  fs::remove(folder + "/list");
  discovery = make(kept);
  config.pools[0].backends.clear();
  discovery->begin(config, Duration(20'000));
  config::Config used = config;
  discovery->use(used);
  EXPECT_EQ(text_of(used.pools[0].backends), "192.0.2.7:80 ");
  std::ofstream(kept) << "[half a fi";
  discovery = make(kept);
  discovery->begin(config, Duration(50));
  used = config;
  discovery->use(used);
  EXPECT_EQ(text_of(used.pools[0].backends), "");
}

}  // namespace
}  // namespace gatehouse::l7
