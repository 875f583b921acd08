// Ends and starts that an operator asks for: nothing is cut short, nothing is left behind.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

using StopTest = SiteTest;

std::string read_text(const std::string& file) {
  std::ifstream stream(file);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

TEST_F(StopTest, SigtermOfANodeLetsADownloadFinishAndRemovesItsPrograms) {
  const std::string folder = site_->lab().host_folder("client");
  const std::string curl = "curl -sS --cacert " + site_->lab().ca_file() + " --resolve shop.example:443:198.51.100.10 -D " +
                           folder + "/head --limit-rate 2M -o /dev/null -w '%{size_download}' " +
                           "https://shop.example/bytes/6000000 > " + folder + "/size";
  ASSERT_TRUE(site_->lab().start("client", "download", {"sh", "-c", curl}));
  std::string node;
  ASSERT_TRUE(lab::wait_until(
      [&] {
        node = node_of(read_text(folder + "/head"));
        return !node.empty();
      },
      std::chrono::seconds(5)));
  ASSERT_TRUE(site_->lab().signal(node, SIGTERM));
  // New connections go elsewhere, without a failure, all the while.
  int requests = 0;
  while (site_->lab().find("download")) {
    const lab::Output output = site_->curl({"https://shop.example/healthz"});
    ASSERT_EQ(output.text, "ok\n") << "request " << requests << ": " << output.errors;
    ++requests;
  }
  EXPECT_GT(requests, 5);
  EXPECT_EQ(read_text(folder + "/size"), "6000000") << site_->log("download");
  EXPECT_TRUE(lab::wait_until([&] { return !site_->lab().find(node); }, std::chrono::seconds(10))) << site_->log(node);
  EXPECT_FALSE(std::filesystem::exists(site_->lab().bpf_folder(node) + "/link_xdp"));
}

TEST_F(StopTest, SigtermOfAnL4HostLeavesItForwardingUntilItIsDetached) {
  ASSERT_TRUE(site_->lab().signal("l4a", SIGTERM));
  ASSERT_TRUE(lab::wait_until([&] { return !site_->lab().find("l4a"); }, std::chrono::seconds(5)));
  ASSERT_TRUE(site_->lab().route_vips({"l4a"}));
  EXPECT_EQ(site_->curl({"https://shop.example/healthz"}).text, "ok\n");
  const lab::Output detached = site_->lab().run(
      "l4a", {binary("gatehouse-l4"), "--config", site_->config_file("l4a"), "--host", "l4a", "--bpf-dir",
              site_->lab().bpf_folder("l4a"), "--detach"});
  EXPECT_EQ(detached.exit_code, 0) << detached.errors;
  EXPECT_FALSE(std::filesystem::exists(site_->lab().bpf_folder("l4a") + "/link_xdp_e0"));
  EXPECT_NE(site_->curl({"https://shop.example/healthz", "--max-time", "1"}).exit_code, 0);
}

TEST_F(StopTest, ABadStartSaysWhyAndChangesNothing) {
  std::ofstream(site_->lab().host_folder("n1") + "/bad.toml") << "[[listner]]\nname = \"x\"\n";
  const lab::Output l7 = site_->lab().run("n1", {binary("gatehouse-l7"), "--config", site_->lab().host_folder("n1") + "/bad.toml"});
  EXPECT_EQ(l7.exit_code, 1);
  EXPECT_NE(l7.errors.find("bad.toml:1: unknown key \"listner\" in the file; did you mean \"listener\"?"), std::string::npos) << l7.errors;
  const lab::Output second = site_->lab().run("n1", {binary("gatehouse-l7"), "--config", site_->config_file("n1"), "--node", "n1",
                                                     "--state-dir", site_->lab().host_folder("n1") + "/state", "--bpf-dir",
                                                     site_->lab().bpf_folder("n1")});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_NE(second.errors.find("is served by another process"), std::string::npos) << second.errors;
  const lab::Output l4 = site_->lab().run("l4a", {binary("gatehouse-l4"), "--config", site_->config_file("l4a"), "--host", "l4z"});
  EXPECT_EQ(l4.exit_code, 1);
  EXPECT_NE(l4.errors.find("there is no [[l4_host]] \"l4z\"; did you mean \"l4a\"?"), std::string::npos) << l4.errors;
  const lab::Output nobody = site_->lab().run("l4a", {binary("gatehouse-l4"), "--config", site_->config_file("l4a"), "--host", ""});
  EXPECT_EQ(nobody.exit_code, 2) << "units do not start that again";
  // A second front door with another config touches no table of the first.
  site_->write_config(replaced(quickstart_config(), "name = \"clear\"\naddress = \"198.51.100.10\"", "name = \"clear\"\naddress = \"198.51.100.11\""), "l4a");
  const lab::Output twin = site_->lab().run("l4a", {binary("gatehouse-l4"), "--config", site_->config_file("l4a"), "--host", "l4a",
                                                    "--state-dir", site_->lab().host_folder("l4a") + "/state", "--bpf-dir",
                                                    site_->lab().bpf_folder("l4a")});
  EXPECT_EQ(twin.exit_code, 1);
  EXPECT_NE(twin.errors.find("is served by another process"), std::string::npos) << twin.errors;
  ASSERT_TRUE(site_->lab().route_vips({"l4a"}));
  EXPECT_EQ(site_->curl({"http://shop.example/healthz"}).text, "ok\n");
  EXPECT_EQ(site_->curl({"https://shop.example/healthz"}).text, "ok\n");
}

}  // namespace
}  // namespace gatehouse::test
