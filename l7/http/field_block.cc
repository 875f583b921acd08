#include "l7/http/field_block.h"

#include <cstring>

namespace gatehouse::l7::http {

FieldBlock::Entry FieldBlock::read(const char* at) {
  Entry entry;
  std::memcpy(&entry, at, sizeof entry);
  return entry;
}

// Room for `size` more bytes, or nullptr.
char* FieldBlock::reserve(std::size_t size) {
  if (bytes_.room() < size && (!bytes_.grow() || bytes_.room() < size)) return nullptr;
  return bytes_.tail();
}

bool FieldBlock::add(std::string_view name, std::string_view value) {
  const Entry entry = {static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size())};
  const std::size_t size = sizeof entry + name.size() + value.size();
  char* at = reserve(size);
  if (!at) return false;
  std::memcpy(at, &entry, sizeof entry);
  std::memcpy(at + sizeof entry, name.data(), name.size());
  if (!value.empty()) std::memcpy(at + sizeof entry + name.size(), value.data(), value.size());
  last_ = bytes_.size();
  bytes_.commit(size);
  ++count_;
  return true;
}

bool FieldBlock::extend_value(std::string_view more) {
  char* at = reserve(more.size());
  if (!at) return false;
  std::memcpy(at, more.data(), more.size());
  bytes_.commit(more.size());
  char* const newest = at - (bytes_.size() - more.size() - last_);
  Entry entry = read(newest);
  entry.value += static_cast<std::uint32_t>(more.size());
  std::memcpy(newest, &entry, sizeof entry);
  return true;
}

void FieldBlock::release() {
  bytes_.release();
  count_ = 0;
}

void FieldBlock::read_into(Fields& fields) const {
  fields.clear();
  for_each([&fields](std::string_view name, std::string_view value) { fields.add({name, value}); });
}

void FieldBlock::assign(const Fields& fields) {
  release();
  for (const Field& field : fields.all()) add(field.name, field.value);
}

}  // namespace gatehouse::l7::http
