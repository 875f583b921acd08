#include "l7/http/message.h"

#include <algorithm>

namespace gatehouse::l7::http {
namespace {

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
