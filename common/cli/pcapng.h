// Writes packet captures in the pcapng format (draft-ietf-opsawg-pcapng): one section, one interface description per name,
// enhanced packet blocks with a direction and a comment. Ethernet only.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace gatehouse::cli {

class PcapngWriter {
 public:
  PcapngWriter();

  struct Packet {
    std::string interface;
    std::int64_t time = 0;             // ns since 1970
    bool is_outbound = false;
    std::uint32_t length = 0;          // of the frame; `bytes` may be its beginning
    std::span<const std::uint8_t> bytes;
    std::string_view comment;
  };
  void add(const Packet& packet);
  const std::string& file() const { return file_; }

 private:
  std::uint32_t interface_number(const std::string& name);
  void append_block(std::uint32_t type, const std::string& body);

  std::string file_;
  std::map<std::string, std::uint32_t> interfaces_;
};

}  // namespace gatehouse::cli
