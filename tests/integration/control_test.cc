// What an operator does: status, drain, explain, reload; and what a stranger may not.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/config/model.h"
#include "common/control/channel.h"
#include "tests/integration/site_test.h"
#include "tests/lab/certificates.h"

namespace gatehouse::test {
namespace {

using ControlTest = SiteTest;

TEST_F(ControlTest, StatusShowsTheSiteAsTableAndAsJson) {
  const Json report = site_->status("l4a");
  ASSERT_TRUE(report.is_object());
  EXPECT_EQ(report.value("tier", ""), "l4");
  EXPECT_EQ(report["vips"].size(), 4u);
  EXPECT_EQ(report["nodes"].size(), 3u);
  double shares = 0;
  for (const Json& node : report["nodes"]) {
    shares += node.value("share", 0.0);
    EXPECT_NEAR(node.value("share", 0.0), 1.0 / 3, 0.02) << node.dump();
    EXPECT_EQ(node["workers"].size(), 2u) << node.dump();
  }
  EXPECT_NEAR(shares, 1.0, 0.001);
  ASSERT_EQ(report["pools"].size(), 3u) << report.dump();
  const lab::Output table = site_->cli("l4a", {"status"});
  EXPECT_EQ(table.exit_code, 0) << table.errors;
  for (const char* word : {"web", "n1", "n2", "n3", "shop", "203.0.113.129:9001"}) {
    EXPECT_NE(table.text.find(word), std::string::npos) << word << " is not in\n" << table.text;
  }
  EXPECT_EQ(site_->status("n1").value("tier", ""), "l7");
  // Rates, once there has been a second to take them over.
  EXPECT_TRUE(lab::wait_until(
      [&] {
        site_->curl({"https://shop.example/healthz"});
        double packets = 0;
        const Json l4 = site_->status("l4a"), l4b = site_->status("l4b");
        for (const Json* host : {&l4, &l4b}) {
          for (const Json& vip : (*host)["vips"]) packets += vip.value("packets_per_second", 0.0);
        }
        return packets > 0;
      },
      std::chrono::seconds(5), std::chrono::milliseconds(100)));
  EXPECT_NE(site_->cli("l4a", {"status"}).text.find("PACKETS/S"), std::string::npos);
}

// The blocks of a pcapng file: type, body.
std::vector<std::pair<std::uint32_t, std::string>> pcapng_blocks(const std::string& file) {
  std::vector<std::pair<std::uint32_t, std::string>> blocks;
  std::size_t at = 0;
  while (at + 12 <= file.size()) {
    std::uint32_t head[2], end = 0;
    std::memcpy(head, file.data() + at, sizeof head);
    if (head[1] < 12 || at + head[1] > file.size()) break;
    std::memcpy(&end, file.data() + at + head[1] - 4, sizeof end);
    if (end != head[1]) break;
    blocks.emplace_back(head[0], file.substr(at + 8, head[1] - 12));
    at += head[1];
  }
  if (at != file.size()) blocks.clear();
  return blocks;
}

TEST_F(ControlTest, CaptureWritesPacketsAsTheyCameAndAsTheyLeft) {
  const std::string path = site_->lab().folder() + "/capture.pcapng";
  std::atomic<bool> is_done = false;
  // Whichever L4 host the client's flows meet: some pass each of them.
  std::thread client([&] {
    while (!is_done) site_->curl({"https://shop.example/healthz"});
  });
  const lab::Output output = site_->cli("l4a", {"capture", path, "--verdict", "forwarded", "--count", "20", "--seconds", "30"});
  is_done = true;
  client.join();
  ASSERT_EQ(output.exit_code, 0) << output.errors;
  EXPECT_NE(output.text.find("20 packets"), std::string::npos) << output.text;
  std::ifstream stream(path, std::ios::binary);
  const auto blocks = pcapng_blocks({std::istreambuf_iterator<char>(stream), {}});
  ASSERT_FALSE(blocks.empty()) << "not a pcapng file";
  EXPECT_EQ(blocks[0].first, 0x0a0d0d0au);
  EXPECT_EQ(std::ranges::count_if(blocks, [](const auto& block) { return block.first == 6; }), 40);
  for (const auto& [type, body] : blocks) {
    EXPECT_TRUE(type != 6 || body.find("forwarded") != std::string::npos);
  }
}

TEST_F(ControlTest, ACaptureOfWhatDoesNotExistIsRefused) {
  const std::string path = site_->lab().folder() + "/none.pcapng";
  const lab::Output vip = site_->cli("l4a", {"capture", path, "--vip", "wbe"});
  EXPECT_NE(vip.exit_code, 0);
  EXPECT_NE(vip.errors.find("there is no VIP \"wbe\"; did you mean \"web\"?"), std::string::npos) << vip.errors;
  const lab::Output verdict = site_->cli("l4a", {"capture", path, "--verdict", "forwardet"});
  EXPECT_NE(verdict.errors.find("did you mean \"forwarded\"?"), std::string::npos) << verdict.errors;
  const lab::Output count = site_->cli("l4a", {"capture", path, "--count", "many"});
  EXPECT_NE(count.errors.find("--count: expected a number"), std::string::npos) << count.errors;
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ControlTest, BothL4HostsHaveTheSameRing) {
  const auto digest = [&](const char* host) { return site_->status(host)["ring"].value("digest", Json()); };
  EXPECT_TRUE(lab::wait_until([&] { return !digest("l4a").is_null() && digest("l4a") == digest("l4b"); },
                              std::chrono::seconds(5), std::chrono::milliseconds(50)))
      << digest("l4a") << " and " << digest("l4b");
}

TEST_F(ControlTest, ExplainNamesRoutePoolAndWhy) {
  const lab::Output output = site_->cli("l4a", {"explain", "GET", "https://shop.example/api/x"});
  EXPECT_EQ(output.exit_code, 0) << output.errors;
  EXPECT_NE(output.text.find("api"), std::string::npos) << output.text;
  const lab::Output none = site_->cli("n1", {"explain", "GET", "https://unknown.example/"});
  EXPECT_NE(none.text.find("404"), std::string::npos) << none.text << none.errors;
}

TEST_F(ControlTest, ExplainOfAPacketNamesTheNodeThatServesIt) {
  const lab::Output answer =
      site_->curl({"-D-", "-o", "/dev/null", "--local-port", "41234", "https://shop.example/healthz"});
  const std::string node = node_of(answer.text);
  ASSERT_NE(node, "") << answer.text << answer.errors;
  for (const char* host : {"l4a", "l4b"}) {
    const lab::Output output =
        site_->cli(host, {"explain", "--packet", "203.0.113.3:41234", "198.51.100.10:443"});
    EXPECT_EQ(output.exit_code, 0) << output.errors;
    EXPECT_NE(output.text.find(node), std::string::npos) << node << " is not in\n" << output.text;
  }
}

TEST_F(ControlTest, ADrainedNodeSaysSoEverywhereAndComesBack) {
  const auto state = [&](const char* host) { return site_->node(host, "n2").value("state", ""); };
  const lab::Output drained = site_->cli("l4a", {"drain", "n2"});
  EXPECT_EQ(drained.exit_code, 0) << drained.errors;
  EXPECT_TRUE(lab::wait_until([&] { return state("l4a") == "draining" && state("l4b") == "draining"; },
                              std::chrono::seconds(5), std::chrono::milliseconds(20)))
      << state("l4a") << state("l4b");
  EXPECT_EQ(site_->node("l4b", "n2").value("share", 1.0), 0.0);
  const lab::Output back = site_->cli("n2", {"undrain", "n2"});
  EXPECT_EQ(back.exit_code, 0) << back.errors;
  EXPECT_TRUE(site_->wait_until_ready(std::chrono::seconds(5))) << site_->why_not_ready();
  EXPECT_NE(site_->cli("l4a", {"drain", "n9"}).exit_code, 0);
}

TEST_F(ControlTest, AnInvalidConfigIsRefusedWithItsErrors) {
  const Json before = site_->status("l4a")["config_digest"];
  site_->write_config(quickstart_config() + "\n[[route]]\nname = \"x\"\npool = \"shpo\"\n");
  const lab::Output output = site_->cli("l4a", {"reload"});
  EXPECT_NE(output.exit_code, 0);
  EXPECT_NE((output.text + output.errors).find("shpo"), std::string::npos) << output.text << output.errors;
  EXPECT_NE((output.text + output.errors).find("\"shop\""), std::string::npos)
      << output.text << output.errors;
  EXPECT_EQ(site_->status("l4a")["config_digest"], before);
  EXPECT_EQ(site_->curl({"https://shop.example/healthz"}).text, "ok\n");
}

TEST_F(ControlTest, AReloadAtAnL4HostReachesTheNodes) {
  const std::string moved =
      replaced(quickstart_config(), "path_prefix = \"/api\"", "path_prefix = \"/programs\"");
  site_->write_config(moved);
  const lab::Output output = site_->cli("l4a", {"reload"});
  ASSERT_EQ(output.exit_code, 0) << output.text << output.errors;
  const auto backend = [&] { return site_->curl({"-D-", "https://shop.example/programs/x"}).text; };
  for (int i = 0; i < 20; ++i) EXPECT_NE(backend().find("-9003"), std::string::npos) << backend();
}

// Says hello at l4a as node n1 with the given certificate; the answer, or why there was none.
std::string hello_with(Site& site, const config::Control& files) {
  const std::string answer = site.lab().folder() + "/answer";
  const Status status = lab::in_namespace(site.lab().net("n2"), [&]() -> Status {
    auto identity = control::load_tls_identity(files);
    if (!identity) return identity.error();
    EventLoop loop;
    std::string heard = "nothing";
    control::Handlers handlers;
    handlers.on_close = [&](control::Channel&, const std::string& reason) {
      if (heard == "nothing") heard = "closed: " + reason;
      loop.stop();
    };
    handlers.on_open = [&](control::Channel& channel) {
      const Json hello = {{"protocol", 1}, {"node", 1},    {"name", "n1"},      {"address", "192.0.2.21"},
                          {"version", ""}, {"workers", 1}, {"config_digest", 0}};
      channel.request("hello", hello, [&](Result<Json> reply) {
        heard = reply ? "welcome" : "refused: " + reply.error().message;
        loop.stop();
      });
    };
    auto channel =
        control::connect_tcp(loop, *Endpoint::parse("192.0.2.11:6082"), *identity, std::move(handlers));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (heard == "nothing" && std::chrono::steady_clock::now() < deadline) loop.turn(Duration(100));
    return Error{heard};
  });
  return status ? "nothing" : status.error().message;
}

TEST_F(ControlTest, AStrangerIsNotHeard) {
  const std::string tls = site_->lab().host_folder("n2") + "/tls/";
  const lab::CertificateAuthority other("Somebody else");
  ASSERT_TRUE(other.issue("n1", {"n1"}, {}, {tls + "stranger.crt", tls + "stranger.key"}));
  // Its handshake ends before the other end's refusal arrives: either way there is no answer.
  const std::string stranger = hello_with(*site_, {tls + "stranger.crt", tls + "stranger.key", tls + "ca.crt"});
  EXPECT_TRUE(stranger.starts_with("closed: ") || stranger.starts_with("refused: no answer")) << stranger;
  // A certificate of the site, but another node's.
  EXPECT_TRUE(hello_with(*site_, {tls + "control.crt", tls + "control.key", tls + "ca.crt"})
                  .starts_with("refused: "));
  EXPECT_TRUE(site_->node("l4a", "n1").value("is_connected", false));
}

}  // namespace
}  // namespace gatehouse::test
