// `gatehouse bgp`: the text for BIRD and FRR is the one in tests/common/bgp, and the daemons' own parsers
// take it.
#include "common/cli/bgp_command.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/cli/bgp_config.h"
#include "common/config/load.h"
#include "tests/support/source_tree.h"

namespace gatehouse::cli {
namespace {

namespace fs = std::filesystem;
using test::kSourceRoot;

std::string text_of(const BgpRequest& request) {
  const auto text = bgp_text(request);
  return text ? *text : "error: " + text.error().message;
}

// A program where Debian puts those of its administrator; empty: it is not installed.
std::string program(const std::string& name) {
  for (const char* folder : {"/usr/sbin/", "/usr/bin/"}) {
    if (fs::exists(folder + name)) return folder + name;
  }
  return {};
}

// Whether `command FILE` takes the text; what it says is printed.
bool is_taken(const std::string& command, const std::string& text) {
  const fs::path file = fs::temp_directory_path() / ("gatehouse-bgp-" + std::to_string(getpid()));
  std::ofstream(file) << text;
  const int code = std::system((command + " " + file.string()).c_str());
  fs::remove(file);
  return code == 0;
}

struct Example {
  const char* host;
  const char* daemon;
};
constexpr Example kExamples[] = {{"l4a", "bird"}, {"l4b", "bird"}, {"l4a", "frr"}, {"l4b", "frr"}};

std::string example(const Example& example, bool is_part = false) {
  return text_of({example.daemon, kSourceRoot / "config/examples/bgp.toml", example.host, is_part});
}

TEST(BgpCommand, PrintsWhatTheTreeHas) {
  for (const Example& each : kExamples) {
    const fs::path golden = kSourceRoot / "tests/common/bgp" / (std::string(each.host) + "." + each.daemon);
    EXPECT_EQ(example(each), test::read_text(golden))
        << "if it is right: gatehouse bgp " << each.daemon << " --config config/examples/bgp.toml --host "
        << each.host;
  }
}

// [bgp] and the hosts' part of a config in every variety that changes the text.
std::string site(const std::string& bgp, const std::string& neighbours,
                 const std::string& vip = "198.51.100.1") {
  return "[site]\nsecret_file = \"s\"\n[[vip]]\nname = \"v\"\nprotocol = \"udp\"\naddress = \"" + vip +
         "\"\n[[l4_host]]\nname = \"a\"\naddress = \"192.0.2.1\"\ninterface = \"eth0\"\n[bgp]\nas = "
         "4200000000\n" +
         bgp + "\nneighbours = [" + neighbours + "]\n";
}

std::vector<config::Loaded> varieties() {
  const std::string near = "{ address = \"192.0.2.254\", as = 64500 }";
  std::vector<config::Loaded> loaded;
  for (const std::string& text :
       {site("", near), site("bfd = false\nhold_time = \"30s\"", near),
        site("drain = \"prepend\"\ndrain_prepend = 2", near), site("drain = \"med\"\ndrain_med = 7", near),
        site("communities = [\"1:2\", \"4200000000:1:2\"]", "{ address = \"192.0.2.254\", as = 4200000000 }"),
        site("",
             near + ", { address = \"2001:db8::1\", as = 1, multihop = 3, local_address = \"2001:db8::2\" }"),
        site("", near + ", { address = \"2001:db8::1\", as = 1, ttl_security = true }", "2001:db8:1::1")}) {
    loaded.push_back(config::load_text(text, "f"));
    EXPECT_TRUE(loaded.back().is_valid()) << loaded.back().errors();
  }
  return loaded;
}

TEST(BgpCommand, BirdTakesWhatItPrints) {
  const std::string bird = program("bird");
  if (bird.empty()) GTEST_SKIP() << "BIRD is not installed: ./deploy/install-packages test";
  for (const Example& each : {kExamples[0], kExamples[1]}) {
    EXPECT_TRUE(is_taken(bird + " -p -c", example(each))) << example(each);
    const std::string whole = "router id 192.0.2.9; protocol device { scan time 5; }\n" + example(each, true);
    EXPECT_TRUE(is_taken(bird + " -p -c", whole)) << whole;
  }
  for (const config::Loaded& loaded : varieties()) {
    const std::string text = bird_config(loaded.config, loaded.config.l4_hosts[0], false);
    EXPECT_TRUE(is_taken(bird + " -p -c", text)) << text;
  }
  EXPECT_FALSE(is_taken(bird + " -p 2>/dev/null -c", example(kExamples[0]) + "nonsense;\n"));
}

TEST(BgpCommand, FrrTakesWhatItPrints) {
  const std::string vtysh = program("vtysh");
  if (vtysh.empty()) GTEST_SKIP() << "FRR is not installed: ./deploy/install-packages bgp";
  for (const Example& each : {kExamples[2], kExamples[3]}) {
    EXPECT_TRUE(is_taken(vtysh + " -C -f", example(each))) << example(each);
  }
  for (const config::Loaded& loaded : varieties()) {
    const std::string text = frr_config(loaded.config, loaded.config.l4_hosts[0]);
    EXPECT_TRUE(is_taken(vtysh + " -C -f", text)) << text;
  }
  EXPECT_FALSE(is_taken(vtysh + " -C >/dev/null 2>&1 -f", example(kExamples[2]) + "nonsense\n"));
}

TEST(BgpCommand, SaysWhatTheConfigLacks) {
  const std::string file = kSourceRoot / "config/examples/bgp.toml";
  EXPECT_EQ(text_of({"gobgp", file, "l4a"}), "error: expected bird or frr, found \"gobgp\"");
  EXPECT_EQ(text_of({"bird", file, "l4"}),
            "error: " + file + ": there is no [[l4_host]] \"l4\"; did you mean \"l4a\"?");
  EXPECT_EQ(text_of({"bird", file}), "error: " + file + ": which [[l4_host]] is meant? Name it with --host");
  const std::string other = kSourceRoot / "config/examples/protection.toml";
  EXPECT_EQ(text_of({"bird", other}), "error: " + other + ": there is no [bgp]: L4 hosts announce nothing");
}

}  // namespace
}  // namespace gatehouse::cli
