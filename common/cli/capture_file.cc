#include "common/cli/capture_file.h"

#include <cstdint>
#include <vector>

#include "common/json_fields.h"
#include "common/cli/pcapng.h"

namespace gatehouse::cli {
namespace {

int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

std::vector<std::uint8_t> bytes_of(const std::string& text) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) break;
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return bytes;
}

void add(PcapngWriter& writer, const Json& packet, bool is_outbound) {
  const Json& frame = member(packet, is_outbound ? "out" : "in");
  const std::vector<std::uint8_t> bytes = bytes_of(text_of(member(frame, "bytes")));
  const Json& time = member(packet, "time");
  const std::string verdict = text_of(member(packet, "verdict"));
  writer.add({.interface = text_of(member(packet, "interface")),
              .time = time.is_number_integer() ? time.get<std::int64_t>() : 0,
              .is_outbound = is_outbound,
              .length = static_cast<std::uint32_t>(number_of(member(frame, "length")).value_or(0)),
              .bytes = bytes,
              .comment = verdict});
}

}  // namespace

CaptureFile capture_file(const Json& result) {
  PcapngWriter writer;
  CaptureFile file;
  for (const Json& packet : list_member(result, "packets")) {
    add(writer, packet, false);
    if (member(packet, "in") != member(packet, "out")) add(writer, packet, true);
    ++file.packets;
  }
  file.text = writer.file();
  return file;
}

}  // namespace gatehouse::cli
