// The doctor's checks of what announces the VIPs: the device for anchors, and BIRD by its own control socket
// (FRR keeps its sessions to itself: of it only its being there is seen).
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "common/cli/doctor.h"
#include "common/config/announcement.h"
#include "common/fd.h"

namespace gatehouse::cli {
namespace {

constexpr const char* kFrrSocket = "/run/frr/bgpd.vty";
constexpr timeval kPatience{2, 0};

Fd connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return {};
  path.copy(address.sun_path, path.size());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return socket;
}

// What BIRD answers: lines that begin with a code, the last one with 0000 (or 8xxx and 9xxx, errors).
std::string show_protocols(const Fd& bird) {
  constexpr std::string_view kQuestion = "show protocols\n";
  if (write(bird.get(), kQuestion.data(), kQuestion.size()) < 0) return {};
  std::string text;
  char buffer[4096];
  for (ssize_t length; (length = read(bird.get(), buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(length));
    if (text.find("\n0000") != text.npos) break;
  }
  return text;
}

std::string line_of(const std::string& text, const std::string& protocol) {
  const std::size_t at = text.find(protocol + " ");
  return at == text.npos ? "" : text.substr(at, text.find('\n', at) - at);
}

void check_bird(const Patient& patient, Findings& findings) {
  const config::Config& config = patient.loaded.config;
  if (!patient.l4_host || !config.bgp) return;
  const std::string cure =
      "gatehouse bgp bird > /etc/bird/bird.conf; systemctl enable --now bird; systemctl reload bird";
  const Fd bird = connect_to(patient.bird_socket);
  if (!bird.is_open()) {
    if (!connect_to(kFrrSocket).is_open())
      findings.fault("neither BIRD nor FRR runs: nobody tells the routers of the VIPs", cure);
    return;
  }
  const std::string protocols = show_protocols(bird);
  const std::string anchors = line_of(protocols, "gatehouse_anchors");
  if (anchors.empty())
    return findings.fault("BIRD runs with another config than the site's: it has no gatehouse_anchors", cure);
  const auto& neighbours = config::bgp_of(config, *patient.l4_host).neighbours;
  for (std::size_t i = 0; i < neighbours.size(); ++i) {
    const std::string line = line_of(protocols, "gatehouse_router" + std::to_string(i + 1));
    const std::string who = "the router " + to_string(neighbours[i].address);
    if (line.empty()) {
      findings.fault("BIRD has no session with " + who + " in its config", cure);
    } else if (line.find("Established") == line.npos) {
      findings.fault("BIRD's session with " + who + " is not established",
                     "look at its side; birdc show protocols all gatehouse_router" + std::to_string(i + 1));
    }
  }
}

void check_anchors(const Patient& patient, Findings& findings) {
  if (!patient.l4_host || !patient.loaded.config.bgp) return;
  const Fd device(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (device.is_open()) return;
  findings.fault(
      "/dev/net/tun cannot be opened, on which VIPs are anchored: " + std::string(std::strerror(errno)),
      "modprobe tun; in a container, grant the device");
}

}  // namespace

std::vector<Check> bgp_checks() { return {{"bird", check_bird}, {"anchors", check_anchors}}; }

}  // namespace gatehouse::cli
