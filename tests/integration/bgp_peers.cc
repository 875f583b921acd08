// FRR and GoBGP in a lab.
#include <filesystem>
#include <fstream>

#include "tests/integration/bgp_site.h"

namespace gatehouse::test {

std::string BgpSite::frr_router() const {
  std::string text =
      "router bgp 64500\n bgp router-id 192.0.2.254\n no bgp default ipv4-unicast\n no bgp "
      "ebgp-requires-policy\n";
  std::string v4, v6;
  for (const BgpPeer& peer : kBgpPeers) {
    for (const char* address : {peer.address, peer.address_v6}) {
      const std::string begin = std::string(" neighbor ") + address + " ";
      text += begin + "remote-as 65010\n" + begin + "bfd 3 50 50\n" + begin + "timers 3 9\n" + begin +
              "timers connect 2\n";
      if (!password_.empty()) text += begin + "password " + password_ + "\n";
    }
    v4 += std::string("  neighbor ") + peer.address + " activate\n";
    v6 += std::string("  neighbor ") + peer.address_v6 + " activate\n";
  }
  return text + " address-family ipv4 unicast\n  maximum-paths 8\n" + v4 + " exit-address-family\n" +
         " address-family ipv6 unicast\n  maximum-paths 8\n" + v6 + " exit-address-family\nexit\n";
}

std::string BgpSite::gobgp_router() const {
  std::string text = "[global.config]\nas = 64500\nrouter-id = \"192.0.2.254\"\n";
  const auto add = [&](const char* address, const char* family) {
    text += std::string("[[neighbors]]\n[neighbors.config]\nneighbor-address = \"") + address +
            "\"\npeer-as = 65010\nauth-password = \"" + password_ +
            "\"\n[neighbors.timers.config]\nhold-time = 9\nconnect-retry = "
            "2\n[[neighbors.afi-safis]]\n" +
            "[neighbors.afi-safis.config]\nafi-safi-name = \"" + family + "\"\n";
  };
  for (const BgpPeer& peer : kBgpPeers) {
    add(peer.address, "ipv4-unicast");
    add(peer.address_v6, "ipv6-unicast");
  }
  return text;
}

Status BgpSite::start_frr(const std::string& host) {
  lab::Lab& lab = site_.lab();
  const std::string folder = lab.host_folder(host) + "/frr";
  std::filesystem::create_directories(folder);
  lab.run(host, {"chown", "frr:frr", folder});
  const auto start = [&](const std::string& daemon, const lab::Arguments& more) {
    lab::Arguments argv = {"/usr/lib/frr/" + daemon,
                           "-f",
                           "/dev/null",
                           "-P",
                           "0",
                           "-z",
                           folder + "/zserv",
                           "-i",
                           folder + "/" + daemon + ".pid",
                           "--vty_socket",
                           folder,
                           "--log",
                           "stdout"};
    argv.insert(argv.end(), more.begin(), more.end());
    if (Status started = lab.start(host, daemon + "-" + host, argv); !started) return started;
    const auto listens = [&] { return std::filesystem::exists(folder + "/" + daemon + ".vty"); };
    return lab::wait_until(listens, std::chrono::seconds(20))
               ? Status()
               : Status(Error{daemon + ": " + site_.log(daemon + "-" + host)});
  };
  if (Status started = start("zebra", {}); !started) return started;
  if (Status started = start("bfdd", {"--bfdctl", folder + "/bfdd.sock"}); !started) return started;
  if (Status started = start("bgpd", {}); !started) return started;
  std::ofstream(folder + "/frr.conf") << (host == "router" ? frr_router() : printed_config(host, "frr"));
  const lab::Output read = lab.run(host, {"vtysh", "--vty_socket", folder, "-f", folder + "/frr.conf"});
  return read.exit_code == 0 ? Status() : Status(Error{"vtysh: " + read.text + read.errors});
}

std::string BgpSite::ask_frr(const std::string& host, const std::string& command) const {
  const std::string folder = site_.lab().host_folder(host) + "/frr";
  const lab::Output output = site_.lab().run(host, {"vtysh", "--vty_socket", folder, "-c", command});
  return output.text + output.errors;
}

Status BgpSite::start_router_gobgp() {
  const std::string file = site_.lab().host_folder("router") + "/gobgp.toml";
  std::ofstream(file) << gobgp_router();
  return site_.lab().start(
      "router", "gobgp-router",
      {"/usr/bin/gobgpd", "-f", file, "-p", "--pprof-disable", "--api-hosts", "127.0.0.1:50051"});
}

std::string BgpSite::ask_gobgp(const std::vector<std::string>& words) const {
  lab::Arguments argv = {"/usr/bin/gobgp"};
  argv.insert(argv.end(), words.begin(), words.end());
  const lab::Output output = site_.lab().run("router", argv);
  return output.text + output.errors;
}

}  // namespace gatehouse::test
