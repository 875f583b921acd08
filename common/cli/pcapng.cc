#include "common/cli/pcapng.h"

namespace gatehouse::cli {
namespace {

constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a, kInterfaceDescription = 1, kEnhancedPacket = 6;
constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;
constexpr std::uint16_t kEthernet = 1;
constexpr std::uint16_t kComment = 1, kInterfaceName = 2, kTimeResolution = 9, kPacketFlags = 2, kApplication = 4;

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void pad(std::string& out) { out.append((4 - out.size() % 4) % 4, '\0'); }

void put_option(std::string& out, std::uint16_t code, std::string_view value) {
  put(out, code);
  put(out, static_cast<std::uint16_t>(value.size()));
  out += value;
  pad(out);
}
void end_options(std::string& out) { put(out, std::uint32_t{0}); }

}  // namespace

PcapngWriter::PcapngWriter() {
  std::string body;
  put(body, kByteOrder);
  put(body, std::uint16_t{1});
  put(body, std::uint16_t{0});
  put(body, std::int64_t{-1});  // length of the section: not said
  put_option(body, kApplication, "gatehouse " GATEHOUSE_VERSION);
  end_options(body);
  append_block(kSectionHeader, body);
}

void PcapngWriter::append_block(std::uint32_t type, const std::string& body) {
  const auto length = static_cast<std::uint32_t>(body.size() + 12);
  put(file_, type);
  put(file_, length);
  file_ += body;
  put(file_, length);
}

std::uint32_t PcapngWriter::interface_number(const std::string& name) {
  const auto [place, is_new] = interfaces_.emplace(name, interfaces_.size());
  if (is_new) {
    std::string body;
    put(body, kEthernet);
    put(body, std::uint16_t{0});
    put(body, std::uint32_t{0});  // no limit of length
    put_option(body, kInterfaceName, name);
    put_option(body, kTimeResolution, std::string_view("\x09", 1));  // ns
    end_options(body);
    append_block(kInterfaceDescription, body);
  }
  return place->second;
}

void PcapngWriter::add(const Packet& packet) {
  std::string body;
  put(body, interface_number(packet.interface));
  put(body, static_cast<std::uint32_t>(static_cast<std::uint64_t>(packet.time) >> 32));
  put(body, static_cast<std::uint32_t>(packet.time));
  put(body, static_cast<std::uint32_t>(packet.bytes.size()));
  put(body, packet.length);
  body.append(reinterpret_cast<const char*>(packet.bytes.data()), packet.bytes.size());
  pad(body);
  std::string flags;
  put(flags, std::uint32_t{packet.is_outbound ? 2u : 1u});
  put_option(body, kPacketFlags, flags);
  put_option(body, kComment, packet.comment);
  end_options(body);
  append_block(kEnhancedPacket, body);
}

}  // namespace gatehouse::cli
