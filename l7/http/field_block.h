// A header or trailer section that is kept: names and values one behind the other in a pooled block, in order. For what
// comes field by field (HTTP/2) or must outlive the buffer that it came in. Empty, it holds no memory.
#pragma once

#include <cstdint>
#include <string_view>

#include "l7/buffer.h"
#include "l7/http/message.h"

namespace gatehouse::l7::http {

class FieldBlock {
 public:
  explicit FieldBlock(BufferPool& buffers) : bytes_(buffers) {}

  // False, with nothing added, when not even a large block has room.
  bool add(std::string_view name, std::string_view value);
  // A name whose value is put together: add_name(), any number of extend_value().
  bool add_name(std::string_view name) { return add(name, {}); }
  bool extend_value(std::string_view more);

  bool is_empty() const { return bytes_.is_empty(); }
  std::size_t count() const { return count_; }
  std::size_t size() const { return bytes_.size(); }  // in memory
  char* last_byte() { return bytes_.tail() - 1; }  // of the newest value
  void release();

  // Calls visit(name, value) for each. The views are void after add().
  template <typename Visit>
  void for_each(Visit visit) const {
    const char* at = bytes_.view().data();
    const char* const end = at + bytes_.size();
    while (at != end) {
      const Entry entry = read(at);
      visit(std::string_view(at + sizeof entry, entry.name), std::string_view(at + sizeof entry + entry.name, entry.value));
      at += sizeof entry + entry.name + entry.value;
    }
  }
  // All of them, as far as `fields` has room.
  void read_into(Fields& fields) const;
  void assign(const Fields& fields);

 private:
  struct Entry {
    std::uint32_t name;   // bytes
    std::uint32_t value;
  };
  static Entry read(const char* at);
  char* reserve(std::size_t size);

  Buffer bytes_;
  std::size_t count_ = 0;
  std::size_t last_ = 0;  // where the newest entry is
};

}  // namespace gatehouse::l7::http
