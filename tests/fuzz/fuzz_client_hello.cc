// ClientHellos: a longer piece never takes back what a shorter one said; how the message is cut into records
// makes no difference; names are names.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/check.h"
#include "l7/tcp/client_hello.h"

namespace {

using gatehouse::l7::tcp::ClientHello;
using Status = ClientHello::Status;

Status read(ClientHello& reader, std::string_view bytes) {
  const std::vector<char> copy(bytes.begin(), bytes.end());
  return reader.read({copy.data(), copy.size()});
}

void check_names(const ClientHello& hello) {
  GH_CHECK(hello.server_name().size() <= 255 && hello.first_protocol().size() <= 255);
  for (const char c : hello.server_name()) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    GH_CHECK(is_letter || c == '-' || c == '_' || c == '.');
  }
}

// Returns how many bytes it takes to be sure.
std::size_t check_pieces(std::string_view bytes, const ClientHello& whole, Status status) {
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    ClientHello reader;
    const Status piece = read(reader, bytes.substr(0, size));
    if (piece == Status::kNeedMore) continue;
    GH_CHECK(piece == status && reader.server_name() == whole.server_name() &&
             reader.first_protocol() == whole.first_protocol());
    return size;
  }
  GH_CHECK(status == Status::kNeedMore);
  return 0;
}

// The message without its records, and in records of other sizes.
void check_records(std::string_view bytes, const ClientHello& whole) {
  std::string message;
  while (!bytes.empty()) {
    const std::size_t length = static_cast<std::uint8_t>(bytes[3]) << 8 | static_cast<std::uint8_t>(bytes[4]);
    message += bytes.substr(5, length);
    bytes.remove_prefix(std::min(bytes.size(), 5 + length));
  }
  for (const std::size_t size : {std::size_t{1}, std::size_t{3}, std::size_t{200}}) {
    std::string records;
    for (std::string_view rest = message; !rest.empty(); rest.remove_prefix(std::min(size, rest.size()))) {
      const std::string_view part = rest.substr(0, size);
      records += std::string("\x16\x03\x01\0", 4) + static_cast<char>(part.size());
      records += part;
    }
    ClientHello again;
    GH_CHECK(read(again, records) == Status::kDone);
    GH_CHECK(again.server_name() == whole.server_name() && again.first_protocol() == whole.first_protocol());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ClientHello whole;
  const Status status = read(whole, bytes);
  GH_CHECK((status == Status::kMalformed) == (*whole.reason() != '\0'));
  if (status == Status::kDone) check_names(whole);
  if (bytes.size() > 1024) return 0;
  const std::size_t enough = status == Status::kMalformed ? 0 : check_pieces(bytes, whole, status);
  if (status == Status::kDone) check_records(bytes.substr(0, enough), whole);
  return 0;
}
