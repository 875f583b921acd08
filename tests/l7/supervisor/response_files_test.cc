// Bodies of responses and the database of countries, which the supervisor reads for workers: taken with the
// config, taken again when they are replaced, refused with file and line when they are bad.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/config/check_files.h"
#include "l7/country_table.h"
#include "l7/supervisor/tls_store.h"
#include "tests/l7/support/h2_site.h"
#include "tests/l7/support/loopback_worker.h"
#include "tests/support/country_database.h"

namespace gatehouse::test {
namespace {

namespace fs = std::filesystem;

class ResponseFiles : public testing::Test {
 protected:
  ResponseFiles() : store(loop, [this] { ++changes; }) {
    fs::create_directories(folder);
    config.file = "site.toml";
    config::Route& route = config.routes.emplace_back();
    route.name = "sorry";
    route.line = 7;
    route.response.emplace().file = folder + "/sorry.html";
  }
  ~ResponseFiles() override { fs::remove_all(folder); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder + "/" + name + ".new", std::ios::binary) << text;
    fs::rename(folder + "/" + name + ".new", folder + "/" + name);
  }
  void use() {
    auto files = store.read(config);
    ASSERT_TRUE(files.has_value()) << files.error().message;
    store.use(config, std::move(*files));
  }
  std::string error() {
    const auto files = store.read(config);
    return files ? std::string() : files.error().message;
  }
  std::string country() {
    const std::string_view bytes = store.files().text_of(config.countries.database);
    return std::string(l7::CountryTable::from_bytes(bytes).find(*IpAddress::parse("192.0.2.1")).view());
  }
  static std::string database(const char* country) {
    return CountryDatabase().add("192.0.2.0/24", country).bytes();
  }

  EventLoop loop;
  const std::string folder =
      fs::temp_directory_path().string() + "/gatehouse-responses-" + std::to_string(getpid());
  config::Config config;
  int changes = 0;
  l7::TlsStore store;
};

TEST_F(ResponseFiles, AreReadWithTheConfigAndAgainWhenTheyAreReplaced) {
  write("sorry.html", "<p>back at ten</p>");
  use();
  EXPECT_EQ(store.files().text_of(folder + "/sorry.html"), "<p>back at ten</p>");
  write("sorry.html", "<p>back at eleven</p>");
  EXPECT_TRUE(turn_until(loop, [this] { return changes == 1; }));
  EXPECT_EQ(store.files().text_of(folder + "/sorry.html"), "<p>back at eleven</p>");
}

TEST_F(ResponseFiles, ThatAreMissingOrTooLargeAreRefusedWithFileAndLine) {
  const std::string file = folder + "/sorry.html";
  EXPECT_EQ(error(), "site.toml:7: [[route]] \"sorry\" response.file: cannot read " + file +
                         ": No such file or directory");
  write("sorry.html", std::string(config::DirectResponse::kMostBytes + 1, 'x'));
  EXPECT_EQ(error(), "site.toml:7: [[route]] \"sorry\" response.file: " + file +
                         ": expected at most 256KiB, found 262145 bytes");
  write("sorry.html", std::string(config::DirectResponse::kMostBytes, 'x'));
  EXPECT_EQ(error(), "");
}

TEST_F(ResponseFiles, AreLookedAtByTheCheckOfAConfig) {
  const std::string toml =
      "[countries]\ndatabase = \"geo.mmdb\"\n[[route]]\nname = \"sorry\"\nresponse = { file = \"sorry.html\" "
      "}\n";
  const auto findings = [&] {
    std::string text;
    for (const config::Finding& finding : config::check_files(config::load_text(toml, folder + "/f.toml")))
      text += finding.text + "\n";
    return text;
  };
  EXPECT_EQ(findings(), folder + "/f.toml:2: [countries] database: cannot read " + folder +
                            "/geo.mmdb: No such file or directory\n" + folder +
                            "/f.toml:5: [[route]] \"sorry\" response.file: cannot read " + folder +
                            "/sorry.html: No such file or directory\n");
  write("sorry.html", "x");
  write("geo.mmdb", "x");
  EXPECT_EQ(findings(), "");
}

TEST_F(ResponseFiles, ADamagedDatabaseIsRefusedAndTheOldOneStays) {
  config.routes.clear();
  config.countries.database = folder + "/geo.mmdb";
  write("geo.mmdb", database("DE"));
  use();
  EXPECT_EQ(country(), "DE");
  const std::string good = database("AT");
  write("geo.mmdb", good.substr(0, good.size() / 2));
  EXPECT_EQ(error(), "site.toml: [countries] database: " + folder +
                         "/geo.mmdb: The MaxMind DB file contains invalid metadata");
  for (int i = 0; i < 20; ++i) loop.turn(Duration(50));
  EXPECT_EQ(country(), "DE");
  EXPECT_EQ(changes, 0);
  write("geo.mmdb", good);
  EXPECT_TRUE(turn_until(loop, [this] { return changes == 1; }));
  EXPECT_EQ(country(), "AT");
}

// A worker has what was read, whatever became of the file.
struct Sorry : H2Site {
  Sorry() {
    config::Route& route = config.routes[0];
    route.pool.clear();
    route.response =
        config::DirectResponse{503, {{"Retry-After", "60"}}, "", "sorry.html", "text/html; charset=utf-8"};
    body.assign(config::DirectResponse::kMostBytes - 1, 'x');
    files.put("sorry.html", {body});
  }
  std::string body;
};

TEST(FileResponse, IsTheFileWithItsType) {
  Sorry site;
  site.apply();
  const auto client = site.connect();
  for (int i = 0; i < 2; ++i) {
    const Reply reply = site.ask(*client, get("/x"));
    EXPECT_EQ(reply.status, 503);
    EXPECT_EQ(reply.field("Content-Type"), "text/html; charset=utf-8");
    EXPECT_EQ(reply.field("Retry-After"), "60");
    EXPECT_TRUE(reply.body == site.body) << reply.body.size();
  }
  const Reply head = site.ask(*client, "HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  EXPECT_EQ(head.field("Content-Length"), std::to_string(site.body.size()));
}

TEST(FileResponse, IsTheFileOverHttp2Too) {
  Sorry site;
  site.apply();
  const auto client = site.connect_h2();
  const H2Message& answer = site.ended(*client, client->get("/"));
  EXPECT_EQ(answer.status(), 503);
  EXPECT_EQ(answer.field("content-type"), "text/html; charset=utf-8");
  EXPECT_TRUE(answer.body == site.body) << answer.body.size();
}

}  // namespace
}  // namespace gatehouse::test
