// Rules about prefix lists, limits by source and SYN cookies, and what `gatehouse check` says of the files of
// lists.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "common/config/check_prefix_lists.h"
#include "tests/common/config_findings.h"

namespace gatehouse::config {
namespace {

class ProtectionConfig : public testing::TestWithParam<Row> {};

TEST_P(ProtectionConfig, IsAnsweredWith) {
  EXPECT_EQ(text_of(load_text(GetParam().toml, "f").findings), GetParam().findings) << GetParam().toml;
}

// 5 lines
const std::string kVip = "[[vip]]\nname = \"v\"\naddress = \"192.0.2.1\"\nport = 53\nprotocol = \"udp\"\n";
std::string list(const std::string& rest) {
  return kVip + "[[prefix_list]]\nname = \"l\"\n" + rest;
}  // rest at line 8
std::string limit(const std::string& rest) { return kVip + "[[source_limit]]\nname = \"s\"\n" + rest; }

const Row kRows[] = {
    {"Lists",
     list("prefixes = [\"10.0.0.0/8\", \"192.0.2.7\", \"::/0\", \"2001:db8::/32\"]\nvips = [\"v\"]\n"), ""},
    {"AnOperatorsList", list(""), ""},
    {"BitsBeyondTheLength", list("prefixes = [\"10.0.0.1/8\"]\n"),
     "f:8: [[prefix_list]] prefixes: expected an address or a prefix such as \"192.0.2.1\" or "
     "\"10.0.0.0/8\", found \"10.0.0.1/8\""},
    {"UnknownAction", list("action = \"drop\"\n"),
     "f:8: [[prefix_list]] action: expected \"deny\", \"allow\" or \"exempt\", found \"drop\""},
    {"UnknownVip", list("vips = [\"w\"]\n"), "f:8: [[prefix_list]] vips: VIP \"w\" does not exist; known: v"},
    {"AllowedWhereNothingIsDenied", list("action = \"allow\"\nprefixes = [\"10.0.0.0/8\"]\n"),
     "f:6: warning: [[prefix_list]] \"l\" allows what nothing denies; to let nobody else in, deny 0.0.0.0/0 "
     "and ::/0 by another list"},
    {"SameNameTwice", list("") + "[[prefix_list]]\nname = \"l\"\n",
     "f:9: [[prefix_list]] name \"l\" is taken by line 7; expected one of its own"},
    {"Limits",
     limit("packets_per_second = 1000\nsyns_per_second = 10\nsyn_burst = 100\nipv4_prefix = 24\nipv6_prefix "
           "= 48\n"),
     ""},
    {"LimitOfNothing", limit(""), "f:6: [[source_limit]] \"s\" needs packets_per_second or syns_per_second"},
    {"BurstWithoutARate", limit("packets_per_second = 1\nsyn_burst = 5\n"),
     "f:9: [[source_limit]] syn_burst: there is no rate that it goes with"},
    {"BurstOfHours", limit("packets_per_second = 10\npacket_burst = 6001\n"),
     "f:9: [[source_limit]] packet_burst: expected at most what the rate earns in ten minutes, 6000"},
    {"BurstShorterThanATick", limit("packets_per_second = 100000\npacket_burst = 1999\n"),
     "f:9: [[source_limit]] packet_burst: expected at least what the rate earns in 20 ms, 2000, found 1999"},
    {"TwoLimitsOfAVip",
     limit("syns_per_second = 5\nvips = [\"v\"]\n") +
         "[[source_limit]]\nname = \"t\"\nsyns_per_second = 5\nvips = [\"v\"]\n",
     "f:13: [[source_limit]] \"t\": VIP \"v\" has \"s\" already"},
    {"TwoLimitsForTheRest",
     limit("syns_per_second = 5\n") + "[[source_limit]]\nname = \"t\"\nsyns_per_second = 5\n",
     "f:9: [[source_limit]] \"t\": the VIPs that no limit names have \"s\" already"},
    {"WidePrefix", limit("syns_per_second = 5\nipv4_prefix = 7\n"),
     "f:9: [[source_limit]] ipv4_prefix: expected a number from 8 to 32, found 7"},
    {"Cookies", "[protection]\nsyn_cookies = \"sometimes\"\n",
     "f:2: protection.syn_cookies: expected \"auto\", \"always\" or \"off\", found \"sometimes\""},
    {"NotTrueOrFalse", "[protection]\ndrop_bogus = 1\n",
     "f:2: [protection] drop_bogus: expected true or false, found 1"},
    {"LittleRoom", "[protection]\nprefixes = 1000\n",
     "f:2: [protection] prefixes: expected a number from 1024 to 1000000, found 1000"},
};

INSTANTIATE_TEST_SUITE_P(Rows, ProtectionConfig, testing::ValuesIn(kRows),
                         [](const testing::TestParamInfo<Row>& info) {
                           return std::string(info.param.name);
                         });

TEST(CheckPrefixLists, ReadsTheFilesThatTheConfigNames) {
  const std::string file = testing::TempDir() + "gatehouse-check-" + std::to_string(getpid());
  const auto check = [&file](const std::string& text, const std::string& more = "") {
    std::ofstream(file) << text;
    const Loaded loaded = load_text(more + "[[prefix_list]]\nname = \"l\"\nfile = \"" + file + "\"\n", "f");
    EXPECT_TRUE(loaded.is_valid()) << loaded.errors();
    return text_of(check_prefix_lists(loaded.config));
  };
  EXPECT_EQ(check("10.0.0.0/8\n"), "");
  EXPECT_EQ(check("10.0.0.0/8\nno\n"), file +
                                           ":2: expected a prefix such as 192.0.2.0/24 or 2001:db8::/32, "
                                           "without bits beyond its length, found \"no\"");
  std::string many;
  for (int i = 0; i < 1025; ++i)
    many += "10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256) + "\n";
  EXPECT_EQ(check(many, "[protection]\nprefixes = 1024\n"),
            "f: protection.prefixes: 1025 prefixes in all lists, and room for 1024");
  std::remove(file.c_str());
  const Loaded loaded = load_text("[[prefix_list]]\nname = \"l\"\nfile = \"" + file + "\"\n", "f");
  EXPECT_EQ(text_of(check_prefix_lists(loaded.config)),
            "f: [[prefix_list]] \"l\": there is no file " + file + " here; L4 hosts need it");
}

}  // namespace
}  // namespace gatehouse::config
