#include "l7/http/message.h"

#include <algorithm>
#include <cstring>

namespace gatehouse::l7::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Eight characters, the letters among them in lower case. Each byte is looked at in its low seven bits: adding to those
// carries into the eighth bit, never into the next byte.
std::uint64_t lower_eight(const char* text) {
  constexpr std::uint64_t kEach = 0x0101010101010101;
  std::uint64_t bytes;
  std::memcpy(&bytes, text, sizeof bytes);
  const std::uint64_t low = bytes & 0x7f * kEach;
  const std::uint64_t from_a = low + (0x80 - 'A') * kEach;
  const std::uint64_t past_z = low + (0x80 - 'Z' - 1) * kEach;
  const std::uint64_t is_upper = from_a & ~past_z & ~bytes & 0x80 * kEach;
  return bytes | is_upper >> 2;
}

// Calls `visit` with each member of a comma-separated list (RFC 9110 §5.6.1), trimmed.
template <typename Visit>
bool any_member(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    std::string_view member = list.substr(0, comma);
    while (!member.empty() && (member.front() == ' ' || member.front() == '\t')) member.remove_prefix(1);
    while (!member.empty() && (member.back() == ' ' || member.back() == '\t')) member.remove_suffix(1);
    if (visit(member)) return true;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

bool Fields::add(Field field) {
  if (count_ == fields_.size()) return false;
  fields_[count_++] = field;
  return true;
}

const Field* Fields::find(std::string_view name) const {
  for (const Field& field : all()) {
    if (equals_ignoring_case(field.name, name)) return &field;
  }
  return nullptr;
}

void Fields::remove(std::string_view name) {
  const auto end = std::remove_if(fields_.begin(), fields_.begin() + static_cast<std::ptrdiff_t>(count_),
                                  [name](const Field& field) { return equals_ignoring_case(field.name, name); });
  count_ = static_cast<std::size_t>(end - fields_.begin());
}

bool equal_in_lower_case(const char* left, const char* right, std::size_t size) {
  if (size < 8) {
    for (std::size_t i = 0; i < size; ++i) {
      if (lower(left[i]) != lower(right[i])) return false;
    }
    return true;
  }
  for (std::size_t i = 0; i + 8 < size; i += 8) {
    if (lower_eight(left + i) != lower_eight(right + i)) return false;
  }
  return lower_eight(left + size - 8) == lower_eight(right + size - 8);
}

bool has_member(std::string_view list, std::string_view token) {
  return any_member(list, [token](std::string_view member) { return equals_ignoring_case(member, token); });
}

bool is_hop_by_hop(std::string_view name, std::string_view connection) {
  switch (name.size()) {  // most names are none of these: their length tells
    case 2:
      if (equals_ignoring_case(name, "te")) return true;
      break;
    case 7:
      if (equals_ignoring_case(name, "upgrade") || equals_ignoring_case(name, "trailer")) return true;
      break;
    case 10:
      if (equals_ignoring_case(name, "connection") || equals_ignoring_case(name, "keep-alive")) return true;
      break;
    case 16:
      if (equals_ignoring_case(name, "proxy-connection")) return true;
      break;
    case 17:
      if (equals_ignoring_case(name, "transfer-encoding")) return true;
      break;
    default:
      break;
  }
  return !connection.empty() && has_member(connection, name);
}

}  // namespace gatehouse::l7::http
