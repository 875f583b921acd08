// Bodies of responses, which the supervisor reads for workers: taken with the config, taken again when they are
// replaced, refused with file and line when they are bad.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/config/check_files.h"
#include "l7/supervisor/tls_store.h"
#include "tests/l7/support/h2_site.h"
#include "tests/l7/support/loopback_worker.h"

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
  const std::string toml = "[[route]]\nname = \"sorry\"\nresponse = { file = \"sorry.html\" }\n";
  const auto findings = [&] {
    std::string text;
    for (const config::Finding& finding : config::check_files(config::load_text(toml, folder + "/f.toml")))
      text += finding.text + "\n";
    return text;
  };
  EXPECT_EQ(findings(), folder + "/f.toml:3: [[route]] \"sorry\" response.file: cannot read " + folder +
                            "/sorry.html: No such file or directory\n");
  write("sorry.html", "x");
  EXPECT_EQ(findings(), "");
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
